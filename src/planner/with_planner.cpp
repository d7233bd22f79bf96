#include "planner/with_planner.hpp"

#include "pg/query_tree.hpp"

extern "C" {
#include "nodes/extensible.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

// ---- who sees what ---------------------------------------------------------------------------

// Relations that a part reads; the target of an INSERT is not read.
bool collect_reads(Node *node, void *context)
{
    List **reads = (List **)context;
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())collect_reads, context);
    Query *query = (Query *)node;
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        int varno = foreach_current_index(cell) + 1;
        bool is_conflict = query->onConflict != nullptr && query->onConflict->exclRelIndex == varno;
        if (rte->rtekind == RTE_RELATION && !is_conflict &&
            !(query->commandType == CMD_INSERT && varno == query->resultRelation))
            *reads = list_append_unique_oid(*reads, rte->relid);
    }
    return query_tree_walker(query, (bool (*)())collect_reads, context, 0);
}

Oid target_of(const Query *query)
{
    return query->resultRelation > 0 ? rt_fetch(query->resultRelation, query->rtable)->relid
                                     : InvalidOid;
}

bool is_write(const CommonTableExpr *cte)
{
    return ((Query *)cte->ctequery)->commandType != CMD_SELECT;
}

// Some member of both lists; InvalidOid if there is none.
Oid find_common(const List *a, const List *b)
{
    ListCell *cell;
    foreach (cell, a)
        if (list_member_oid(b, lfirst_oid(cell)))
            return lfirst_oid(cell);
    return InvalidOid;
}

// All parts see the rows as they were before. The shards take a new snapshot for each statement, so
// nothing may be read after it has been written.
Refusal check_visibility(Query *query)
{
    List *written = NIL;
    List *reads = NIL;
    ListCell *cell;
    foreach (cell, query->cteList) {
        CommonTableExpr *cte = (CommonTableExpr *)lfirst(cell);
        Query *part = (Query *)cte->ctequery;
        if (!is_write(cte))
            continue;
        collect_reads((Node *)part, &reads);
        if (OidIsValid(find_common(reads, written)))
            break;
        written = lappend_oid(written, target_of(part));
        reads = NIL;
    }
    // A SELECT in WITH runs when its rows are needed.
    foreach (cell, query->cteList)
        if (!is_write((CommonTableExpr *)lfirst(cell)))
            collect_reads(((CommonTableExpr *)lfirst(cell))->ctequery, &reads);
    Query main = *query;
    main.cteList = NIL;
    collect_reads((Node *)&main, &reads);
    Oid both = find_common(reads, written);
    if (!OidIsValid(both))
        return nullptr;
    return psprintf("Table \"%s\" is written and then read by parts of the statement.",
                    get_rel_name(both));
}

// ---- parts of their own ------------------------------------------------------------------------

// References to CTEs of the statement around a part: their CTEs are now the part's own.
bool lower_references(Node *node, void *context)
{
    int *depth = (int *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, RangeTblEntry)) {
        RangeTblEntry *rte = (RangeTblEntry *)node;
        if (rte->rtekind == RTE_CTE && (int)rte->ctelevelsup == *depth)
            rte->ctelevelsup--;
        return false;
    }
    if (IsA(node, Query)) {
        (*depth)++;
        query_tree_walker((Query *)node, (bool (*)())lower_references, context,
                          QTW_EXAMINE_RTES_BEFORE);
        (*depth)--;
        return false;
    }
    return expression_tree_walker(node, (bool (*)())lower_references, context);
}

// Gives a part copies of the CTEs before it.
Refusal take_along(Query *part, List *before)
{
    ListCell *cell;
    foreach (cell, before) {
        CommonTableExpr *cte = (CommonTableExpr *)lfirst(cell);
        ListCell *own;
        foreach (own, part->cteList)
            if (strcmp(((CommonTableExpr *)lfirst(own))->ctename, cte->ctename) == 0)
                return psprintf("Name \"%s\" stands for two queries in WITH.", cte->ctename);
        if (contain_volatile_functions(cte->ctequery))
            return psprintf("Query \"%s\" in WITH would run for each part of the statement.",
                            cte->ctename);
    }
    if (before == NIL)
        return nullptr;
    int depth = 0;
    lower_references((Node *)part, &depth);
    part->cteList = list_concat((List *)copy_node(before), part->cteList);
    return nullptr;
}

// SELECT columns FROM the rows that a write returned.
Query *select_rows_of(Query *part, const char *name)
{
    RangeTblEntry *rte = makeNode(RangeTblEntry);
    List *names = NIL;
    ListCell *cell;
    rte->rtekind = RTE_NAMEDTUPLESTORE;
    rte->enrname = pstrdup(name);
    rte->inFromCl = true;
    Query *select = make_select_from(rte, nullptr);
    foreach (cell, part->returningList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        Node *expr = (Node *)entry->expr;
        int number = list_length(names) + 1;
        rte->coltypes = lappend_oid(rte->coltypes, exprType(expr));
        rte->coltypmods = lappend_int(rte->coltypmods, exprTypmod(expr));
        rte->colcollations = lappend_oid(rte->colcollations, exprCollation(expr));
        names = lappend(names, makeString(pstrdup(entry->resname)));
        Var *var = makeVar(1, number, exprType(expr), exprTypmod(expr), exprCollation(expr), 0);
        select->targetList =
            lappend(select->targetList,
                    makeTargetEntry((Expr *)var, number, pstrdup(entry->resname), false));
    }
    rte->eref = makeAlias(name, names);
    rte->enrtuples = 1000;
    return select;
}

// ---- assembly ----------------------------------------------------------------------------------

void put_on_top(PlannedStmt *plan, List *parts, List *names)
{
    CustomScan *scan = put_node_on_top(plan, with_name);
    scan->custom_private = list_make2(parts, names);
    plan->hasModifyingCTE = true;
    plan->parallelModeNeeded = false;
}

} // namespace

PlannedStmt *plan_with(const PlannerCall &call, PlanPart plan_part, Refusal *refusal)
{
    Query *query = call.query;
    List *kept = NIL;
    List *parts = NIL;
    List *names = NIL;
    ListCell *cell;
    if ((*refusal = check_visibility(query)) != nullptr)
        return nullptr;
    foreach (cell, query->cteList) {
        CommonTableExpr *cte = (CommonTableExpr *)lfirst(cell);
        if (!is_write(cte)) {
            kept = lappend(kept, cte);
            continue;
        }
        Query *part = (Query *)cte->ctequery;
        char *name = psprintf("shardwise with %d", list_length(parts) + 1);
        Query *rows = part->returningList != NIL ? select_rows_of(part, name) : nullptr;
        if ((*refusal = take_along(part, kept)) != nullptr)
            return nullptr;
        part->canSetTag = false;
        PlannerCall part_call = call;
        part_call.query = part;
        part_call.cursor_options = 0;
        parts = lappend(parts, plan_part(part_call));
        names = lappend(names, makeString(name));
        if (rows == nullptr)
            continue;
        cte->ctequery = (Node *)rows;
        kept = lappend(kept, cte);
    }
    query->cteList = kept;
    query->hasModifyingCTE = false;
    PlannedStmt *plan = plan_part(call);
    put_on_top(plan, parts, names);
    // The main plan is made anew when something changes that the parts depend on.
    foreach (cell, parts) {
        PlannedStmt *part = (PlannedStmt *)lfirst(cell);
        plan->relationOids = list_concat_unique_oid(plan->relationOids, part->relationOids);
        plan->invalItems = list_concat(plan->invalItems, list_copy(part->invalItems));
        plan->dependsOnRole |= part->dependsOnRole;
    }
    return plan;
}

} // namespace shardwise
