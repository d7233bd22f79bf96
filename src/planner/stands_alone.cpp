#include "planner/stands_alone.hpp"

#include "catalog/catalog.hpp"
#include "pg/query_tree.hpp"

extern "C" {
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteManip.h"
}

namespace shardwise
{
namespace
{

bool needs_router(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())needs_router, nullptr);
    ListCell *cell;
    foreach (cell, ((Query *)node)->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        // Which rows are a sample, all shards must agree on.
        if (rte->tablesample != nullptr && checkExprHasSubLink((Node *)rte->tablesample))
            return true;
        // A view's own entry is there for privileges only.
        if (rte->rtekind == RTE_RELATION && rte->relkind != RELKIND_VIEW &&
            find_table(rte->relid) == nullptr)
            return true;
        if (rte->rtekind == RTE_NAMEDTUPLESTORE)
            return true;
    }
    return query_tree_walker((Query *)node, (bool (*)())needs_router, nullptr, 0);
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
           !refers_outside((Node *)query, &depth) && !needs_router((Node *)query, nullptr) &&
           !has_volatile_subquery(query);
}

} // namespace shardwise
