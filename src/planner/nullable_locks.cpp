#include "planner/nullable_locks.hpp"

#include "pg/versions.hpp"

extern "C" {
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"
#include "optimizer/prep.h"
#include "parser/analyze.h"
}

namespace shardwise
{

namespace
{

bool has_outer_join(const Query *query)
{
    ListCell *cell;
    foreach (cell, query->rtable) {
        const RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (rte->rtekind == RTE_JOIN && IS_OUTER_JOIN(rte->jointype))
            return true;
    }
    return false;
}

// The entries below a join whose columns it may replace by NULLs.
Relids find_nullable(const JoinExpr *join)
{
    Relids nullable = nullptr;
    if (join->jointype == JOIN_LEFT || join->jointype == JOIN_FULL)
        nullable = bms_add_members(nullable, get_relids_in_jointree(join->rarg, false));
    if (join->jointype == JOIN_RIGHT || join->jointype == JOIN_FULL)
        nullable = bms_add_members(nullable, get_relids_in_jointree(join->larg, false));
    return nullable;
}

bool check_walker(Node *node, void *context)
{
    const Query *query = (const Query *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, JoinExpr)) {
        Relids nullable = find_nullable((JoinExpr *)node);
        ListCell *cell;
        foreach (cell, query->rowMarks) {
            const RowMarkClause *clause = (RowMarkClause *)lfirst(cell);
            if (bms_is_member((int)clause->rti, nullable))
                ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                                errmsg("%s cannot be applied to the nullable side of an outer join",
                                       LCS_asString(clause->strength))));
        }
    }
    return expression_tree_walker(node, (bool (*)())check_walker, context);
}

} // namespace

void check_nullable_locks(const Query *query)
{
    if (query->rowMarks == NIL || !has_outer_join(query))
        return;
    Query *reduced = copy_node(query);
    PlannerInfo *root = makeNode(PlannerInfo);
    Node *joins = flatten_join_alias_vars(reduced, (Node *)reduced->jointree);
    reduced->jointree = (FromExpr *)eval_const_expressions(nullptr, joins);
    root->parse = reduced;
    reduce_outer_joins(root);
    check_walker((Node *)reduced->jointree, reduced);
}

} // namespace shardwise
