// Checks of new rows that shards cannot make: WITH CHECK OPTION and policies with subqueries.
#include "pg/query_tree.hpp"
#include "pg/triggers.hpp"
#include "pg/versions.hpp"
#include "planner/changes.hpp"
#include "planner/kept_target.hpp"
#include "planner/modify_maker.hpp"
#include "planner/write_tiers.hpp"

extern "C" {
#include "catalog/pg_operator.h"
#include "catalog/pg_trigger.h"
#include "nodes/bitmapset.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
}

namespace shardwise
{

namespace
{

// Entries of the query that makes the checks.
constexpr int row_varno = 1;

bool is_movable(const Query *query, const WithCheckOption *check)
{
    if (query->commandType == CMD_UPDATE)
        return check->kind == WCO_RLS_UPDATE_CHECK || check->kind == WCO_VIEW_CHECK;
    if (query->commandType != CMD_INSERT)
        return false;
    // What ON CONFLICT does not insert is not seen by the view's check.
    return check->kind == WCO_RLS_INSERT_CHECK ||
           (check->kind == WCO_VIEW_CHECK && query->onConflict == nullptr);
}

// ---- the new row -------------------------------------------------------------------------------

Expr *column_of_source(const Maker *maker, int column)
{
    Node *expr = (Node *)((TargetEntry *)list_nth(maker->write.source.columns, column))->expr;
    return (Expr *)makeVar(row_varno, column + 1, exprType(expr), exprTypmod(expr),
                           exprCollation(expr), 0);
}

// The columns that are stored as they are given, over the source's.
List *given_columns(Maker *maker, List *assignments)
{
    List *row = NIL;
    TupleDesc columns = RelationGetDescr(maker->relation);
    for (AttrNumber attribute = 1; attribute <= columns->natts; attribute++) {
        Form_pg_attribute column = TupleDescAttr(columns, attribute - 1);
        if (column->attisdropped || column->attgenerated != '\0')
            continue;
        Expr *value = nullptr;
        ListCell *cell;
        foreach (cell, assignments)
            if (((Assignment *)lfirst(cell))->attribute == attribute)
                value = column_of_source(maker, ((Assignment *)lfirst(cell))->column);
        if (value == nullptr && maker->plan->command == CMD_UPDATE)
            value =
                column_of_source(maker, add_column(maker, (Expr *)target_var(maker, attribute)));
        if (value == nullptr)
            value =
                (Expr *)makeNullConst(column->atttypid, column->atttypmod, column->attcollation);
        row = lappend(row, makeTargetEntry(value, attribute, nullptr, false));
    }
    return row;
}

Node *over_row(const Maker *maker, List *row, Node *expr)
{
    RangeTblEntry *target = rt_fetch(maker->write.target, maker->write.query->rtable);
    bool has_links = true;
    return ReplaceVarsFromTargetList(expr, maker->write.target, 0, target, row,
                                     REPLACEVARS_SUBSTITUTE_NULL, 0, &has_links);
}

int compare_columns(const ListCell *a, const ListCell *b)
{
    return ((TargetEntry *)lfirst(a))->resno - ((TargetEntry *)lfirst(b))->resno;
}

List *all_columns(Maker *maker, List *assignments)
{
    List *row = given_columns(maker, assignments);
    RangeTblEntry *target = rt_fetch(maker->write.target, maker->write.query->rtable);
    row = list_concat(row, generated_columns(maker->relation, target, row));
    list_sort(row, compare_columns);
    return row;
}

bool sets_several(const Query *query)
{
    ListCell *cell;
    foreach (cell, query->targetList) // SET (a, b) = (SELECT ...)
        if (((TargetEntry *)lfirst(cell))->resjunk &&
            IsA(((TargetEntry *)lfirst(cell))->expr, SubLink))
            return true;
    return false;
}

// ---- the action --------------------------------------------------------------------------------

int count_met_checks(const Maker *maker)
{
    return maker->conflict != nullptr ? list_length(maker->conflict->met_checks) : 0;
}

// The number of the first check that the row fails, negative; else that of its action.
Expr *number_checked_action(const Maker *maker, List *row)
{
    int column = maker->plan->action_column;
    Expr *action = column < 0 ? make_int4(1) : column_of_source(maker, column);
    Expr *number = action;
    for (int i = list_length(maker->checks) - 1; i >= 0; i--) {
        WithCheckOption *check = (WithCheckOption *)list_nth(maker->checks, i);
        Node *qual = over_row(maker, row, copy_node(check->qual));
        number = make_case(qual, number, make_int4(-i - 1 - count_met_checks(maker)));
    }
    if (column < 0)
        return number;
    // A row that is not to be changed need not be right.
    Expr *none = make_opclause(Int4LessOperator, BOOLOID, false, copy_node(action), make_int4(1),
                               InvalidOid, InvalidOid);
    set_opfuncid((OpExpr *)none);
    return make_case((Node *)none, copy_node(action), number);
}

} // namespace

bool uses_system_columns(const WithCheckOption *check, int target)
{
    ListCell *cell;
    foreach (cell, pull_vars_of_level(check->qual, 0)) {
        const Var *var = (Var *)lfirst(cell);
        if (var->varno == target && var->varattno < 0)
            return true;
    }
    return false;
}

bool reads_shards(const WithCheckOption *check)
{
    if (check->qual == nullptr || !checkExprHasSubLink(check->qual))
        return false;
    Query *holder = makeNode(Query);
    holder->commandType = CMD_SELECT;
    holder->jointree = makeFromExpr(NIL, check->qual);
    return reads_elsewhere(holder);
}

bool can_check_early(const Query *write, const WithCheckOption *check)
{
    const RangeTblEntry *target = rt_fetch(write->resultRelation, write->rtable);
    int16 events = write->commandType == CMD_INSERT ? TRIGGER_TYPE_INSERT : TRIGGER_TYPE_UPDATE;
    if (target->relkind == RELKIND_PARTITIONED_TABLE) // other partitions insert rows that move
        events |= TRIGGER_TYPE_INSERT;
    return is_movable(write, check) && find_kept_target(write) == nullptr && !sets_several(write) &&
           !uses_system_columns(check, write->resultRelation) &&
           !has_before_row_trigger(target->relid, events);
}

List *without_conditions(Oid relid, List *checks)
{
    Const *table =
        makeConst(OIDOID, -1, InvalidOid, sizeof(Oid), ObjectIdGetDatum(relid), false, true);
    List *bare = NIL;
    ListCell *cell;
    foreach (cell, checks) {
        WithCheckOption *check = copy_node((WithCheckOption *)lfirst(cell));
        check->qual = (Node *)table;
        bare = lappend(bare, check);
    }
    return bare;
}

void take_router_checks(Maker *maker)
{
    Query *query = maker->write.query;
    List *policies = NIL;
    List *views = NIL;
    List *others = NIL;
    bool is_needed = false;
    ListCell *cell;
    foreach (cell, query->withCheckOptions) {
        WithCheckOption *check = (WithCheckOption *)lfirst(cell);
        bool moves = is_movable(query, check);
        if (moves && !can_check_early(query, check))
            return;
        is_needed |= moves && reads_shards(check);
        List **kept = !moves ? &others : check->kind == WCO_VIEW_CHECK ? &views : &policies;
        if (!moves || check->qual != nullptr)
            *kept = lappend(*kept, check);
    }
    if (!is_needed)
        return;
    maker->checks = list_concat(policies, views);
    query->withCheckOptions = others;
}

void make_router_checks(Maker *maker, List *assignments)
{
    if (maker->checks == NIL)
        return;
    List *row = all_columns(maker, assignments);
    List **columns = &maker->checked;
    ListCell *cell;
    foreach (cell, maker->write.source.columns) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        *columns = lappend(*columns, makeTargetEntry(column_of_source(maker, entry->resno - 1),
                                                     entry->resno, entry->resname, false));
    }
    foreach (cell, row) {
        Expr *value = ((TargetEntry *)lfirst(cell))->expr;
        int column = IsA(value, Var) ? ((Var *)value)->varattno - 1 : list_length(*columns);
        if (column == list_length(*columns))
            *columns = lappend(*columns, makeTargetEntry((Expr *)copy_node((Node *)value),
                                                         column + 1, pstrdup("value"), false));
        maker->plan->new_row = lappend_int(maker->plan->new_row, column);
    }
    Expr *action = number_checked_action(maker, row);
    maker->plan->checks = list_concat(
        maker->plan->checks, without_conditions(RelationGetRelid(maker->relation), maker->checks));
    maker->plan->action_column = list_length(*columns);
    *columns = lappend(
        *columns, makeTargetEntry(action, list_length(*columns) + 1, pstrdup("action"), false));
}

Query *put_router_checks_above(const Maker *maker, Query *source)
{
    if (maker->checks == NIL)
        return source;
    Query holder = {};
    (void)replace_insert_source(&holder, source);
    RangeTblEntry *rows = (RangeTblEntry *)linitial(holder.rtable);
    List *ctes = source->cteList;
    bool is_recursive = source->hasRecursive;
    Query *select = make_select_from(rows, nullptr);
    select->targetList = maker->checked;
    select->hasSubLinks = true;
    select->hasRowSecurity = source->hasRowSecurity;
    select->canSetTag = source->canSetTag;
    select->queryId = source->queryId;
    select->cteList = ctes;
    select->hasRecursive = is_recursive;
    source->cteList = NIL;
    source->hasRecursive = false;
    raise_cte_references(source);
    return select;
}

} // namespace shardwise
