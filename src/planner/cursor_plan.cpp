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

// The rows of the query are rows of its tables, in whatever order.
bool yields_table_rows(const Query *query)
{
    return query->commandType == CMD_SELECT && !query->hasModifyingCTE &&
           query->setOperations == nullptr && !query->hasAggs && !query->hasWindowFuncs &&
           !query->hasTargetSRFs && query->groupClause == NIL && query->groupingSets == NIL &&
           query->distinctClause == NIL && query->havingQual == nullptr;
}

// Where the rows of one table are, in columns of a query.
struct Places {
    Oid relid;
    Expr *columns[place_columns]; // nullptr: none
};

List *find_places(Query *query);

List *places_of_table(Query *query, int varno)
{
    RangeTblEntry *rte = rt_fetch(varno, query->rtable);
    if (find_table(rte->relid) == nullptr || uses_places((Node *)query, varno))
        return NIL;
    Places *places = (Places *)palloc0(sizeof(Places));
    places->relid = rte->relid;
    places->columns[0] = (Expr *)makeVar(varno, shard_attribute, CIDOID, -1, InvalidOid, 0);
    places->columns[1] =
        (Expr *)makeVar(varno, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, 0);
    if (rte->relkind == RELKIND_PARTITIONED_TABLE)
        places->columns[2] =
            (Expr *)makeVar(varno, remote_table_attribute, CIDOID, -1, InvalidOid, 0);
    mark_placed(rte);
    return list_make1(places);
}

// Columns of a subquery, which it shows behind its own.
List *places_of_subquery(Query *query, int varno)
{
    RangeTblEntry *rte = rt_fetch(varno, query->rtable);
    List *found = yields_table_rows(rte->subquery) ? find_places(rte->subquery) : NIL;
    ListCell *cell;
    foreach (cell, found) {
        Places *places = (Places *)lfirst(cell);
        for (Expr *&column : places->columns) {
            if (column == nullptr)
                continue;
            int number = list_length(rte->subquery->targetList) + 1;
            char *name = psprintf("place %d", number);
            Oid type = exprType((Node *)column);
            rte->subquery->targetList =
                lappend(rte->subquery->targetList, makeTargetEntry(column, number, name, false));
            rte->eref->colnames = lappend(rte->eref->colnames, makeString(pstrdup(name)));
            column = (Expr *)makeVar(varno, number, type, -1, InvalidOid, 0);
        }
    }
    return found;
}

List *places_of(Query *query, int varno)
{
    const RangeTblEntry *rte = rt_fetch(varno, query->rtable);
    return rte->rtekind == RTE_RELATION   ? places_of_table(query, varno)
           : rte->rtekind == RTE_SUBQUERY ? places_of_subquery(query, varno)
                                          : NIL;
}

bool locks_rows(const Query *query)
{
    bool found = query->rowMarks != NIL;
    ListCell *cell;
    foreach (cell, query->rtable) {
        const RangeTblEntry *rte = (const RangeTblEntry *)lfirst(cell);
        found |= rte->rtekind == RTE_SUBQUERY && locks_rows(rte->subquery);
    }
    return found;
}

// Those of the tables that FOR UPDATE and its like name, here or in subqueries, or else of the only
// one.
List *find_places(Query *query)
{
    bool locks = locks_rows(query);
    List *found = NIL;
    ListCell *cell;
    foreach (cell, query->rowMarks)
        found = list_concat(found, places_of(query, (int)((RowMarkClause *)lfirst(cell))->rti));
    for (int varno = 1; query->rowMarks == NIL && varno <= list_length(query->rtable); varno++) {
        const RangeTblEntry *rte = rt_fetch(varno, query->rtable);
        if (rte->rtekind == RTE_SUBQUERY && locks_rows(rte->subquery))
            found = list_concat(found, places_of(query, varno));
    }
    if (!locks && list_length(query->jointree->fromlist) == 1 &&
        IsA(linitial(query->jointree->fromlist), RangeTblRef))
        found = places_of(query, ((RangeTblRef *)linitial(query->jointree->fromlist))->rtindex);
    return found;
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
    foreach (cell, find_places(query)) {
        Places *places = (Places *)lfirst(cell);
        for (int i = 0; i < place_columns; i++)
            if (places->columns[i] != nullptr)
                query->targetList =
                    lappend(query->targetList,
                            makeTargetEntry(places->columns[i], list_length(query->targetList) + 1,
                                            psprintf("%s%d", place_name,
                                                     list_length(tables) * place_columns + i),
                                            true));
        tables = lappend_oid(tables, places->relid);
    }
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
