#include "planner/returning_planner.hpp"

#include "pg/query_tree.hpp"
#include "pg/versions.hpp"
#include "planner/returned_columns.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "rewrite/rewriteManip.h"
}

namespace shardwise
{

namespace
{

constexpr const char *cte_name = "shardwise returning";

CommonTableExpr *make_cte(Query *write)
{
    CommonTableExpr *cte = makeNode(CommonTableExpr);
    ListCell *cell;
    cte->ctename = pstrdup(cte_name);
    cte->ctequery = (Node *)write;
    cte->cterefcount = 1;
    cte->location = -1;
    foreach (cell, write->returningList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        Node *expr = (Node *)entry->expr;
        cte->ctecolnames = lappend(cte->ctecolnames, makeString(pstrdup(entry->resname)));
        cte->ctecoltypes = lappend_oid(cte->ctecoltypes, exprType(expr));
        cte->ctecoltypmods = lappend_int(cte->ctecoltypmods, exprTypmod(expr));
        cte->ctecolcollations = lappend_oid(cte->ctecolcollations, exprCollation(expr));
    }
    return cte;
}

RangeTblEntry *make_cte_entry(const CommonTableExpr *cte)
{
    RangeTblEntry *rte = makeNode(RangeTblEntry);
    rte->rtekind = RTE_CTE;
    rte->ctename = pstrdup(cte->ctename);
    rte->coltypes = list_copy(cte->ctecoltypes);
    rte->coltypmods = list_copy(cte->ctecoltypmods);
    rte->colcollations = list_copy(cte->ctecolcollations);
    rte->eref = makeAlias(cte->ctename, (List *)copy_node((Node *)cte->ctecolnames));
    rte->inFromCl = true;
    return rte;
}

// WITH the write's own CTEs, the write SELECT what RETURNING shows
Query *select_returned(Query *write, Refusal *refusal)
{
    List *shown =
        (List *)flatten_join_alias_vars(write, (Node *)copy_node((Node *)write->returningList));
    List *columns = NIL;
    *refusal = point_at_returned((Node **)&shown, &columns);
    if (columns == NIL) // rows must be counted even so
        columns = list_make1(
            makeTargetEntry((Expr *)makeBoolConst(true, false), 1, pstrdup("c1"), false));
    List *ctes = write->cteList;
    bool is_recursive = write->hasRecursive;
    write->returningList = columns;
    write->cteList = NIL;
    write->hasRecursive = false;
    raise_cte_references(write);

    CommonTableExpr *cte = make_cte(write);
    Query *select = make_select_from(make_cte_entry(cte), nullptr);
    select->targetList = shown;
    select->cteList = lappend(ctes, cte);
    select->hasRecursive = is_recursive;
    select->hasModifyingCTE = true;
    select->hasSubLinks = true;
    select->hasRowSecurity = write->hasRowSecurity;
    stand_for_statement(select, write);
    return select;
}

} // namespace

bool returns_subqueries(const Query *query)
{
    return query->hasSubLinks && checkExprHasSubLink((Node *)query->returningList);
}

PlannedStmt *plan_returning(const PlannerCall &call, PlanPart plan_part, Refusal *refusal)
{
    CmdType command = call.query->commandType;
    bool returns = call.query->returningList != NIL;
    PlannerCall with = call;
    with.query = select_returned(call.query, refusal);
    if (*refusal != nullptr)
        return nullptr;
    PlannedStmt *plan = plan_with(with, plan_part, refusal);
    if (plan == nullptr)
        return nullptr;
    // To the client it is the write: its rows are what the command tag counts.
    const CustomScan *scan = (const CustomScan *)plan->planTree;
    ListCell *cell;
    foreach (cell, (List *)linitial(scan->custom_private)) {
        PlannedStmt *part = (PlannedStmt *)lfirst(cell);
        part->canSetTag = part->commandType != CMD_SELECT;
    }
    plan->commandType = command;
    plan->hasReturning = returns;
    return plan;
}

} // namespace shardwise
