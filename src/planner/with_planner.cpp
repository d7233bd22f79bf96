#include "planner/with_planner.hpp"

#include "pg/versions.hpp"
#include "planner/kept_target.hpp"
#include "planner/late_checks.hpp"

extern "C" {
#include "nodes/extensible.h"
#include "optimizer/optimizer.h"
}

namespace shardwise
{

namespace
{

// ---- who sees what ---------------------------------------------------------------------------

bool is_write(const CommonTableExpr *cte)
{
    return ((Query *)cte->ctequery)->commandType != CMD_SELECT;
}

struct CteName {
    const char *name;
    int depth; // queries entered
};

bool reads_cte(Node *node, void *context)
{
    CteName *cte = (CteName *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, RangeTblEntry)) {
        const RangeTblEntry *rte = (const RangeTblEntry *)node;
        return rte->rtekind == RTE_CTE && (int)rte->ctelevelsup == cte->depth &&
               strcmp(rte->ctename, cte->name) == 0;
    }
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())reads_cte, context);
    cte->depth++;
    bool found =
        query_tree_walker((Query *)node, (bool (*)())reads_cte, context, QTW_EXAMINE_RTES_BEFORE);
    cte->depth--;
    return found;
}

// SELECTs that lock rows for a write, before anything of them has been written.
List *find_locks_for(Query *write, List *ctes, const EarlyReads *reads)
{
    List *found = NIL;
    ListCell *cell;
    foreach (cell, ctes) {
        CommonTableExpr *cte = (CommonTableExpr *)lfirst(cell);
        CteName name = {cte->ctename, 0};
        Query *query = (Query *)cte->ctequery;
        if (!is_write(cte) && query->rowMarks != NIL && reads_unwritten(query, reads) &&
            reads_cte((Node *)write, &name))
            found = lappend(found, cte);
    }
    return found;
}

// All parts see the rows as they were before: what is read after it has been written is read early.
// A SELECT in WITH runs when its rows are needed, several times if parts of the statement read
// them.
Refusal read_before_writing(Query *query, EarlyReads *reads)
{
    Refusal refusal = nullptr;
    List *ctes = query->cteList;
    List *locks = NIL;
    ListCell *cell;
    foreach (cell, ctes) {
        CommonTableExpr *cte = (CommonTableExpr *)lfirst(cell);
        if (!is_write(cte))
            continue;
        Query *write = (Query *)cte->ctequery;
        if ((refusal = read_early(write, reads)) != nullptr)
            return refusal;
        locks = list_concat_unique_ptr(locks, find_locks_for(write, ctes, reads));
        note_write(reads, write);
        if (must_check_late(write) &&
            (refusal = read_checks_early(write->withCheckOptions, reads)) != nullptr)
            return refusal;
    }
    foreach (cell, ctes) {
        CommonTableExpr *cte = (CommonTableExpr *)lfirst(cell);
        if (is_write(cte) || cte->cterefcount == 0) // such a SELECT does not run
            continue;
        if ((list_member_ptr(locks, cte) || contain_volatile_functions(cte->ctequery)) &&
            run_early((Query *)cte->ctequery, reads))
            continue;
        if ((refusal = read_early((Query *)cte->ctequery, reads)) != nullptr)
            return refusal;
    }
    query->cteList = NIL; // the others' rows are not there early
    query->hasModifyingCTE = false;
    refusal = read_early(query, reads);
    query->cteList = ctes;
    return refusal;
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

} // namespace

void put_parts_below(PlannedStmt *plan, List *parts, List *names)
{
    CustomScan *scan = put_node_on_top(plan, with_name);
    scan->custom_private = list_make2(parts, names);
    plan->hasModifyingCTE = true;
    plan->parallelModeNeeded = false;
    // The main plan is made anew when something changes that the parts depend on.
    ListCell *cell;
    foreach (cell, parts) {
        PlannedStmt *part = (PlannedStmt *)lfirst(cell);
        plan->relationOids = list_concat_unique_oid(plan->relationOids, part->relationOids);
        plan->invalItems = list_concat(plan->invalItems, list_copy(part->invalItems));
        plan->dependsOnRole |= part->dependsOnRole;
    }
}

List *plan_early_reads(const PlannerCall &call, PlanPart plan_part, const EarlyReads *reads)
{
    List *parts = NIL;
    ListCell *cell, *copied;
    forboth (cell, reads->queries, copied, reads->copied) {
        PlannerCall early = call;
        early.query = (Query *)lfirst(cell);
        early.cursor_options = 0;
        Query *rows = OidIsValid(lfirst_oid(copied)) ? copy_node(early.query) : nullptr;
        PlannedStmt *plan = plan_part(early);
        if (rows != nullptr)
            find_kept_copies(plan, lfirst_oid(copied), rows);
        parts = lappend(parts, plan);
    }
    return parts;
}

PlannedStmt *plan_with(const PlannerCall &call, PlanPart plan_part, Refusal *refusal)
{
    Query *query = call.query;
    List *kept = NIL;
    ListCell *cell;
    EarlyReads reads = {};
    if ((*refusal = read_before_writing(query, &reads)) != nullptr)
        return nullptr;
    List *parts = plan_early_reads(call, plan_part, &reads);
    List *names = reads.names;
    foreach (cell, query->cteList) {
        CommonTableExpr *cte = (CommonTableExpr *)lfirst(cell);
        if (!is_write(cte)) {
            kept = lappend(kept, cte);
            continue;
        }
        Query *part = (Query *)cte->ctequery;
        if (returns_versions(part->returningList)) {
            *refusal = pstrdup("A part of it returns old and new values.");
            return nullptr;
        }
        char *name = name_kept_rows();
        Query *rows =
            part->returningList != NIL ? select_kept_rows(part->returningList, name) : nullptr;
        LateChecks late = {};
        if ((*refusal = take_late_checks(part, &late)) != nullptr ||
            (*refusal = take_along(part, kept)) != nullptr)
            return nullptr;
        List *returned = (List *)copy_node((Node *)part->returningList);
        part->canSetTag = false;
        PlannerCall part_call = call;
        part_call.query = part;
        part_call.cursor_options = 0;
        parts = lappend(parts, plan_part(part_call));
        names = lappend(names, makeString(name));
        if (late.checks != NIL) {
            parts = lappend(parts, plan_late_checks(call, plan_part, late, returned, name));
            names = lappend(names, makeString(name_kept_rows()));
        }
        if (rows == nullptr)
            continue;
        cte->ctequery = (Node *)rows;
        kept = lappend(kept, cte);
    }
    query->cteList = kept;
    PlannedStmt *plan = plan_part(call);
    put_parts_below(plan, parts, names);
    return plan;
}

} // namespace shardwise
