// MERGE: the deparser cannot print it, so it is always found first and written then. The source
// joins as PostgreSQL's planner would join, an expression tells which action each row gets, and a
// second level computes the values of that action alone.
#include "planner/locked_rows.hpp"
#include "planner/modify_maker.hpp"

#include "pg/query_form.hpp"
#include "pg/query_tree.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "access/sysattr.h"
#include "catalog/pg_operator.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

// ---- the join ----------------------------------------------------------------------------------

// SELECT FROM source [LEFT] JOIN target ON condition, without a target list yet.
Query *join_source(Maker *maker)
{
    const Query *merge = maker->write.query;
    Query *join = copy_node(merge);
    RangeTblEntry *target = rt_fetch(maker->write.target, join->rtable);

    make_select_of_merge(join);
    join->cteList = NIL; // the query around it has them
    join->hasRecursive = false;
    join->targetList = NIL;

    Query *rows = maker->kept != nullptr
                      ? read_kept_target(maker)
                      : select_merge_target(maker, target, merge->jointree->quals);
    lfirst(list_nth_cell(join->rtable, maker->write.target - 1)) =
        make_subquery_entry(rows, "target");

    Node *from = make_join(join, merge_has_unmatched(merge) ? JOIN_LEFT : JOIN_INNER,
                           (Node *)linitial(join->jointree->fromlist),
                           make_reference(maker->write.target), join->jointree->quals);
    join->jointree = makeFromExpr(list_make1(from), nullptr);
    return join;
}

// ---- actions -----------------------------------------------------------------------------------

// The number of an action; that of the first policy which forbids it, negative, for rows that may
// be seen but not changed. PostgreSQL asks the policies of rows that meet the action's conditions.
Expr *number_allowed_action(Maker *maker, CmdType command, int number)
{
    Expr *allowed = make_int4(number);
    WCOKind kind = command == CMD_UPDATE ? WCO_RLS_MERGE_UPDATE_CHECK : WCO_RLS_MERGE_DELETE_CHECK;
    if (command == CMD_INSERT)
        return allowed;
    List *checks = maker->write.query->withCheckOptions;
    for (int i = list_length(checks) - 1; i >= 0; i--) {
        WithCheckOption *check = (WithCheckOption *)list_nth(checks, i);
        if (check->kind != kind || check->qual == nullptr)
            continue;
        WithCheckOption *bare = copy_node(check);
        bare->qual = nullptr;
        maker->plan->checks = lappend(maker->plan->checks, bare);
        allowed = make_case(list_make1(make_when(copy_node(check->qual), allowed)),
                            make_int4(-list_length(maker->plan->checks)));
    }
    return allowed;
}

// The number of the first action whose conditions hold; 0 for none, and for DO NOTHING.
Expr *choose_action(Maker *maker)
{
    List *whens = NIL;
    int number = 0;
    ListCell *cell;
    foreach (cell, maker->write.query->mergeActionList) {
        MergeAction *action = (MergeAction *)lfirst(cell);
        Node *condition = (Node *)make_null_test((Expr *)place_var(maker, place_tuple),
                                                 is_for_matched(action) ? IS_NOT_NULL : IS_NULL);
        if (action->qual != nullptr)
            condition = make_conjunction(list_make2(condition, copy_node((Node *)action->qual)));
        if (action->commandType != CMD_NOTHING)
            number++;
        Expr *chosen = action->commandType == CMD_NOTHING
                           ? make_int4(0)
                           : number_allowed_action(maker, action->commandType, number);
        whens = lappend(whens, make_when(condition, chosen));
    }
    return make_case(whens, make_int4(0));
}

// Where an expression of the user's stands: above the join, whose columns it reads.
struct Lifting {
    Maker *maker;
    int depth;
};

Node *lift_mutator(Node *node, void *context)
{
    Lifting *lifting = (Lifting *)context;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query)) {
        lifting->depth++;
        Node *query =
            (Node *)query_tree_mutator((Query *)node, (Node * (*)()) lift_mutator, context, 0);
        lifting->depth--;
        return query;
    }
    if (!IsA(node, Var) || (int)((Var *)node)->varlevelsup != lifting->depth)
        return expression_tree_mutator(node, (Node * (*)()) lift_mutator, context);
    Var *var = copy_node((Var *)node);
    var->varlevelsup = 0;
    Query *join = lifting->maker->source;
    TargetEntry *found = nullptr;
    ListCell *cell;
    foreach (cell, join->targetList)
        if (equal(((TargetEntry *)lfirst(cell))->expr, var))
            found = (TargetEntry *)lfirst(cell);
    if (found == nullptr) {
        add_output(join, (Expr *)var, psprintf("v%d", list_length(join->targetList) + 1));
        found = (TargetEntry *)llast(join->targetList);
    }
    return (Node *)makeVar(1, found->resno, var->vartype, var->vartypmod, var->varcollid,
                           lifting->depth);
}

Expr *lift(Maker *maker, Expr *expr)
{
    Lifting lifting = {maker, 0};
    return (Expr *)lift_mutator((Node *)expr, &lifting);
}

// The value of an action, computed for the action's rows alone.
Expr *value_of_action(Maker *maker, int number, Expr *expr)
{
    Expr *value = lift(maker, expr);
    if (IsA(value, Const) || IsA(value, Var))
        return value;
    Expr *action = (Expr *)makeVar(1, 1, INT4OID, -1, InvalidOid, 0);
    OpExpr *test = (OpExpr *)make_opclause(Int4EqualOperator, BOOLOID, false, action,
                                           make_int4(number), InvalidOid, InvalidOid);
    set_opfuncid(test);
    Expr *otherwise = (Expr *)makeNullConst(exprType((Node *)value), exprTypmod((Node *)value),
                                            exprCollation((Node *)value));
    return make_case(list_make1(make_when((Node *)test, value)), otherwise);
}

// Gives SET (a, b) = (SELECT ...) a number of its own: each action counts from 1.
bool renumber_assignments(Node *node, void *context)
{
    int first = *(int *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Param) && ((Param *)node)->paramkind == PARAM_MULTIEXPR)
        ((Param *)node)->paramid += first << 16;
    if (IsA(node, SubLink) && ((SubLink *)node)->subLinkType == MULTIEXPR_SUBLINK)
        ((SubLink *)node)->subLinkId += first;
    return expression_tree_walker(node, (bool (*)())renumber_assignments, context);
}

// The SELECTs of such assignments are hidden columns; the values refer to them.
void keep_assignment_sources(Maker *maker, MergeAction *merge)
{
    int first = list_length(maker->junk);
    ListCell *cell;
    renumber_assignments((Node *)merge->targetList, &first);
    foreach (cell, merge->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (entry->resjunk)
            maker->junk = lappend(maker->junk, lift(maker, entry->expr));
    }
}

// INSERT DEFAULT VALUES without any default: NULL in a column, as SQL wants one to be named.
List *assign_null(Maker *maker)
{
    TupleDesc columns = RelationGetDescr(maker->relation);
    for (int i = 0; i < columns->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(columns, i);
        if (!column->attisdropped && column->attgenerated == '\0')
            return list_make1(assign(
                i + 1, add_column(maker, (Expr *)makeNullConst(column->atttypid, column->atttypmod,
                                                               column->attcollation))));
    }
    return NIL;
}

ModifyAction *make_merge_action(Maker *maker, MergeAction *merge, int number)
{
    ModifyAction *action = make_action(merge->commandType);
    List *assignments = NIL;
    ListCell *cell;
    maker->write.check_kind =
        merge->commandType == CMD_INSERT ? WCO_RLS_INSERT_CHECK : WCO_RLS_UPDATE_CHECK;
    if (merge->commandType == CMD_DELETE) {
        action->statement = add_statement(maker, build_batch_delete(&maker->write, false));
        return action;
    }
    keep_assignment_sources(maker, merge);
    foreach (cell, merge->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (entry->resjunk)
            continue;
        assignments = lappend(
            assignments,
            assign(entry->resno, add_column(maker, value_of_action(maker, number, entry->expr))));
    }
    if (merge->commandType == CMD_INSERT) {
        if (assignments == NIL)
            assignments = assign_null(maker);
        set_key(maker, action, assignments);
        action->statement =
            add_statement(maker, build_batch_insert(&maker->write, assignments, true));
    } else {
        make_update_action(maker, action, assignments);
    }
    return action;
}

} // namespace

LockClauseStrength lock_of_merge(Maker *maker)
{
    LockClauseStrength strength = LCS_NONE;
    ListCell *cell;
    foreach (cell, maker->write.query->mergeActionList) {
        MergeAction *action = (MergeAction *)lfirst(cell);
        LockClauseStrength needed = LCS_NONE;
        if (action->commandType == CMD_DELETE)
            needed = LCS_FORUPDATE;
        if (action->commandType == CMD_UPDATE) {
            List *assignments = NIL;
            ListCell *target;
            foreach (target, action->targetList)
                assignments =
                    lappend(assignments, assign(((TargetEntry *)lfirst(target))->resno, 0));
            needed = lock_of_update(maker, assignments);
        }
        strength = std::max(strength, needed);
    }
    return strength;
}

Expr *seen_by_source(Maker *maker, Expr *expr)
{
    return maker->source != nullptr ? lift(maker, expr) : expr;
}

void flatten_merge_actions(Query *merge)
{
    ListCell *cell;
    foreach (cell, merge->mergeActionList) {
        MergeAction *action = (MergeAction *)lfirst(cell);
        action->qual = flatten_join_alias_vars(merge, action->qual);
        action->targetList = (List *)flatten_join_alias_vars(merge, (Node *)action->targetList);
    }
}

List *make_merge(Maker *maker)
{
    Query *merge = maker->write.query;
    List *actions = NIL;
    ListCell *cell;
    flatten_merge_actions(merge);
    if (maker->kept == nullptr)
        show_hidden_columns_of(maker);
    maker->strength = lock_of_merge(maker);
    maker->source = join_source(maker);
    add_output(maker->source, choose_action(maker), "action");
    maker->plan->once = "MERGE";
    if (maker->strength != LCS_NONE) {
        maker->plan->nplace = 2;
        maker->plan->shard_column =
            add_column(maker, lift(maker, (Expr *)place_var(maker, place_shard)));
        int tuple = add_column(maker, lift(maker, (Expr *)place_var(maker, place_tuple)));
        if (!maker->table->is_reference)
            maker->write.identity = list_make1(assign(SelfItemPointerAttributeNumber, tuple));
        // Rows of two partitions may have the same place.
        if (maker->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE) {
            maker->plan->nplace = 3;
            int table = add_column(maker, lift(maker, (Expr *)place_var(maker, place_table)));
            if (!maker->table->is_reference)
                maker->write.identity =
                    lappend(maker->write.identity, assign(TableOidAttributeNumber, table));
        }
        if (maker->table->is_reference)
            identify_copies(maker);
        note_kept_copies(maker);
    }
    maker->plan->action_column =
        add_column(maker, (Expr *)makeVar(1, 1, INT4OID, -1, InvalidOid, 0));

    foreach (cell, merge->mergeActionList) {
        MergeAction *action = (MergeAction *)lfirst(cell);
        if (action->commandType != CMD_NOTHING && maker->write.refusal == nullptr)
            actions = lappend(actions, make_merge_action(maker, action, list_length(actions) + 1));
    }
    return actions;
}

Query *make_merge_source(Maker *maker)
{
    const Query *merge = maker->write.query;
    raise_cte_references(maker->source); // the CTEs are those of the query around it
    Query *select = make_select_from(make_subquery_entry(maker->source, "joined"), nullptr);
    ListCell *cell;
    select->targetList = maker->write.source.columns;
    foreach (cell, maker->junk)
        select->targetList =
            lappend(select->targetList,
                    makeTargetEntry((Expr *)lfirst(cell), list_length(select->targetList) + 1,
                                    nullptr, true));
    select->cteList = merge->cteList;
    select->hasRecursive = merge->hasRecursive;
    select->hasSubLinks = merge->hasSubLinks;
    select->hasRowSecurity = merge->hasRowSecurity;
    return select;
}

} // namespace shardwise
