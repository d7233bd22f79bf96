#include "planner/conflict_nothing.hpp"

#include "pg/query_tree.hpp"
#include "planner/early_reads.hpp"
#include "planner/late_checks.hpp"
#include "planner/modify_planner.hpp"
#include "planner/proposed_rows.hpp"

namespace shardwise
{

PlannedStmt *plan_checked_nothing(const PlannerCall &call, PlanPart plan_part, Refusal *refusal)
{
    Query *insert = call.query;
    int nshown = list_length(insert->returningList);
    char *name = name_kept_rows();
    EarlyReads reads = {};
    LateChecks checks = {};
    return_proposed(insert);
    Query *main = select_kept_rows(insert->returningList, name);
    main->jointree->quals = (Node *)was_inserted(insert);
    main->targetList = list_truncate(main->targetList, nshown);
    stand_for_statement(main, insert);
    note_write(&reads, insert);
    if ((*refusal = take_proposed_checks(insert, &checks)) != nullptr ||
        (*refusal = read_checks_early(checks.checks, &reads)) != nullptr)
        return nullptr;
    List *returned = (List *)copy_node((Node *)insert->returningList);
    PlannerCall part = call;
    part.cursor_options = 0;
    PlannedStmt *inserting = plan_conflict_insert(part, true, refusal);
    if (inserting == nullptr)
        return nullptr;
    inserting->canSetTag = true;
    List *parts = plan_early_reads(call, plan_part, &reads);
    parts = lappend(parts, inserting);
    parts = lappend(parts, plan_late_checks(call, plan_part, checks, returned, name));
    part.query = main;
    PlannedStmt *plan = run_next_planner(part);
    put_parts_below(
        plan, parts,
        list_concat(reads.names, list_make2(makeString(name), makeString(name_kept_rows()))));
    plan->commandType = CMD_INSERT;
    plan->hasReturning = nshown > 0;
    return plan;
}

} // namespace shardwise
