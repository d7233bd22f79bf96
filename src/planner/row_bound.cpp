#include "planner/row_bound.hpp"

extern "C" {
#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/relcache.h"
}

namespace shardwise
{

namespace
{

constexpr double most_bytes = 256 * 1024;

// What statistics know of columns counts; of computed values, the type.
int32 expected_width(const Query *query, const Expr *expr)
{
    if (IsA(expr, Var) && ((const Var *)expr)->varlevelsup == 0 &&
        ((const Var *)expr)->varattno > 0) {
        const Var *var = (const Var *)expr;
        const RangeTblEntry *rte = rt_fetch(var->varno, query->rtable);
        int32 width = rte->rtekind == RTE_RELATION ? get_attavgwidth(rte->relid, var->varattno) : 0;
        if (width > 0)
            return width;
    }
    return get_typavgwidth(exprType((const Node *)expr), exprTypmod((const Node *)expr));
}

bool has_small_limit(const Query *query)
{
    int64 limit = known_limit(query);
    if (limit < 0 || query->limitOption != LIMIT_OPTION_COUNT)
        return false;
    double width = 0;
    ListCell *cell;
    foreach (cell, query->targetList)
        width += expected_width(query, ((TargetEntry *)lfirst(cell))->expr);
    return (double)limit * Max(width, 1) <= most_bytes;
}

bool is_column_of(const Node *node, AttrNumber column)
{
    if (IsA(node, RelabelType))
        node = (const Node *)((const RelabelType *)node)->arg;
    return IsA(node, Var) && ((const Var *)node)->varattno == column &&
           ((const Var *)node)->varlevelsup == 0;
}

// True if a condition says that the column equals one value.
bool is_pinned(List *conditions, AttrNumber column, Oid family)
{
    ListCell *cell;
    foreach (cell, conditions) {
        OpExpr *op = (OpExpr *)lfirst(cell);
        if (!IsA(op, OpExpr) || list_length(op->args) != 2 ||
            get_op_opfamily_strategy(op->opno, family) != BTEqualStrategyNumber)
            continue;
        Node *left = (Node *)linitial(op->args), *right = (Node *)lsecond(op->args);
        if ((is_column_of(left, column) && !contain_var_clause(right)) ||
            (is_column_of(right, column) && !contain_var_clause(left)))
            return true;
    }
    return false;
}

bool is_unique_lookup_by(const Relation index, List *conditions)
{
    Form_pg_index form = index->rd_index;
    if (!form->indisunique || !form->indimmediate || !form->indisvalid ||
        index->rd_rel->relam != BTREE_AM_OID || RelationGetIndexPredicate(index) != NIL)
        return false;
    for (int i = 0; i < form->indnkeyatts; i++)
        if (form->indkey.values[i] <= 0 ||
            !is_pinned(conditions, form->indkey.values[i], index->rd_opfamily[i]))
            return false;
    return true;
}

// One table, a unique key of which has known values.
bool is_unique_lookup(const Query *query)
{
    if (list_length(query->rtable) != 1 || query->hasTargetSRFs || query->hasSubLinks ||
        query->jointree->quals == nullptr)
        return false;
    const RangeTblEntry *rte = (const RangeTblEntry *)linitial(query->rtable);
    if (rte->rtekind != RTE_RELATION || rte->relkind != RELKIND_RELATION ||
        has_subclass(rte->relid))
        return false;
    List *conditions = make_ands_implicit((Expr *)query->jointree->quals);
    Relation table = table_open(rte->relid, AccessShareLock);
    bool found = false;
    ListCell *cell;
    foreach (cell, RelationGetIndexList(table)) {
        Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        found = found || is_unique_lookup_by(index, conditions);
        index_close(index, AccessShareLock);
    }
    table_close(table, NoLock);
    return found;
}

bool is_one_group(const Query *query)
{
    return query->hasAggs && query->groupClause == NIL && query->groupingSets == NIL &&
           !query->hasTargetSRFs;
}

} // namespace

int64 known_limit(const Query *query)
{
    if (query->limitCount == nullptr)
        return -1;
    // The parser leaves the cast to bigint to the planner.
    const Node *limit = eval_const_expressions(nullptr, copy_node(query->limitCount));
    if (!IsA(limit, Const) || ((const Const *)limit)->constisnull)
        return -1;
    return DatumGetInt64(((const Const *)limit)->constvalue);
}

bool yields_handful_of_rows(const Query *query)
{
    return query->commandType == CMD_SELECT && query->setOperations == nullptr &&
           !query->hasModifyingCTE &&
           (is_one_group(query) || has_small_limit(query) || is_unique_lookup(query));
}

} // namespace shardwise
