// The order of a subquery in FROM, which PostgreSQL keeps though SQL does not ask for it.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Does the query read one subquery or CTE that is ordered, and so sees its rows in that order?
bool reads_ordered_source(const Query *query);

// Gives such a query, where it has nothing but a FROM, WHERE and LIMIT, the subquery's ORDER BY as
// its own, so that a merge of shards' rows keeps the order. False where that cannot be said so.
bool inherit_order(Query *query);

} // namespace shardwise
