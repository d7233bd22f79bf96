// Row-level security and security-barrier views, which the deparser does not print: their
// conditions become part of the query, so placed that no other function sees a row before they do.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Rewrites the query in place. Returns why that is not possible, or nullptr.
char *apply_row_security(Query *query);

} // namespace shardwise
