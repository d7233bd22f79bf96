// MERGE: the target as a part of the join, whose rows tell where they are.
#include "planner/locked_rows.hpp"
#include "planner/modify_maker.hpp"

#include "pg/query_tree.hpp"

extern "C" {
#include "access/sysattr.h"
#include "nodes/makefuncs.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
}

namespace shardwise
{

namespace
{

int place_attribute(const Maker *maker, PlaceColumn column)
{
    return RelationGetDescr(maker->relation)->natts + column;
}

// ---- the target --------------------------------------------------------------------------------

Var *inner_var(Var *var)
{
    var->varno = (int)(var->varnosyn = 1);
    return var;
}

// ---- whole rows and system columns of the target -----------------------------------------------

struct HiddenColumns {
    Maker *maker;
    int depth; // queries entered
};

// Makes them columns of the target's subquery, behind the places.
bool show_hidden_columns(Node *node, void *context)
{
    HiddenColumns *hidden = (HiddenColumns *)context;
    Maker *maker = hidden->maker;
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        hidden->depth++;
        (void)query_tree_walker((Query *)node, (bool (*)())show_hidden_columns, context, 0);
        hidden->depth--;
        return false;
    }
    if (!IsA(node, Var))
        return expression_tree_walker(node, (bool (*)())show_hidden_columns, context);
    Var *var = (Var *)node;
    if (var->varno != maker->write.target || (int)var->varlevelsup != hidden->depth ||
        var->varattno > 0)
        return false;
    Var *shown = copy_node(var);
    shown->varlevelsup = 0;
    shown->varattnosyn = shown->varattno;
    shown->location = -1;
    maker->hidden = list_append_unique(maker->hidden, shown);
    int number = 0;
    ListCell *cell;
    foreach (cell, maker->hidden)
        if (equal(lfirst(cell), shown))
            number = foreach_current_index(cell) + 1;
    var->varattno = var->varattnosyn = place_attribute(maker, place_table) + number;
    return false;
}

// ---- known keys --------------------------------------------------------------------------------

// The values that a column of an entry can have, if the entry is a list of rows; NIL if it is not.
List *values_of(RangeTblEntry *rte, int column)
{
    List *values = NIL;
    ListCell *cell;
    if (rte->rtekind == RTE_VALUES) {
        foreach (cell, rte->values_lists)
            values = lappend(values, list_nth((List *)lfirst(cell), column - 1));
        return values;
    }
    if (rte->rtekind != RTE_SUBQUERY || rte->subquery->setOperations != nullptr ||
        rte->subquery->commandType != CMD_SELECT || rte->subquery->hasAggs ||
        column > list_length(rte->subquery->targetList))
        return NIL;
    Node *expr = (Node *)((TargetEntry *)list_nth(rte->subquery->targetList, column - 1))->expr;
    if (rte->subquery->jointree->fromlist == NIL)
        return list_make1(expr);
    if (!IsA(expr, Var) || ((Var *)expr)->varlevelsup > 0 || ((Var *)expr)->varattno <= 0)
        return NIL;
    return values_of(rt_fetch(((Var *)expr)->varno, rte->subquery->rtable),
                     ((Var *)expr)->varattno);
}

bool is_constant(Node *expr)
{
    return IsA(expr, Const) || (IsA(expr, Param) && ((Param *)expr)->paramkind == PARAM_EXTERN);
}

// target.column = source.column, with a source of a few known rows: only these rows of the target
// matter, which finds their shards and an index.
Node *restrict_target(Maker *maker, Node *clause)
{
    constexpr int most_values = 1000;
    OpExpr *equality = (OpExpr *)clause;
    if (!IsA(clause, OpExpr) || list_length(equality->args) != 2)
        return nullptr;
    Var *left = (Var *)linitial(equality->args);
    Var *right = (Var *)lsecond(equality->args);
    Oid operator_id = equality->opno;
    if (!IsA(left, Var) || !IsA(right, Var) || left->varlevelsup > 0 || right->varlevelsup > 0)
        return nullptr;
    if (left->varno != maker->write.target) {
        std::swap(left, right);
        operator_id = get_commutator(operator_id);
    }
    if (left->varno != maker->write.target || right->varno == maker->write.target ||
        left->varattno <= 0 || right->varattno <= 0 || !OidIsValid(operator_id) ||
        !op_mergejoinable(operator_id, left->vartype))
        return nullptr;
    List *values = values_of(rt_fetch(right->varno, maker->write.query->rtable), right->varattno);
    ListCell *cell;
    foreach (cell, values)
        if (!is_constant((Node *)lfirst(cell)) || exprType((Node *)lfirst(cell)) != right->vartype)
            return nullptr;
    if (values == NIL || list_length(values) > most_values ||
        !OidIsValid(get_array_type(right->vartype)))
        return nullptr;

    Expr *array = make_array(right->vartype, right->varcollid, copy_node(values));
    return (Node *)make_any(operator_id, (Expr *)inner_var(copy_node(left)), array,
                            equality->inputcollid);
}

List *restrictions_of_target(Maker *maker, Node *condition)
{
    List *clauses = NIL;
    List *parts = condition == nullptr      ? NIL
                  : is_andclause(condition) ? ((BoolExpr *)condition)->args
                                            : list_make1(condition);
    ListCell *cell;
    foreach (cell, parts) {
        Node *clause = restrict_target(maker, (Node *)lfirst(cell));
        if (clause != nullptr)
            clauses = lappend(clauses, clause);
    }
    return clauses;
}

} // namespace

Var *place_var(const Maker *maker, PlaceColumn column)
{
    return makeVar(maker->write.target, place_attribute(maker, column),
                   column == place_tuple ? TIDOID : CIDOID, -1, InvalidOid, 0);
}

void show_hidden_columns_of(Maker *maker)
{
    Query *merge = maker->write.query;
    HiddenColumns hidden = {maker, 0};
    ListCell *cell;
    if (maker->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE) {
        maker->partition = partition_var(maker);
        show_hidden_columns((Node *)maker->partition, &hidden);
    }
    show_hidden_columns((Node *)merge->jointree, &hidden);
    show_hidden_columns((Node *)merge->targetList, &hidden);
    foreach (cell, merge->mergeActionList) {
        MergeAction *action = (MergeAction *)lfirst(cell);
        show_hidden_columns(action->qual, &hidden);
        show_hidden_columns((Node *)action->targetList, &hidden);
    }
    foreach (cell, merge->withCheckOptions) {
        WithCheckOption *check = (WithCheckOption *)lfirst(cell);
        if (check->kind == WCO_RLS_MERGE_UPDATE_CHECK || check->kind == WCO_RLS_MERGE_DELETE_CHECK)
            show_hidden_columns(check->qual, &hidden);
    }
}

Query *select_target_rows(Maker *maker, RangeTblEntry *target, List *quals)
{
    RangeTblEntry *inner = copy_node(target);
    inner->inFromCl = true;
    inner->alias = nullptr;
    ChangeVarNodes((Node *)inner->securityQuals, maker->write.target, 1, 0);
    if (maker->strength != LCS_NONE)
        mark_target(inner, maker->strength);
    Query *select = make_select_from(inner, make_conjunction(quals));
    TupleDesc columns = RelationGetDescr(maker->relation);
    for (int i = 0; i < columns->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(columns, i);
        if (column->attisdropped)
            add_output(select, (Expr *)makeNullConst(INT4OID, -1, InvalidOid),
                       psprintf("dropped %d", i + 1));
        else
            add_output(select, (Expr *)inner_var(target_var(maker, i + 1)),
                       NameStr(column->attname));
    }
    bool has_place = maker->strength != LCS_NONE;
    bool has_table = has_place && maker->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
    Expr *unknown = (Expr *)makeNullConst(CIDOID, -1, InvalidOid);
    add_output(select, has_place ? (Expr *)inner_var(target_var(maker, shard_attribute)) : unknown,
               "place 1");
    add_output(select, (Expr *)inner_var(target_var(maker, SelfItemPointerAttributeNumber)),
               "place 2");
    add_output(select,
               has_table ? (Expr *)inner_var(target_var(maker, remote_table_attribute)) : unknown,
               "place 3");
    ListCell *cell;
    foreach (cell, maker->hidden)
        add_output(select, (Expr *)inner_var((Var *)copy_node((Node *)lfirst(cell))),
                   psprintf("hidden %d", foreach_current_index(cell) + 1));
    return select;
}

Query *select_merge_target(Maker *maker, RangeTblEntry *target, Node *condition)
{
    return select_target_rows(maker, target, restrictions_of_target(maker, condition));
}

} // namespace shardwise
