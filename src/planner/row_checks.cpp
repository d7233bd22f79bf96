#include "planner/row_checks.hpp"

#include "pg/query_tree.hpp"
#include "pg/triggers.hpp"
#include "pg/versions.hpp"
#include "planner/changes.hpp"
#include "planner/conflict_update.hpp"

extern "C" {
#include "access/sysattr.h"
#include "catalog/pg_trigger.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

struct Placer {
    Query *query;
    List **kept;            // the checks so far, of all levels
    bool rows_are_locked;   // those that an UPDATE changes
    bool has_before_insert; // on the shard
    bool is_partitioned;
    bool marks_updates; // of ON CONFLICT, in a setting
};

// ---- expressions -------------------------------------------------------------------------------

Expr *make_bool(bool value)
{
    return (Expr *)makeBoolConst(value, false);
}

// The row as PostgreSQL shows it in "Failing row contains": one text a column.
Expr *row_as_text(const Query *query)
{
    Oid relid = rt_fetch(query->resultRelation, query->rtable)->relid;
    return cast_by_text(columns_as_text(relid, query->resultRelation), TEXTOID);
}

// An expression that fails when it is evaluated, and never before: nothing but a volatile function
// keeps the shard's planner from trying. Row-level security must not show the row.
Expr *make_violation(Placer *placer, const WithCheckOption *check)
{
    int number = list_length(*placer->kept);
    WithCheckOption *bare = copy_node(check);
    // All that is left to tell: whose row may be shown.
    const RangeTblEntry *target = rt_fetch(placer->query->resultRelation, placer->query->rtable);
    bare->qual = (Node *)makeConst(OIDOID, -1, InvalidOid, sizeof(Oid),
                                   ObjectIdGetDatum(target->relid), false, true);
    *placer->kept = lappend(*placer->kept, bare);

    Expr *message = make_text(psprintf("%s%d ", row_check_marker, number));
    if (check->kind == WCO_VIEW_CHECK)
        message = make_call(F_TEXTCAT, TEXTOID, list_make2(message, row_as_text(placer->query)));
    Expr *moment = cast_by_text(make_call(F_CLOCK_TIMESTAMP, TIMESTAMPTZOID, NIL), TEXTOID);
    Expr *nothing = make_call(F_LEFT, TEXTOID, list_make2(moment, make_int4(0)));
    return cast_by_text(make_call(F_TEXTCAT, TEXTOID, list_make2(message, nothing)), BOOLOID);
}

// ---- inserted and updated rows of a partitioned table ------------------------------------------

// Rows of a partition do not show xmax, so the statement leaves a mark in a setting of its own:
// each row of the source wipes it, and each row in the way that is to be updated sets it.
constexpr const char *mark_setting = "shardwise_row.is_updated";

// set_config(mark_setting, value, true) = value, which is true.
Expr *set_mark(const char *value)
{
    Expr *call = make_call(F_SET_CONFIG, TEXTOID,
                           list_make3(make_text(mark_setting), make_text(value), make_bool(true)));
    return make_call(F_TEXTEQ, BOOLOID, list_make2(call, make_text(value)));
}

Expr *has_no_mark()
{
    Expr *call = make_call(F_CURRENT_SETTING_TEXT_BOOL, TEXTOID,
                           list_make2(make_text(mark_setting), make_bool(true)));
    return make_call(F_TEXTNE, BOOLOID, list_make2(call, make_text("yes")));
}

// ---- before the row goes in --------------------------------------------------------------------

// The entry that feeds the INSERT; a single row becomes a VALUES list. Returns its number.
int make_source(Query *query)
{
    if (find_insert_source(query) > 0)
        return find_insert_source(query);
    ListCell *cell;
    RangeTblEntry *values = makeNode(RangeTblEntry);
    List *row = NIL;
    values->rtekind = RTE_VALUES;
    values->inFromCl = true;
    values->eref = makeAlias("*VALUES*", NIL);
    int varno = list_length(query->rtable) + 1;
    foreach (cell, query->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        Node *expr = (Node *)entry->expr;
        row = lappend(row, expr);
        values->coltypes = lappend_oid(values->coltypes, exprType(expr));
        values->coltypmods = lappend_int(values->coltypmods, exprTypmod(expr));
        values->colcollations = lappend_oid(values->colcollations, exprCollation(expr));
        values->eref->colnames =
            lappend(values->eref->colnames, makeString(psprintf("column%d", list_length(row))));
        entry->expr = (Expr *)makeVar(varno, list_length(row), exprType(expr), exprTypmod(expr),
                                      exprCollation(expr), 0);
    }
    values->values_lists = list_make1(row);
    query->rtable = lappend(query->rtable, values);
    query->jointree->fromlist = lappend(query->jointree->fromlist, make_reference(varno));
    return varno;
}

// Puts a SELECT around the INSERT's source whose WHERE clause is the condition on the new row. With
// `one_by_one` it is evaluated when the row before has been written: not below a sort or a join.
void filter_source(Query *query, Node *condition, bool one_by_one)
{
    int source = make_source(query);
    RangeTblEntry *rte = rt_fetch(source, query->rtable);
    RangeTblEntry *inner = copy_node(rte);
    RangeTblEntry *target = rt_fetch(query->resultRelation, query->rtable);
    IncrementVarSublevelsUp((Node *)inner->subquery, 1, 1);
    IncrementVarSublevelsUp((Node *)inner->values_lists, 1, 0);
    if (one_by_one && inner->rtekind == RTE_SUBQUERY && inner->subquery->limitOffset == nullptr)
        inner->subquery->limitOffset = (Node *)make_int8(0);
    inner->inFromCl = true;
    inner->eref->aliasname = pstrdup("source");
    inner->alias = copy_node(inner->eref); // SQL wants one

    Relation relation = table_open(target->relid, AccessShareLock);
    condition = ReplaceVarsFromTargetList(condition, query->resultRelation, 0, target,
                                          columns_of_new_row(query, relation, source),
                                          REPLACEVARS_SUBSTITUTE_NULL, 0, nullptr);
    table_close(relation, NoLock);

    Query *filter = make_select_from(inner, condition);
    filter->hasSubLinks =
        checkExprHasSubLink((Node *)inner->values_lists) || checkExprHasSubLink(condition);
    // Columns named like those of VALUES would make the deparser take this for VALUES alone.
    ListCell *cell;
    rte->eref->colnames = NIL;
    foreach (cell, query->targetList) {
        Var *var = copy_node((Var *)((TargetEntry *)lfirst(cell))->expr);
        int number = foreach_current_index(cell) + 1;
        var->varno = var->varnosyn = 1;
        char *name = psprintf("value%d", number);
        filter->targetList =
            lappend(filter->targetList, makeTargetEntry((Expr *)var, number, name, false));
        rte->eref->colnames = lappend(rte->eref->colnames, makeString(pstrdup(name)));
    }
    rte->rtekind = RTE_SUBQUERY;
    rte->subquery = filter;
    rte->values_lists = rte->coltypes = rte->coltypmods = rte->colcollations = NIL;
}

// PostgreSQL checks a new row before constraints and conflicts are looked at.
void check_before_insert(Placer *placer, List *checks)
{
    Expr *condition = placer->marks_updates ? set_mark("no") : make_bool(true);
    for (int i = list_length(checks) - 1; i >= 0; i--) {
        WithCheckOption *check = (WithCheckOption *)list_nth(checks, i);
        condition = make_case(check->qual, condition, make_violation(placer, check));
    }
    filter_source(placer->query, (Node *)condition, placer->marks_updates);
}

// ---- before the row is updated -----------------------------------------------------------------

// The columns of an UPDATE's new row; NIL where they are not known, or cannot be computed twice.
List *columns_of_updated_row(Query *query, Relation relation)
{
    if (contain_volatile_functions((Node *)query->targetList) ||
        checkExprHasSubLink((Node *)query->targetList))
        return NIL;
    List *columns = NIL;
    TupleDesc attributes = RelationGetDescr(relation);
    for (AttrNumber number = 1; number <= attributes->natts; number++) {
        Form_pg_attribute column = TupleDescAttr(attributes, number - 1);
        TargetEntry *entry = get_tle_by_resno(query->targetList, number);
        if (column->attisdropped || column->attgenerated != '\0')
            continue;
        if (entry != nullptr && (IsA(entry->expr, FieldStore) || IsA(entry->expr, SubscriptingRef)))
            return NIL; // assigns a part of the column
        Expr *value = entry != nullptr
                          ? (Expr *)copyObjectImpl(entry->expr)
                          : (Expr *)makeVar(query->resultRelation, number, column->atttypid,
                                            column->atttypmod, column->attcollation, 0);
        columns = lappend(columns, makeTargetEntry(value, number, nullptr, false));
    }
    RangeTblEntry *target = rt_fetch(query->resultRelation, query->rtable);
    return list_concat(columns, generated_columns(relation, target, columns));
}

// What decides that a row is updated; *known is false where that is not in one place.
Node *update_condition(const Query *query, bool *known)
{
    const RangeTblEntry *target = rt_fetch(query->resultRelation, query->rtable);
    List *clauses = list_copy(target->securityQuals);
    ListCell *cell;
    if (query->jointree->quals != nullptr)
        clauses = lappend(clauses, query->jointree->quals);
    Node *condition = make_conjunction((List *)copyObjectImpl(clauses));
    Bitmapset *used = pull_varnos(nullptr, condition);
    *known = !contain_volatile_functions(condition) && !checkExprHasSubLink(condition);
    foreach (cell, query->jointree->fromlist)
        *known &= IsA(lfirst(cell), RangeTblRef) &&
                  (((RangeTblRef *)lfirst(cell))->rtindex == query->resultRelation ||
                   bms_is_member(((RangeTblRef *)lfirst(cell))->rtindex, used));
    return condition;
}

// PostgreSQL checks a new row before constraints and other unique indexes are looked at: a
// condition does that which is no other than true for rows that are updated. False where there can
// be none; of rows that others may still change, where a check asks for the old row, which may then
// be another.
bool check_before_update(Placer *placer, List *checks)
{
    Query *query = placer->query;
    int target = query->resultRelation;
    RangeTblEntry *entry = rt_fetch(target, query->rtable);
    bool known;
    Node *updated = update_condition(query, &known);
    bool may_be_inserted = placer->is_partitioned && placer->has_before_insert; // elsewhere
    if (!known || may_be_inserted || has_before_row_trigger(entry->relid, TRIGGER_TYPE_UPDATE))
        return false;
    Relation relation = table_open(entry->relid, AccessShareLock);
    List *columns = columns_of_updated_row(query, relation);
    table_close(relation, NoLock);
    if (columns == NIL)
        return false;
    List *conditions = NIL;
    ListCell *cell;
    foreach (cell, checks) {
        bool has_links = query->hasSubLinks;
        conditions = lappend(
            conditions, ReplaceVarsFromTargetList(
                            (Node *)copyObjectImpl(((WithCheckOption *)lfirst(cell))->qual), target,
                            0, entry, columns, REPLACEVARS_CHANGE_VARNO, target, &has_links));
    }
    if (!placer->rows_are_locked && bms_is_member(target, pull_varnos(nullptr, (Node *)conditions)))
        return false;
    Expr *condition = make_bool(true);
    for (int i = list_length(checks) - 1; i >= 0; i--)
        condition = make_case((Node *)list_nth(conditions, i), condition,
                              make_violation(placer, (WithCheckOption *)list_nth(checks, i)));
    if (updated != nullptr)
        condition = make_case(updated, condition, make_bool(false));
    query->jointree->quals = make_conjunction(query->jointree->quals != nullptr
                                                  ? list_make2(query->jointree->quals, condition)
                                                  : list_make1(condition));
    return true;
}

// ---- ON CONFLICT DO UPDATE ---------------------------------------------------------------------

// The row that is there is checked before WHERE. `proposed` are the checks of the new row that
// could not be made earlier.
void check_conflict(Placer *placer, List *existing, List *proposed)
{
    OnConflictExpr *conflict = placer->query->onConflict;
    Expr *condition = placer->marks_updates ? set_mark("yes") : make_bool(true);
    if (conflict->onConflictWhere != nullptr)
        condition = make_case(conflict->onConflictWhere, condition, make_bool(false));
    for (int i = list_length(existing) - 1; i >= 0; i--) {
        WithCheckOption *check = (WithCheckOption *)list_nth(existing, i);
        condition = make_case(check->qual, condition, make_violation(placer, check));
    }
    for (int i = list_length(proposed) - 1; i >= 0; i--) {
        WithCheckOption *check = (WithCheckOption *)list_nth(proposed, i);
        Node *qual = copy_node(check->qual);
        ChangeVarNodes(qual, placer->query->resultRelation, conflict->exclRelIndex, 0);
        condition = make_case(qual, condition, make_violation(placer, check));
    }
    conflict->onConflictWhere = (Node *)condition;
}

// ---- after the row went in ---------------------------------------------------------------------

// True for a row that ON CONFLICT DO UPDATE did not find: an updated one bears the mark of the lock
// under which it was.
Expr *was_inserted(const Placer *placer)
{
    const Query *query = placer->query;
    if (placer->marks_updates)
        return has_no_mark();
    Var *xmax =
        makeVar(query->resultRelation, MaxTransactionIdAttributeNumber, XIDOID, -1, InvalidOid, 0);
    return make_call(F_XIDEQINT4, BOOLOID, list_make2(xmax, make_int4(0)));
}

// Adds a column to RETURNING, which is never other than true.
void check_after(Placer *placer, WithCheckOption *check)
{
    Query *query = placer->query;
    Expr *column = make_case(check->qual, make_bool(true), make_violation(placer, check));
    if (does_update(query) && (placer->marks_updates || !placer->is_partitioned)) {
        if (check->kind == WCO_RLS_INSERT_CHECK)
            column = make_case((Node *)was_inserted(placer), column, make_bool(true));
        else if (check->kind == WCO_RLS_UPDATE_CHECK)
            column = make_case((Node *)was_inserted(placer), make_bool(true), column);
    }
    int number = list_length(query->returningList) + 1;
    query->returningList =
        lappend(query->returningList,
                makeTargetEntry(column, number, psprintf("row check %d", number), false));
}

// ---- one statement -----------------------------------------------------------------------------

void examine_target(Placer *placer, bool is_fired)
{
    RangeTblEntry *target = rt_fetch(placer->query->resultRelation, placer->query->rtable);
    placer->is_partitioned = target->relkind == RELKIND_PARTITIONED_TABLE;
    placer->has_before_insert =
        !is_fired && has_before_row_trigger(target->relid, TRIGGER_TYPE_INSERT);
}

bool each_has_equal(List *checks, List *others)
{
    ListCell *cell;
    foreach (cell, checks) {
        bool found = false;
        ListCell *other;
        foreach (other, others)
            found |= equal(((WithCheckOption *)lfirst(cell))->qual,
                           ((WithCheckOption *)lfirst(other))->qual);
        if (!found)
            return false;
    }
    return true;
}

List *checks_of_kind(const Query *query, WCOKind kind)
{
    List *found = NIL;
    ListCell *cell;
    foreach (cell, query->withCheckOptions) {
        WithCheckOption *check = (WithCheckOption *)lfirst(cell);
        if (check->kind == kind && check->qual != nullptr)
            found = lappend(found, check);
    }
    return found;
}

// Where the same is asked of inserted and of updated rows, it does not matter which is which.
bool must_tell_rows_apart(const Placer *placer, List *inserts, List *updates)
{
    return does_update(placer->query) && placer->is_partitioned &&
           !(each_has_equal(updates, inserts) &&
             (!placer->has_before_insert || each_has_equal(inserts, updates)));
}

void place_in_statement(Placer *placer, bool is_fired)
{
    Query *query = placer->query;
    List *inserts = checks_of_kind(query, WCO_RLS_INSERT_CHECK);
    List *conflicts = list_concat(checks_of_kind(query, WCO_RLS_CONFLICT_CHECK),
                                  checks_of_kind(query, view_conflict_check));
    List *updates = checks_of_kind(query, WCO_RLS_UPDATE_CHECK);
    List *views = checks_of_kind(query, WCO_VIEW_CHECK);
    query->withCheckOptions = NIL;
    examine_target(placer, is_fired);

    bool before = !placer->has_before_insert && query->targetList != NIL;
    if (query->commandType == CMD_INSERT && !does_update(query)) {
        inserts = list_concat(inserts, updates); // a row that UPDATE moves
        updates = NIL;
    }
    if (query->commandType == CMD_UPDATE && updates != NIL && check_before_update(placer, updates))
        updates = NIL;
    placer->marks_updates =
        must_tell_rows_apart(placer, inserts, updates) && query->targetList != NIL;
    ListCell *cell;
    if (!before)
        foreach (cell, inserts)
            check_after(placer, (WithCheckOption *)lfirst(cell));
    foreach (cell, updates)
        check_after(placer, (WithCheckOption *)lfirst(cell));
    foreach (cell, views)
        check_after(placer, (WithCheckOption *)lfirst(cell));
    if (does_update(query) && (conflicts != NIL || inserts != NIL || placer->marks_updates))
        check_conflict(placer, conflicts, before ? NIL : inserts);
    if ((before && inserts != NIL) || placer->marks_updates)
        check_before_insert(placer, before ? inserts : NIL);
}

// ---- the parts of a statement ------------------------------------------------------------------

List *parts_of(Query *query)
{
    List *parts = NIL;
    ListCell *cell;
    foreach (cell, query->cteList)
        parts = lappend(parts, ((CommonTableExpr *)lfirst(cell))->ctequery);
    return lappend(parts, query);
}

} // namespace

bool must_fire_first(const Query *query)
{
    if (!does_nothing(query) || checks_of_kind(query, WCO_RLS_INSERT_CHECK) == NIL)
        return false;
    Oid relid = rt_fetch(query->resultRelation, query->rtable)->relid;
    return has_before_row_trigger(relid, TRIGGER_TYPE_INSERT);
}

List *place_row_checks(Query *query, bool is_fired, bool rows_are_locked, char **refusal)
{
    List *kept = NIL;
    ListCell *cell;
    foreach (cell, parts_of(query)) {
        Placer placer = {};
        placer.query = (Query *)lfirst(cell);
        placer.kept = &kept;
        placer.rows_are_locked = rows_are_locked;
        if (placer.query->withCheckOptions == NIL)
            continue;
        if (must_fire_first(placer.query) && !is_fired) {
            *refusal = pstrdup("ON CONFLICT DO NOTHING under row-level security checks rows as "
                               "BEFORE INSERT triggers leave them.");
            return NIL;
        }
        place_in_statement(&placer, is_fired);
    }
    return kept;
}

static Expr *part_of_mark(Param *mark, int number)
{
    return make_call(F_SPLIT_PART, TEXTOID,
                     list_make3(copy_node(mark), make_text("/"), make_int4(number)));
}

void refuse_marked_rows(Query *query, Param *mark, List **checks)
{
    // A row's version tells which transaction wrote it, and by which of its commands.
    int target = query->resultRelation;
    Expr *transaction = cast_by_text(
        (Expr *)makeVar(target, MinTransactionIdAttributeNumber, XIDOID, -1, InvalidOid, 0),
        TEXTOID);
    Expr *command = cast_by_text(
        (Expr *)makeVar(target, MinCommandIdAttributeNumber, CIDOID, -1, InvalidOid, 0), TEXTOID);
    Expr *is_own = make_call(F_TEXTEQ, BOOLOID, list_make2(transaction, part_of_mark(mark, 1)));
    Expr *is_later = make_call(F_INT8GE, BOOLOID,
                               list_make2(cast_by_text((Expr *)copy_node(command), INT8OID),
                                          cast_by_text(part_of_mark(mark, 2), INT8OID)));
    Placer placer = {};
    placer.query = query;
    placer.kept = checks;
    WithCheckOption *check = makeNode(WithCheckOption);
    check->kind = second_change_check;
    OnConflictExpr *conflict = query->onConflict;
    Expr *otherwise =
        conflict->onConflictWhere != nullptr ? (Expr *)conflict->onConflictWhere : make_bool(true);
    conflict->onConflictWhere = (Node *)make_case(make_conjunction(list_make2(is_own, is_later)),
                                                  make_violation(&placer, check), otherwise);

    Expr *parts = make_call(
        F_TEXTCAT, TEXTOID,
        list_make2(copy_node(transaction),
                   make_call(F_TEXTCAT, TEXTOID, list_make2(make_text("/"), copy_node(command)))));
    query->returningList =
        lappend(query->returningList, makeTargetEntry(parts, list_length(query->returningList) + 1,
                                                      pstrdup("row mark"), false));
}

} // namespace shardwise
