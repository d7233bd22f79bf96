// WITH CHECK OPTION of views and row-level security: the shard's error of a row that fails a check,
// in PostgreSQL's words.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"

namespace shardwise
{

// A translator of a statement's errors (RemoteStatement); `route` is its argument. Raises 44000 for
// a view, 42501 for row-level security, 55000 for a row that a view hides, 21000 for one that is
// changed twice, if a check of the route (planner/row_checks.hpp) failed.
void raise_row_check(const void *route, int sqlstate, const char *message);

// Raises 21000: a command must not change a row twice.
[[noreturn]] void raise_second_change(const char *command);

// Raises the violation of a view's WITH CHECK OPTION by a row, whose columns are given as texts.
[[noreturn]] void raise_view_violation(const WithCheckOption *check, const Datum *values,
                                       const bool *nulls, int n);

// Raises the violation of a check of row-level security, or of the conditions of a view (55000).
[[noreturn]] void raise_policy_violation(const WithCheckOption *check);

} // namespace shardwise
