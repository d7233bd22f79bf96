// Checks of new rows (WITH CHECK OPTION, policies) that the router makes when the rows have been
// written: where a shard lacks rows that a check's subquery reads, and the new row is not known
// before it is there. A row that fails one undoes the statement.
#pragma once

#include "pg/pg.hpp"
#include "planner/with_planner.hpp"

namespace shardwise
{

struct LateChecks {
    Oid relid;
    List *checks;  // WithCheckOption, over the columns that the write returns as entry 1
    List *new_row; // int: those of them (from 0) that are the row which a view's check sees
};

// True of a write with such checks.
bool must_check_late(Query *write);

// Takes them over from the write, whose RETURNING gets the columns that they ask for. nullptr, or
// why that is not possible.
Refusal take_late_checks(Query *write, LateChecks *late);

// Plans the part that makes them, of the rows that are kept under a name; `returned` are their
// columns (TargetEntry). It yields no row.
PlannedStmt *plan_late_checks(const PlannerCall &call, PlanPart plan_part, const LateChecks &late,
                              List *returned, const char *name);

} // namespace shardwise
