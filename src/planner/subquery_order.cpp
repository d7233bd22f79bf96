#include "planner/subquery_order.hpp"

#include "planner/subquery_outputs.hpp"

extern "C" {
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/tlist.h"
#include "parser/parse_clause.h"
#include "parser/parsetree.h"
}

namespace shardwise
{
namespace
{

// The only entry of FROM, or nullptr.
RangeTblEntry *only_source(const Query *query)
{
    if (query->jointree == nullptr || list_length(query->jointree->fromlist) != 1)
        return nullptr;
    Node *item = (Node *)linitial(query->jointree->fromlist);
    return IsA(item, RangeTblRef) ? rt_fetch(((RangeTblRef *)item)->rtindex, query->rtable)
                                  : nullptr;
}

const Query *source_query(const Query *query)
{
    const RangeTblEntry *rte = only_source(query);
    if (rte == nullptr)
        return nullptr;
    if (rte->rtekind == RTE_SUBQUERY)
        return rte->subquery;
    if (rte->rtekind != RTE_CTE || rte->ctelevelsup > 0)
        return nullptr;
    ListCell *cell;
    foreach (cell, query->cteList) {
        CommonTableExpr *cte = (CommonTableExpr *)lfirst(cell);
        if (strcmp(cte->ctename, rte->ctename) == 0 && IsA(cte->ctequery, Query))
            return (Query *)cte->ctequery;
    }
    return nullptr;
}

bool is_plain(const Query *query)
{
    return query->commandType == CMD_SELECT && !query->hasAggs && !query->hasWindowFuncs &&
           !query->hasTargetSRFs && query->groupClause == NIL && query->groupingSets == NIL &&
           query->havingQual == nullptr && query->distinctClause == NIL &&
           query->setOperations == nullptr && query->rowMarks == NIL;
}

// Sort columns that the subquery hid become columns of it; they stand behind the others.
void show_hidden_columns(RangeTblEntry *rte)
{
    ListCell *cell;
    foreach (cell, rte->subquery->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (!entry->resjunk)
            continue;
        entry->resjunk = false;
        entry->resname = psprintf("order %d", entry->resno);
        rte->eref->colnames = lappend(rte->eref->colnames, makeString(pstrdup(entry->resname)));
    }
}

// The query's output entry that is the subquery's; made, hidden, if there is none.
TargetEntry *find_or_add_output(Query *query, int rtindex, const TargetEntry *inner)
{
    Var *var = makeVarFromTargetEntry(rtindex, (TargetEntry *)inner);
    TargetEntry *entry = tlist_member((Expr *)var, query->targetList);
    if (entry == nullptr) {
        entry = makeTargetEntry((Expr *)var, list_length(query->targetList) + 1, nullptr, true);
        query->targetList = lappend(query->targetList, entry);
    }
    return entry;
}

} // namespace

bool reads_ordered_source(const Query *query)
{
    // Its own order comes after aggregates and windows, which see rows as they arrive.
    if (query->sortClause != NIL && !query->hasAggs && !query->hasWindowFuncs)
        return false;
    const Query *source = source_query(query);
    return source != nullptr &&
           (source->sortClause != NIL || (is_plain(source) && reads_ordered_source(source)));
}

bool inherit_order(Query *query)
{
    RangeTblEntry *rte = only_source(query);
    if (!is_plain(query) || rte == nullptr || rte->rtekind != RTE_SUBQUERY)
        return false;
    int rtindex = ((RangeTblRef *)linitial(query->jointree->fromlist))->rtindex;
    if (reads_whole_row(query, rtindex))
        return false;
    if (rte->subquery->sortClause == NIL && !inherit_order(rte->subquery))
        return false;

    show_hidden_columns(rte);
    ListCell *cell;
    foreach (cell, rte->subquery->sortClause) {
        SortGroupClause *clause = copy_node((SortGroupClause *)lfirst(cell));
        TargetEntry *inner = get_sortgroupclause_tle(clause, rte->subquery->targetList);
        TargetEntry *entry = find_or_add_output(query, rtindex, inner);
        clause->tleSortGroupRef = assignSortGroupRef(entry, query->targetList);
        query->sortClause = lappend(query->sortClause, clause);
    }
    return true;
}

} // namespace shardwise
