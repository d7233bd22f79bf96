// Plans writes that the shards cannot run as they are: PostgreSQL's planner finds on the router
// what is to be written, a plan node above brings it to the shards in batches.
#pragma once

#include "pg/pg.hpp"
#include "planner/route_planner.hpp"
#include "planner/router_plan.hpp"

namespace shardwise
{

// Plans an INSERT, UPDATE or DELETE on a distributed or reference table. Changes the query. nullptr
// and the reason if it is not supported.
PlannedStmt *plan_modify(const PlannerCall &call, Refusal *refusal);

// Plans the INSERT that meets them, and updates none. `returns_proposed`: triggers may change the
// rows that are proposed; it returns them (proposed_rows.hpp).
PlannedStmt *plan_conflict_insert(const PlannerCall &call, bool returns_proposed, Refusal *refusal);

// What the UPDATE that ON CONFLICT asks for has to heed of the rows that it meets.
struct ConflictUpdate {
    List *met_checks;         // WithCheckOption: which they must pass, before all else
    Node *condition;          // of those that it changes; nullptr: all
    bool may_leave_partition; // that a row is in, which it must not
    bool in_order;            // one row is changed before the next: they may be in the way
    // Where a changed row may have made room for one that is proposed again, which is inserted
    // then: its columns (TargetEntry) over the UPDATE's FROM; NIL: a row is not met twice (21000).
    List *proposed;
    OnConflictExpr *arbiter; // then, DO NOTHING over the target as entry 1
    bool is_fired;           // then, BEFORE INSERT triggers have left the row so
};

// Plans that UPDATE. The rows come in the order in which they are proposed.
PlannedStmt *plan_conflict_update(const PlannerCall &call, const ConflictUpdate &conflict,
                                  Refusal *refusal);

// True for an INSERT of so many rows that looking for one shard that gets them all is a waste.
bool is_bulk_insert(const Query *query);

} // namespace shardwise
