// Collations that a query tree implies and its text would not show.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Adds COLLATE to the query, in place, where its text would otherwise be read with other
// collations. The planner folds COLLATE into constants and casts, which the deparser prints without
// it; a parameter may stand for a value with a collation of its own.
void show_collations(Query *query);

} // namespace shardwise
