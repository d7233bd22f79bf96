#include "planner/late_checks.hpp"

#include "pg/query_tree.hpp"
#include "planner/batch_statement.hpp"
#include "planner/modify_maker.hpp"
#include "planner/returned_columns.hpp"

extern "C" {
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

bool does(const Query *write, CmdType command)
{
    ListCell *cell;
    foreach (cell, write->mergeActionList)
        if (((MergeAction *)lfirst(cell))->commandType == command)
            return true;
    return write->commandType == command;
}

// True if the check is made of the rows that the write returns, and of no others.
bool is_of_returned_row(const Query *write, const WithCheckOption *check)
{
    switch (check->kind) {
    case WCO_VIEW_CHECK:
        return does(write, CMD_INSERT) || does(write, CMD_UPDATE);
    case WCO_RLS_UPDATE_CHECK:
        return does(write, CMD_UPDATE);
    case WCO_RLS_INSERT_CHECK:
        return does(write, CMD_INSERT) && write->onConflict == nullptr;
    default:
        return false;
    }
}

// The whole row in RETURNING, which the message of a view's violation shows.
List *return_row(Query *write, Refusal *refusal)
{
    List *numbers = NIL;
    Relation relation =
        table_open(rt_fetch(write->resultRelation, write->rtable)->relid, AccessShareLock);
    TupleDesc columns = RelationGetDescr(relation);
    for (int i = 0; i < columns->natts && *refusal == nullptr; i++) {
        Form_pg_attribute column = TupleDescAttr(columns, i);
        if (column->attisdropped)
            continue;
        Node *var = (Node *)makeVar(write->resultRelation, column->attnum, column->atttypid,
                                    column->atttypmod, column->attcollation, 0);
        *refusal = point_at_returned(&var, &write->returningList);
        numbers = lappend_int(numbers, ((Var *)var)->varattno - 1);
    }
    table_close(relation, NoLock);
    return numbers;
}

// The column of RETURNING that tells rows which MERGE has inserted from those that it has updated.
Expr *return_kind(Query *merge)
{
    int number = list_length(merge->returningList) + 1;
    merge->returningList =
        lappend(merge->returningList,
                makeTargetEntry((Expr *)make_inserts_param(), number, pstrdup("inserted"), false));
    return (Expr *)makeVar(1, number, BOOLOID, -1, InvalidOid, 0);
}

// Confines a check of MERGE to the rows that it is meant for.
void confine_check(WithCheckOption *check, Expr *is_inserted)
{
    Expr *passes = (Expr *)makeBoolConst(true, false);
    Expr *qual = (Expr *)check->qual;
    bool of_inserted = check->kind == WCO_RLS_INSERT_CHECK;
    check->qual = (Node *)make_case(copy_node((Node *)is_inserted), of_inserted ? qual : passes,
                                    of_inserted ? passes : qual);
}

} // namespace

bool must_check_late(Query *write)
{
    ListCell *cell;
    foreach (cell, write->withCheckOptions) {
        const WithCheckOption *check = (WithCheckOption *)lfirst(cell);
        if (is_of_returned_row(write, check) && reads_shards(check) &&
            !can_check_early(write, check))
            return true;
    }
    return false;
}

Refusal take_late_checks(Query *write, LateChecks *late)
{
    Refusal refusal = nullptr;
    List *views = NIL;
    List *others = NIL;
    ListCell *cell;
    if (!must_check_late(write))
        return nullptr;
    Expr *is_inserted = write->commandType == CMD_MERGE ? return_kind(write) : nullptr;
    foreach (cell, write->withCheckOptions) {
        WithCheckOption *check = (WithCheckOption *)lfirst(cell);
        if (!is_of_returned_row(write, check)) {
            others = lappend(others, check);
            continue;
        }
        if (check->qual == nullptr)
            continue;
        check = copy_node(check);
        if ((refusal = point_at_returned(&check->qual, &write->returningList)) != nullptr)
            return refusal;
        if (is_inserted != nullptr)
            confine_check(check, is_inserted);
        List **checks = check->kind == WCO_VIEW_CHECK ? &views : &late->checks;
        *checks = lappend(*checks, check);
    }
    if (views != NIL)
        late->new_row = return_row(write, &refusal);
    late->checks = list_concat(late->checks, views);
    late->relid = rt_fetch(write->resultRelation, write->rtable)->relid;
    write->withCheckOptions = others;
    return refusal;
}

PlannedStmt *plan_late_checks(const PlannerCall &call, PlanPart plan_part, const LateChecks &late,
                              List *returned, const char *name)
{
    ModifyPlan *checking = make_modify_plan();
    checking->command = CMD_SELECT;
    checking->checks = without_conditions(late.relid, late.checks);
    checking->new_row = late.new_row;
    checking->action_column = list_length(returned);
    Expr *action = make_int4(0);
    for (int i = list_length(late.checks) - 1; i >= 0; i--)
        action = make_case(((WithCheckOption *)list_nth(late.checks, i))->qual, action,
                           make_int4(-i - 1));
    PlannerCall part = call;
    part.cursor_options = 0;
    part.query = select_kept_rows(returned, name);
    part.query->hasSubLinks = true;
    part.query->hasRowSecurity = call.query->hasRowSecurity;
    part.query->canSetTag = false;
    add_output(part.query, action, "action");
    PlannedStmt *plan = plan_part(part);
    CustomScan *scan = put_node_on_top(plan, modify_name);
    scan->custom_private = list_make1(checking);
    return plan;
}

} // namespace shardwise
