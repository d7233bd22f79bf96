#include "planner/row_bound.hpp"

#include "planner/table_size.hpp"

extern "C" {
#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
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

// True if a condition says that the column equals one value.
bool is_pinned(List *conditions, AttrNumber column, Oid family)
{
    ListCell *cell;
    foreach (cell, conditions) {
        const OpExpr *op = (const OpExpr *)lfirst(cell);
        if (compared_column((const Node *)op) == column &&
            get_op_opfamily_strategy(op->opno, family) == BTEqualStrategyNumber)
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

bool is_one_group(const Query *query)
{
    return query->hasAggs && query->groupClause == NIL && query->groupingSets == NIL &&
           !query->hasTargetSRFs;
}

} // namespace

List *conditions_on_table(const Query *query)
{
    if (list_length(query->rtable) != 1 || query->hasTargetSRFs || query->hasSubLinks ||
        query->jointree->quals == nullptr ||
        ((const RangeTblEntry *)linitial(query->rtable))->rtekind != RTE_RELATION)
        return NIL;
    return make_ands_implicit((Expr *)query->jointree->quals);
}

AttrNumber compared_column(const Node *condition)
{
    const OpExpr *op = (const OpExpr *)condition;
    if (!IsA(op, OpExpr) || list_length(op->args) != 2)
        return InvalidAttrNumber;
    for (int side = 0; side < 2; side++) {
        const Node *column = (const Node *)list_nth(op->args, side);
        if (IsA(column, RelabelType))
            column = (const Node *)((const RelabelType *)column)->arg;
        if (IsA(column, Var) && ((const Var *)column)->varlevelsup == 0 &&
            ((const Var *)column)->varattno > 0 &&
            !contain_var_clause((Node *)list_nth(op->args, 1 - side)))
            return ((const Var *)column)->varattno;
    }
    return InvalidAttrNumber;
}

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

bool is_unique_lookup(const Query *query)
{
    List *conditions = conditions_on_table(query);
    if (conditions == NIL)
        return false;
    const RangeTblEntry *rte = (const RangeTblEntry *)linitial(query->rtable);
    if (rte->relkind != RELKIND_RELATION || has_subclass(rte->relid))
        return false;
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

bool yields_handful_of_rows(const Query *query)
{
    return query->commandType == CMD_SELECT && query->setOperations == nullptr &&
           !query->hasModifyingCTE && (is_one_group(query) || has_small_limit(query));
}

static Oid find_locked_table(const Query *query)
{
    bool inserts_only =
        query->commandType == CMD_INSERT &&
        (query->onConflict == nullptr || query->onConflict->action != ONCONFLICT_UPDATE);
    if (query->resultRelation > 0)
        return inserts_only ? InvalidOid : rt_fetch(query->resultRelation, query->rtable)->relid;
    ListCell *cell;
    foreach (cell, query->rowMarks) {
        const RowMarkClause *clause = (const RowMarkClause *)lfirst(cell);
        Oid relid = rt_fetch(clause->rti, query->rtable)->relid;
        if (OidIsValid(relid) && clause->waitPolicy == LockWaitBlock)
            return relid;
    }
    return InvalidOid;
}

Oid find_contended_table(const Query *query)
{
    Oid relid = find_locked_table(query);
    return OidIsValid(relid) && !is_unique_lookup(query) && !is_rare_value_lookup(query)
               ? relid
               : InvalidOid;
}

} // namespace shardwise
