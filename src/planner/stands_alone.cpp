#include "planner/stands_alone.hpp"

#include "catalog/catalog.hpp"
#include "pg/query_tree.hpp"

extern "C" {
#include "nodes/nodeFuncs.h"
}

namespace shardwise
{
namespace
{

bool has_local_table(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())has_local_table, nullptr);
    ListCell *cell;
    foreach (cell, ((Query *)node)->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        // A view's own entry is there for privileges only.
        if (rte->rtekind == RTE_RELATION && rte->relkind != RELKIND_VIEW &&
            find_table(rte->relid) == nullptr)
            return true;
        if (rte->rtekind == RTE_NAMEDTUPLESTORE)
            return true;
    }
    return query_tree_walker((Query *)node, (bool (*)())has_local_table, nullptr, 0);
}

// True if something in the query refers to a query around it. `depth` counts the queries entered.
bool refers_outside(Node *node, void *context)
{
    int *depth = (int *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Var))
        return (int)((Var *)node)->varlevelsup >= *depth;
    if (IsA(node, RangeTblEntry)) {
        RangeTblEntry *rte = (RangeTblEntry *)node;
        return rte->rtekind == RTE_CTE && (int)rte->ctelevelsup >= *depth;
    }
    if (IsA(node, Query)) {
        (*depth)++;
        bool found = query_tree_walker((Query *)node, (bool (*)())refers_outside, context,
                                       QTW_EXAMINE_RTES_BEFORE);
        (*depth)--;
        return found;
    }
    return expression_tree_walker(node, (bool (*)())refers_outside, context);
}

} // namespace

bool stands_alone(Query *query)
{
    int depth = 0;
    return query->commandType == CMD_SELECT && query->rowMarks == NIL && !query->hasModifyingCTE &&
           !query->hasRecursive && query->setOperations == nullptr && query->jointree != nullptr &&
           !refers_outside((Node *)query, &depth) && !has_local_table((Node *)query, nullptr) &&
           !has_volatile_subquery(query);
}

} // namespace shardwise
