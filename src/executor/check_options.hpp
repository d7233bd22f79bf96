// WITH CHECK OPTION of views and row-level security: the shard's error of a row that fails a check,
// in PostgreSQL's words.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace shardwise
{

// A translator of a statement's errors (RemoteStatement); `route` is its argument. Raises 44000 for
// a view, 42501 for row-level security, 55000 for a row that a view hides, 21000 for one that is
// changed twice, if a check of the route (planner/row_checks.hpp) failed.
void raise_row_check(const void *route, int sqlstate, const char *message);

// Raises 21000: a command must not change a row twice.
[[noreturn]] void raise_second_change(const char *command);

// Raises 0A000 as PostgreSQL does: ON CONFLICT DO UPDATE must not move a row to another partition.
[[noreturn]] void raise_other_partition();

// Raises 0A000: a row that the command has moved may have made room for one that it proposes.
[[noreturn]] void refuse_second_key(const char *command);

// Raises the violation of a check that the router makes, of a row whose columns in the view are
// those (int, from 0) of the slot: 44000 for a view, 42501 for row-level security, 55000 for a row
// that a view hides, 21000 for one that the command has inserted.
[[noreturn]] void raise_violation(const WithCheckOption *check, const TupleTableSlot *row,
                                  const List *columns);

} // namespace shardwise
