// Row-level security and security-barrier views, which the deparser does not print: their
// conditions become part of the query, so placed that no other function sees a row before they do.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Rewrites the query in place. Returns why that is not possible, or nullptr.
char *apply_row_security(Query *query);

// Puts a subquery in the place of a table: it shows all columns under their numbers, and the system
// columns and whole rows that the query reads behind them. The table's conditions move inside.
void wrap_table(Query *query, int varno);

} // namespace shardwise
