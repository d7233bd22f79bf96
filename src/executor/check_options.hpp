// WITH CHECK OPTION of views and row-level security: the shard's error of a row that fails a check,
// in PostgreSQL's words.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"

namespace shardwise
{

// A translator of a statement's errors (RemoteStatement); `route` is its argument. Raises 44000 for
// a view, 42501 for row-level security, if a check of the route (planner/row_checks.hpp) failed.
void raise_row_check(const void *route, int sqlstate, const char *message);

// Raises the violation of a check of row-level security.
[[noreturn]] void raise_policy_violation(const WithCheckOption *check);

} // namespace shardwise
