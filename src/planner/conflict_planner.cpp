#include "planner/conflict_planner.hpp"

#include "pg/query_tree.hpp"
#include "pg/triggers.hpp"
#include "pg/versions.hpp"
#include "planner/arbiter.hpp"
#include "planner/changes.hpp"
#include "planner/conflict_nothing.hpp"
#include "planner/conflict_set.hpp"
#include "planner/conflict_update.hpp"
#include "planner/late_checks.hpp"
#include "planner/modify_maker.hpp"
#include "planner/modify_planner.hpp"
#include "planner/proposed_rows.hpp"
#include "planner/row_checks.hpp"

extern "C" {
#include "access/genam.h"
#include "catalog/pg_trigger.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "parser/parse_oper.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

// Entries of the UPDATE.
constexpr int target_varno = 1;
constexpr int rows_varno = 2;

struct Conflict {
    Query *insert; // the user's; becomes the part that inserts
    Relation relation;
    Relation arbiter;
    List *returning; // the user's
    List *proposed;  // TargetEntry: the columns of the rows that are proposed, their number last
    bool is_fired;   // triggers may change those: the INSERT returns them as they are then
    char *rows_name, *inserted_name;
    ConflictUpdate update; // over the UPDATE's entries
};

// ---- the rows that are proposed ----------------------------------------------------------------

WindowFunc *number_rows(Query *select)
{
    WindowClause *window = makeNode(WindowClause);
    window->frameOptions = FRAMEOPTION_DEFAULTS;
    window->winref = 1;
    select->windowClause = list_make1(window);
    select->hasWindowFuncs = true;
    WindowFunc *number = makeNode(WindowFunc);
    number->winfnoid = F_ROW_NUMBER;
    number->wintype = INT8OID;
    number->winref = 1;
    number->location = -1;
    return number;
}

// SELECT the values of all columns, row_number() OVER () FROM what feeds the INSERT
Query *select_proposed(const Query *insert)
{
    int source = find_insert_source(insert);
    Query *select = makeNode(Query);
    if (source > 0) {
        RangeTblEntry *rte = copy_node(rt_fetch(source, insert->rtable));
        rte->inFromCl = true;
        rte->alias = makeAlias("source", NIL);
        rte->eref->aliasname = pstrdup("source");
        select = make_select_from(rte, nullptr);
    } else {
        select->commandType = CMD_SELECT;
        select->querySource = QSRC_ORIGINAL;
        select->jointree = makeFromExpr(NIL, nullptr);
    }
    ListCell *cell;
    foreach (cell, insert->targetList) {
        Expr *expr = copy_node(((TargetEntry *)lfirst(cell))->expr);
        if (source > 0)
            ChangeVarNodes((Node *)expr, source, 1, 0);
        add_output(select, expr, psprintf("c%d", foreach_current_index(cell) + 1));
    }
    add_output(select, (Expr *)number_rows(select), "number");
    select->cteList = (List *)copy_node((Node *)insert->cteList);
    select->hasRecursive = insert->hasRecursive;
    select->hasSubLinks = insert->hasSubLinks;
    select->hasRowSecurity = insert->hasRowSecurity;
    return select;
}

// ---- the INSERT --------------------------------------------------------------------------------

bool is_of_met_row(const WithCheckOption *check)
{
    return check->kind == WCO_RLS_CONFLICT_CHECK || check->kind == view_conflict_check;
}

// True if a check of what is in the way has to be left to the UPDATE, and so all of them.
bool leaves_met_checks(const Conflict *conflict)
{
    ListCell *cell;
    // Row by row, the INSERT might meet one that it has put in, which is another error.
    if (conflict->is_fired)
        return true;
    const Query *insert = conflict->insert;
    foreach (cell, insert->withCheckOptions)
        if (is_of_met_row((WithCheckOption *)lfirst(cell)) &&
            reads_shards((WithCheckOption *)lfirst(cell)))
            return true;
    return false;
}

// Without the checks of rows that it does not update.
List *drop_update_checks(const Conflict *conflict, const Query *insert)
{
    bool leaves = leaves_met_checks(conflict);
    List *kept = NIL;
    ListCell *cell;
    foreach (cell, insert->withCheckOptions) {
        WithCheckOption *check = (WithCheckOption *)lfirst(cell);
        if (check->kind != WCO_RLS_UPDATE_CHECK && !(leaves && is_of_met_row(check)))
            kept = lappend(kept, check);
    }
    return kept;
}

// It returns, behind what the user wants, by which to know the new rows: those that are proposed,
// if triggers may change them.
Query *make_insert(Conflict *conflict, Refusal *refusal)
{
    Query *insert = copy_node(conflict->insert);
    int source =
        replace_insert_source(insert, select_kept_rows(conflict->proposed, conflict->rows_name));
    point_targets_at(insert, source);
    insert->cteList = NIL;
    insert->hasRecursive = false;
    insert->canSetTag = true;
    insert->withCheckOptions = drop_update_checks(conflict, insert);
    *refusal = update_nothing(insert, conflict->relation);
    if (conflict->is_fired) {
        return_proposed(insert);
        return insert;
    }
    List *key = index_columns(conflict->relation, conflict->arbiter, insert->resultRelation);
    if (Node *predicate = index_predicate(conflict->arbiter, insert->resultRelation))
        key = prepend(predicate, key);
    ListCell *cell;
    foreach (cell, key) {
        int number = list_length(insert->returningList) + 1;
        insert->returningList =
            lappend(insert->returningList,
                    makeTargetEntry((Expr *)lfirst(cell), number, psprintf("r%d", number), false));
    }
    return insert;
}

// ---- the UPDATE --------------------------------------------------------------------------------

// An expression of the INSERT over its target and EXCLUDED, over the UPDATE's entries.
Node *as_in_update(const Conflict *conflict, List *excluded, Node *expr)
{
    const Query *insert = conflict->insert;
    constexpr int distance = rows_varno; // out of the way of the new numbers
    bool has_links = false;
    int target = insert->resultRelation + distance;
    int proposed = insert->onConflict->exclRelIndex + distance;
    expr = copy_node(expr);
    OffsetVarNodes(expr, distance, 0);
    expr = ReplaceVarsFromTargetList(expr, proposed, 0,
                                     rt_fetch(insert->onConflict->exclRelIndex, insert->rtable),
                                     excluded, REPLACEVARS_SUBSTITUTE_NULL, 0, &has_links);
    ChangeVarNodes(expr, target, target_varno, 0);
    return expr;
}

// The columns of EXCLUDED over the rows that are proposed.
List *columns_of_excluded(const Conflict *conflict, Query *insert)
{
    if (conflict->is_fired)
        return proposed_columns(insert, rows_varno);
    List *columns = columns_of_new_row(insert, conflict->relation, find_insert_source(insert));
    ChangeVarNodes((Node *)columns, 1, rows_varno, 0);
    return columns;
}

// The arbiter's columns of the rows that went in, over entry 1, and the conditions of those that it
// holds.
List *inserted_key(const Conflict *conflict, const Query *insert, List **conditions)
{
    List *key = NIL;
    if (conflict->is_fired) {
        int proposed = conflict->insert->onConflict->exclRelIndex;
        List *columns = proposed_columns(insert, 1);
        *conditions = list_make1(was_inserted(insert));
        if (Node *predicate = index_predicate(conflict->arbiter, proposed))
            *conditions = lappend(*conditions, as_in_update(conflict, columns, predicate));
        key = index_columns(conflict->relation, conflict->arbiter, proposed);
        return (List *)as_in_update(conflict, columns, (Node *)key);
    }
    ListCell *cell;
    for_each_from(cell, insert->returningList, list_length(conflict->returning))
    {
        Node *expr = (Node *)((TargetEntry *)lfirst(cell))->expr;
        key = lappend(key, makeVar(1, foreach_current_index(cell) + 1, exprType(expr),
                                   exprTypmod(expr), exprCollation(expr), 0));
    }
    if (RelationGetIndexPredicate(conflict->arbiter) == NIL)
        return key;
    *conditions = list_make1(linitial(key));
    return list_copy_tail(key, 1);
}

// NOT EXISTS (SELECT FROM the rows that went in WHERE they are the row at hand)
Node *was_not_inserted(const Conflict *conflict, const Query *insert, List *key)
{
    Query *select = select_kept_rows(insert->returningList, conflict->inserted_name);
    List *conditions = NIL;
    List *inserted = inserted_key(conflict, insert, &conditions);
    key = (List *)copy_node((Node *)key);
    IncrementVarSublevelsUp((Node *)key, 1, 0);
    select->jointree->quals = make_conjunction(
        lappend(conditions, match_index(conflict->relation, conflict->arbiter, inserted, key)));
    select->targetList = NIL;
    Expr *exists = make_sublink(EXISTS_SUBLINK, select);
    return (Node *)makeBoolExpr(NOT_EXPR, list_make1(exists), -1);
}

// The arbiter's columns of the row that is proposed.
List *proposed_key(const Conflict *conflict, List *excluded)
{
    int proposed = conflict->insert->onConflict->exclRelIndex;
    List *key = index_columns(conflict->relation, conflict->arbiter, proposed);
    return (List *)as_in_update(conflict, excluded, (Node *)key);
}

// That no other row of the statement is in the way.
WithCheckOption *check_first_change(const Conflict *conflict, const Query *insert, List *excluded)
{
    WithCheckOption *check = makeNode(WithCheckOption);
    check->kind = second_change_check;
    check->qual = was_not_inserted(conflict, insert, proposed_key(conflict, excluded));
    return check;
}

// The row that is in the way of the one at hand.
Node *is_in_the_way(const Conflict *conflict, const Query *insert, List *excluded)
{
    Relation relation = conflict->relation;
    Relation arbiter = conflict->arbiter;
    int proposed = conflict->insert->onConflict->exclRelIndex;
    List *own = index_columns(relation, arbiter, target_varno);
    List *theirs = proposed_key(conflict, excluded);
    List *conditions = list_make1(match_index(relation, arbiter, own, theirs));
    if (Node *predicate = index_predicate(arbiter, target_varno)) {
        conditions = lappend(conditions, predicate);
        conditions = lappend(conditions,
                             as_in_update(conflict, excluded, index_predicate(arbiter, proposed)));
    }
    if (!conflict->is_fired)
        conditions = lappend(conditions, was_not_inserted(conflict, insert, theirs));
    return make_conjunction(conditions);
}

// In the order in which the rows are proposed: which one comes second matters.
void order_by_number(Query *update, int number)
{
    SortGroupClause *sort = makeNode(SortGroupClause);
    sort->tleSortGroupRef = 1;
    get_sort_group_operators(INT8OID, true, true, false, &sort->sortop, &sort->eqop, nullptr,
                             &sort->hashable);
    Var *var = makeVar(rows_varno, number, INT8OID, -1, InvalidOid, 0);
    TargetEntry *entry =
        makeTargetEntry((Expr *)var, list_length(update->targetList) + 1, nullptr, true);
    entry->ressortgroupref = sort->tleSortGroupRef;
    update->targetList = lappend(update->targetList, entry);
    update->sortClause = list_make1(sort);
}

// How many rows an INSERT proposes; an estimate if a SELECT does.
double estimate_proposed(const Query *insert)
{
    constexpr double of_select = 1000;
    int source = find_insert_source(insert);
    if (source == 0)
        return 1;
    const RangeTblEntry *rte = rt_fetch(source, insert->rtable);
    return rte->rtekind == RTE_VALUES ? list_length(rte->values_lists) : of_select;
}

// The rows that are proposed, their number last. Of those that triggers have seen, what did not go
// in.
RangeTblEntry *make_rows_entry(const Conflict *conflict, const Query *insert)
{
    Query holder = {};
    Query *rows = conflict->is_fired
                      ? select_kept_rows(insert->returningList, conflict->inserted_name)
                      : select_kept_rows(conflict->proposed, conflict->rows_name);
    if (conflict->is_fired) {
        rows->jointree->quals =
            (Node *)makeBoolExpr(NOT_EXPR, list_make1(was_inserted(insert)), -1);
        add_output(rows, (Expr *)number_rows(rows), "number");
    }
    ((RangeTblEntry *)linitial(rows->rtable))->enrtuples = estimate_proposed(conflict->insert);
    (void)replace_insert_source(&holder, rows);
    return (RangeTblEntry *)linitial(holder.rtable);
}

// UPDATE target SET ... FROM the rows that are proposed WHERE it is in the way
Query *make_update(Conflict *conflict, Query *insert)
{
    const Query *user = conflict->insert;
    List *excluded = columns_of_excluded(conflict, insert);
    auto moved = [&](void *node) { return as_in_update(conflict, excluded, (Node *)node); };
    Query *update = makeNode(Query);
    update->commandType = CMD_UPDATE;
    update->querySource = QSRC_ORIGINAL;
    update->canSetTag = true;
    update->hasSubLinks = true;
    update->hasRowSecurity = user->hasRowSecurity;
    update->cteList = (List *)copy_node((Node *)user->cteList);
    update->hasRecursive = user->hasRecursive;
    update->resultRelation = target_varno;
    RangeTblEntry *target = copy_node(rt_fetch(user->resultRelation, user->rtable));
    target->inh = true; // of an INSERT, it is not
    RangeTblEntry *rows = make_rows_entry(conflict, insert);
    update->rtable = list_make2(target, rows);
    update->targetList = (List *)moved(user->onConflict->onConflictSet);
    update->returningList = (List *)moved(conflict->returning);
    if (conflict->is_fired)
        conflict->update.met_checks = list_make1(check_first_change(conflict, insert, excluded));
    ListCell *cell;
    foreach (cell, user->withCheckOptions) {
        WithCheckOption *check = (WithCheckOption *)lfirst(cell);
        if (check->kind == WCO_RLS_UPDATE_CHECK || check->kind == WCO_VIEW_CHECK)
            update->withCheckOptions = lappend(update->withCheckOptions, moved(check));
        else if (is_of_met_row(check) && check->qual != nullptr && leaves_met_checks(conflict))
            conflict->update.met_checks = lappend(conflict->update.met_checks, moved(check));
    }
    List *from = list_make2(make_reference(target_varno), make_reference(rows_varno));
    update->jointree = makeFromExpr(from, is_in_the_way(conflict, insert, excluded));
    if (user->onConflict->onConflictWhere != nullptr)
        conflict->update.condition = moved(user->onConflict->onConflictWhere);
    order_by_number(update, list_length(rows->subquery->targetList));
    return update;
}

bool reads_shards_of_shown(const Query *update)
{
    ListCell *cell;
    foreach (cell, update->withCheckOptions)
        if (reads_shards((WithCheckOption *)lfirst(cell)))
            return true;
    return false;
}

// The columns of the row that is proposed, as a new one.
List *columns_to_insert(const Conflict *conflict, const Query *insert)
{
    List *columns = NIL;
    ListCell *cell;
    if (conflict->is_fired) {
        TupleDesc attributes = RelationGetDescr(conflict->relation);
        foreach (cell, proposed_columns(insert, rows_varno))
            if (TupleDescAttr(attributes, ((TargetEntry *)lfirst(cell))->resno - 1)->attgenerated ==
                '\0')
                columns = lappend(columns, lfirst(cell));
        return columns;
    }
    foreach (cell, conflict->insert->targetList) {
        const TargetEntry *entry = (TargetEntry *)lfirst(cell);
        Node *expr = (Node *)entry->expr;
        Var *var = makeVar(rows_varno, foreach_current_index(cell) + 1, exprType(expr),
                           exprTypmod(expr), exprCollation(expr), 0);
        columns = lappend(columns, makeTargetEntry((Expr *)var, entry->resno, nullptr, false));
    }
    return columns;
}

// The rows that are proposed may have to be inserted in the UPDATE's course.
void insert_after_all(Conflict *conflict, const Query *insert, const Query *update)
{
    const Query *user = conflict->insert;
    if (reads_shards_of_shown(update) ||
        !may_make_room(user, conflict->relation, conflict->arbiter))
        return;
    OnConflictExpr *arbiter = makeNode(OnConflictExpr);
    arbiter->action = ONCONFLICT_NOTHING;
    arbiter->arbiterElems = (List *)copy_node((Node *)user->onConflict->arbiterElems);
    arbiter->arbiterWhere = copy_node(user->onConflict->arbiterWhere);
    arbiter->constraint = user->onConflict->constraint;
    ChangeVarNodes((Node *)arbiter, user->resultRelation, target_varno, 0);
    conflict->update.arbiter = arbiter;
    conflict->update.proposed = columns_to_insert(conflict, insert);
    conflict->update.is_fired = conflict->is_fired;
}

// ---- what the statement returns ----------------------------------------------------------------

// The first columns of kept rows.
RangeTblEntry *make_returned_entry(List *columns, int count, const char *name, Expr *condition)
{
    Query holder = {};
    Query *rows = select_kept_rows(columns, name);
    rows->jointree->quals = (Node *)condition;
    rows->targetList = list_truncate(rows->targetList, count);
    (void)replace_insert_source(&holder, rows);
    return (RangeTblEntry *)linitial(holder.rtable);
}

// The rows of both parts.
Query *select_returned(const Conflict *conflict, const Query *insert, const Query *update,
                       const char *updated_name)
{
    int count = list_length(conflict->returning);
    if (count == 0) {
        Query *nothing = makeNode(Query);
        nothing->commandType = CMD_SELECT;
        nothing->querySource = QSRC_ORIGINAL;
        nothing->jointree = makeFromExpr(NIL, (Node *)makeBoolConst(false, false));
        return nothing;
    }
    Query *both = makeNode(Query);
    SetOperationStmt *all = makeNode(SetOperationStmt);
    all->op = SETOP_UNION;
    all->all = true;
    all->larg = make_reference(1);
    all->rarg = make_reference(2);
    both->commandType = CMD_SELECT;
    both->querySource = QSRC_ORIGINAL;
    both->rtable =
        list_make2(make_returned_entry(insert->returningList, count, conflict->inserted_name,
                                       conflict->is_fired ? was_inserted(insert) : nullptr),
                   make_returned_entry(update->returningList, count, updated_name, nullptr));
    both->jointree = makeFromExpr(NIL, nullptr);
    both->setOperations = (Node *)all;
    ListCell *cell;
    foreach (cell, conflict->returning) {
        const TargetEntry *shown = (TargetEntry *)lfirst(cell);
        Node *expr = (Node *)shown->expr;
        Var *var =
            makeVar(1, shown->resno, exprType(expr), exprTypmod(expr), exprCollation(expr), 0);
        TargetEntry *entry = flatCopyTargetEntry((TargetEntry *)shown);
        entry->expr = (Expr *)var;
        both->targetList = lappend(both->targetList, entry);
        all->colTypes = lappend_oid(all->colTypes, var->vartype);
        all->colTypmods = lappend_int(all->colTypmods, var->vartypmod);
        all->colCollations = lappend_oid(all->colCollations, var->varcollid);
    }
    return both;
}

// ---- assembly ----------------------------------------------------------------------------------

// The rows and the UPDATE both have the statement's WITH.
Refusal find_volatile_cte(const Query *insert)
{
    ListCell *cell;
    foreach (cell, insert->cteList) {
        CommonTableExpr *cte = (CommonTableExpr *)lfirst(cell);
        if (contain_volatile_functions(cte->ctequery))
            return psprintf("Query \"%s\" in WITH would run for each part of the statement.",
                            cte->ctename);
    }
    return nullptr;
}

PlannedStmt *plan_parts(Conflict *conflict, const PlannerCall &call, PlanPart plan_part,
                        Refusal *refusal)
{
    PlannerCall part = call;
    part.cursor_options = 0;
    Query *rows = select_proposed(conflict->insert);
    conflict->proposed = rows->targetList;
    Query *insert = make_insert(conflict, refusal);
    if (*refusal != nullptr)
        return nullptr;
    Query *update = make_update(conflict, insert);
    insert_after_all(conflict, insert, update);
    char *updated_name = name_kept_rows();
    Query *main = select_returned(conflict, insert, update, updated_name);
    stand_for_statement(main, call.query);

    EarlyReads reads = {};
    LateChecks proposed = {};
    LateChecks late = {};
    note_write(&reads, insert);
    if ((*refusal = read_subqueries_early(update, &reads)) != nullptr ||
        (conflict->is_fired && (*refusal = take_proposed_checks(insert, &proposed)) != nullptr) ||
        (*refusal = read_checks_early(proposed.checks, &reads)) != nullptr ||
        (*refusal = take_late_checks(update, &late)) != nullptr)
        return nullptr;
    List *inserted = (List *)copy_node((Node *)insert->returningList);
    List *updated = (List *)copy_node((Node *)update->returningList);
    List *parts = plan_early_reads(call, plan_part, &reads);
    part.query = rows;
    parts = lappend(parts, plan_part(part));
    part.query = insert;
    PlannedStmt *inserting = plan_conflict_insert(part, conflict->is_fired, refusal);
    if (inserting == nullptr)
        return nullptr;
    part.query = update;
    PlannedStmt *updating = plan_conflict_update(part, conflict->update, refusal);
    if (updating == nullptr)
        return nullptr;
    List *names = lappend(reads.names, makeString(conflict->rows_name));
    auto add_part = [&](PlannedStmt *planned, char *name) {
        parts = lappend(parts, planned);
        names = lappend(names, makeString(name));
    };
    auto add_checks = [&](const LateChecks &checks, List *columns, const char *name) {
        if (checks.checks != NIL)
            add_part(plan_late_checks(call, plan_part, checks, columns, name), name_kept_rows());
    };
    add_part(inserting, conflict->inserted_name);
    add_checks(proposed, inserted, conflict->inserted_name);
    add_part(updating, updated_name);
    add_checks(late, updated, updated_name);
    part.query = main;
    PlannedStmt *plan = run_next_planner(part);
    put_parts_below(plan, parts, names);
    plan->commandType = CMD_INSERT;
    plan->hasReturning = conflict->returning != NIL;
    return plan;
}

} // namespace

bool may_run_in_parts(Query *query)
{
    return does_update(query) || (must_fire_first(query) && asks_shards_of_proposed(query));
}

PlannedStmt *plan_conflict(const PlannerCall &call, PlanPart plan_part, Refusal *refusal)
{
    Query *insert = call.query;
    if (insert->onConflict->action == ONCONFLICT_NOTHING)
        return plan_checked_nothing(call, plan_part, refusal);
    Conflict conflict = {};
    conflict.insert = insert;
    conflict.relation = table_open(rt_fetch(insert->resultRelation, insert->rtable)->relid, NoLock);
    conflict.arbiter = index_open(find_arbiter(insert), RowExclusiveLock);
    conflict.returning = insert->returningList;
    conflict.is_fired =
        has_before_row_trigger(RelationGetRelid(conflict.relation), TRIGGER_TYPE_INSERT);
    conflict.rows_name = name_kept_rows();
    conflict.inserted_name = name_kept_rows();
    PlannedStmt *plan = nullptr;
    conflict.update.may_leave_partition =
        may_leave_partition(insert, conflict.relation, conflict.arbiter);
    conflict.update.in_order = order_matters(insert, conflict.relation, conflict.arbiter);
    *refusal = find_volatile_cte(insert);
    if (*refusal == nullptr)
        plan = plan_parts(&conflict, call, plan_part, refusal);
    index_close(conflict.arbiter, NoLock);
    table_close(conflict.relation, NoLock);
    return plan;
}

} // namespace shardwise
