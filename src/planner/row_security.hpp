// Row-level security and security-barrier views, which the deparser does not print: their
// conditions become part of the query, so placed that no other function sees a row before they do.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Rewrites the query in place. Returns why that is not possible, or nullptr.
char *apply_row_security(Query *query);

// Adds one column (text[]) to RETURNING for each WITH CHECK OPTION of the query and returns the
// options in that order: NULL where the new row passes, else the row's columns (none for row-level
// security). *refusal says why that is not possible.
List *append_check_columns(Query *query, char **refusal);

} // namespace shardwise
