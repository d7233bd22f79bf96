#include "planner/cursor_plan.hpp"

#include "catalog/catalog.hpp"
#include "planner/locked_rows.hpp"

extern "C" {
#include "executor/executor.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

constexpr char place_name[] = "shardwise place ";

void add_place_column(Query *query, int varno, AttrNumber attribute, int number)
{
    Oid type = attribute == SelfItemPointerAttributeNumber ? TIDOID : CIDOID;
    Var *var = makeVar(varno, attribute, type, -1, InvalidOid, 0);
    query->targetList =
        lappend(query->targetList, makeTargetEntry((Expr *)var, list_length(query->targetList) + 1,
                                                   psprintf("%s%d", place_name, number), true));
}

void add_places_of(Query *query, int varno, List **tables)
{
    RangeTblEntry *rte = rt_fetch(varno, query->rtable);
    if (rte->rtekind != RTE_RELATION || find_table(rte->relid) == nullptr ||
        uses_places((Node *)query, varno))
        return;
    int first = list_length(*tables) * place_columns;
    add_place_column(query, varno, shard_attribute, first);
    add_place_column(query, varno, SelfItemPointerAttributeNumber, first + 1);
    if (rte->relkind == RELKIND_PARTITIONED_TABLE)
        add_place_column(query, varno, remote_table_attribute, first + 2);
    mark_placed(rte);
    *tables = lappend_oid(*tables, rte->relid);
}

// The rows of the query are rows of its tables, in whatever order.
bool yields_table_rows(const Query *query)
{
    return query->commandType == CMD_SELECT && !query->hasModifyingCTE &&
           query->setOperations == nullptr && !query->hasAggs && !query->hasWindowFuncs &&
           !query->hasTargetSRFs && query->groupClause == NIL && query->groupingSets == NIL &&
           query->distinctClause == NIL && query->havingQual == nullptr;
}

} // namespace

bool is_place_column(const TargetEntry *entry)
{
    return entry->resjunk && entry->resname != nullptr &&
           strncmp(entry->resname, place_name, strlen(place_name)) == 0;
}

List *add_place_columns(const PlannerCall &call)
{
    Query *query = call.query;
    List *tables = NIL;
    // DECLARE and PL/pgSQL's cursors ask for a fast start; nothing else does.
    if ((call.cursor_options & CURSOR_OPT_FAST_PLAN) == 0 || !yields_table_rows(query))
        return NIL;
    ListCell *cell;
    foreach (cell, query->rowMarks)
        if (!((RowMarkClause *)lfirst(cell))->pushedDown)
            add_places_of(query, (int)((RowMarkClause *)lfirst(cell))->rti, &tables);
    if (query->rowMarks == NIL && list_length(query->jointree->fromlist) == 1 &&
        IsA(linitial(query->jointree->fromlist), RangeTblRef))
        add_places_of(query, ((RangeTblRef *)linitial(query->jointree->fromlist))->rtindex,
                      &tables);
    return tables;
}

void watch_places(PlannedStmt *plan, List *tables)
{
    int n = list_length(tables) * place_columns;
    int *numbers = (int *)palloc0(sizeof(int) * n);
    ListCell *cell;
    foreach (cell, plan->planTree->targetlist) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (is_place_column(entry))
            numbers[atoi(entry->resname + strlen(place_name))] = entry->resno;
    }
    List *columns = NIL;
    for (int i = 0; i < n; i++)
        columns = lappend_int(columns, numbers[i]);
    bool goes_back = ExecSupportsBackwardScan(plan->planTree);
    CustomScan *scan = put_node_on_top(plan, cursor_name);
    scan->custom_private = list_make2(tables, columns);
    if (goes_back)
        scan->flags |= CUSTOMPATH_SUPPORT_BACKWARD_SCAN;
}

} // namespace shardwise
