#include "planner/locked_rows.hpp"

#include "catalog/catalog.hpp"
#include "pg/names.hpp"
#include "pg/query_tree.hpp"
#include "planner/nullable_locks.hpp"
#include "planner/packed_place.hpp"

extern "C" {
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "parser/parse_func.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

bool is_marked(const RangeTblEntry *rte)
{
    return rte->rtekind == RTE_RELATION && rte->enrname != nullptr;
}

namespace
{

// A mark lives in a field that entries of tables do not use, and that is copied with them.
constexpr char lock_mark = 'l';
constexpr char target_mark = 't';
constexpr char place_mark = 'p';
constexpr char compared = 'c'; // behind others

bool is_compared(const RangeTblEntry *rte)
{
    return is_marked(rte) && rte->enrname[3] == compared;
}

void mark(RangeTblEntry *rte, char kind, LockClauseStrength strength, LockWaitPolicy policy)
{
    rte->enrname = psprintf("%c%c%c%s", kind, '0' + (int)strength, '0' + (int)policy,
                            is_compared(rte) ? "c" : "");
}

bool is_marked_target(const RangeTblEntry *rte)
{
    return is_marked(rte) && rte->enrname[0] == target_mark;
}

bool tells_places(const RangeTblEntry *rte)
{
    return is_marked_target(rte) || (is_marked(rte) && rte->enrname[0] == place_mark);
}

bool mark_clauses_walker(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        mark_locking_clauses((Query *)node);
        return false;
    }
    return expression_tree_walker(node, (bool (*)())mark_clauses_walker, nullptr);
}

// ---- in the shard's statement ------------------------------------------------------------------

// The enclosing queries, innermost first.
struct Levels {
    List *queries;
};

Node *replace_places(Node *node, void *context)
{
    Levels *levels = (Levels *)context;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query)) {
        Levels inner = {prepend(node, levels->queries)};
        return (Node *)query_tree_mutator((Query *)node, (Node * (*)()) replace_places, &inner, 0);
    }
    if (!IsA(node, Var) || (((Var *)node)->varattno != shard_attribute &&
                            ((Var *)node)->varattno != remote_table_attribute))
        return expression_tree_mutator(node, (Node * (*)()) replace_places, context);

    Var *var = (Var *)node;
    Query *level = (Query *)list_nth(levels->queries, (int)var->varlevelsup);
    if (!tells_places(rt_fetch(var->varno, level->rtable)))
        return (Node *)copy_node(node);
    if (var->varattno == remote_table_attribute) {
        Var *table = copy_node(var);
        table->varattno = table->varattnosyn = TableOidAttributeNumber;
        table->vartype = OIDOID;
        return (Node *)cast_by_text(cast_by_text((Expr *)table, TEXTOID), CIDOID);
    }
    return (Node *)make_parameter(shard_param_id, CIDOID);
}

// ---- the row of a cursor -----------------------------------------------------------------------

// A value that the router computes, as a parameter.
Param *router_param(Shipping *shipping, Expr *value)
{
    shipping->router_values = lappend(shipping->router_values, value);
    return make_parameter(router_param_base + list_length(shipping->router_values) - 1,
                          exprType((Node *)value));
}

// (SELECT currtid2(table, place)): where the row is after this transaction, or others, updated it.
// As a subquery it is computed once, and the row is fetched by its place.
Expr *latest_place(Expr *table, Expr *place)
{
    FuncExpr *call = makeFuncExpr(F_CURRTID2, TIDOID, list_make2(table, place), InvalidOid,
                                  DEFAULT_COLLATION_OID, COERCE_EXPLICIT_CALL);
    Query *select = makeNode(Query);
    select->commandType = CMD_SELECT;
    select->canSetTag = true;
    select->jointree = makeFromExpr(NIL, nullptr);
    select->targetList = list_make1(makeTargetEntry((Expr *)call, 1, pstrdup("place"), false));
    return make_sublink(EXPR_SUBLINK, select);
}

// ctid = ANY (ARRAY[place, latest place])
Expr *is_at(int varno, Expr *table, Expr *place)
{
    List *places = list_make2(place, latest_place(table, (Expr *)copy_node(place)));
    Var *own = makeVar(varno, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, 0);
    return make_any(TIDEqualOperator, (Expr *)own, make_array(TIDOID, InvalidOid, places));
}

Expr *as_relation(Expr *oid)
{
    return (Expr *)makeRelabelType(oid, REGCLASSOID, -1, InvalidOid, COERCE_EXPLICIT_CAST);
}

// The partition with the cursor's row, by its Oid on the shard; unknown where the cursor is over
// the partition itself.
Expr *cursor_partition(const RangeTblEntry *target, Expr *known, Expr *name)
{
    if (target->relkind == RELKIND_PARTITIONED_TABLE)
        return known;
    Expr *itself = cast_by_text(copy_node(name), REGCLASSOID);
    return make_coalesce(
        known, (Expr *)makeRelabelType(itself, OIDOID, -1, InvalidOid, COERCE_EXPLICIT_CAST));
}

// Adds to a statement that it wants the cursor's row alone, and returns its shard.
Expr *add_cursor_row(Query *query, int varno, Shipping *shipping)
{
    RangeTblEntry *target = rt_fetch(varno, query->rtable);
    List *row = target->functions;
    target->functions = NIL;
    Expr *table = make_text(qualified_table_name(target->relid));
    List *clauses = NIL;
    if (list_length(row) > 2) {
        Expr *known = (Expr *)router_param(shipping, (Expr *)lthird(row));
        Expr *partition = cursor_partition(target, known, table);
        table = cast_by_text(as_relation(copy_node(partition)), TEXTOID);
        clauses = list_make1(make_opclause(
            lookup_type_cache(OIDOID, TYPECACHE_EQ_OPR)->eq_opr, BOOLOID, false,
            (Expr *)makeVar(varno, TableOidAttributeNumber, OIDOID, -1, InvalidOid, 0), partition,
            InvalidOid, InvalidOid));
    }
    Expr *place = (Expr *)router_param(shipping, (Expr *)lsecond(row));
    clauses = lappend(clauses, is_at(varno, table, place));
    if (query->jointree->quals != nullptr)
        clauses = lappend(clauses, query->jointree->quals);
    query->jointree->quals = make_conjunction(clauses);
    query->hasSubLinks = true;
    return (Expr *)linitial(row);
}

// ---- marks to clauses --------------------------------------------------------------------------

struct Marks {
    MarkedRows rows;
    Shipping *shipping;
};

bool apply_walker(Node *node, void *context)
{
    Marks *marks = (Marks *)context;
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())apply_walker, context);
    Query *query = (Query *)node;
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (!is_marked(rte))
            continue;
        int varno = foreach_current_index(cell) + 1;
        marks->rows.compares |= is_compared(rte);
        if (is_marked_target(rte) && rte->functions != NIL)
            marks->rows.shard = add_cursor_row(query, varno, marks->shipping);
        if (rte->enrname[0] == place_mark) {
            marks->rows.places = true;
        } else if (rte->enrname[1] - '0' != LCS_NONE) {
            RowMarkClause *clause = makeNode(RowMarkClause);
            clause->rti = varno;
            clause->strength = (LockClauseStrength)(rte->enrname[1] - '0');
            clause->waitPolicy = (LockWaitPolicy)(rte->enrname[2] - '0');
            query->rowMarks = lappend(query->rowMarks, clause);
            query->hasForUpdate = true;
            marks->rows.locks = true;
        }
        rte->enrname = nullptr;
    }
    return query_tree_walker(query, (bool (*)())apply_walker, context, 0);
}

bool uses_places_walker(Node *node, void *context)
{
    if (node == nullptr || is_packed_place(node))
        return false;
    if (IsA(node, Var) && ((Var *)node)->varno == *(int *)context &&
        (((Var *)node)->varattno == shard_attribute ||
         ((Var *)node)->varattno == remote_table_attribute))
        return true;
    if (IsA(node, Query))
        return query_tree_walker((Query *)node, (bool (*)())uses_places_walker, context, 0);
    return expression_tree_walker(node, (bool (*)())uses_places_walker, context);
}

// A call of one of the functions that know the cursor's row; executor/cursor_scan.
Expr *call_for_cursor(const char *function, Oid result, const CurrentOfExpr *current, Oid relid)
{
    List *name = list_make2(makeString(pstrdup("shardwise")), makeString(pstrdup(function)));
    Oid types[] = {TEXTOID, OIDOID};
    Expr *cursor;
    if (current->cursor_name != nullptr) {
        cursor = make_text(current->cursor_name);
    } else {
        Param *param = make_parameter(current->cursor_param, REFCURSOROID, DEFAULT_COLLATION_OID);
        cursor = (Expr *)makeRelabelType((Expr *)param, TEXTOID, -1, DEFAULT_COLLATION_OID,
                                         COERCE_IMPLICIT_CAST);
    }
    Const *relation =
        makeConst(OIDOID, -1, InvalidOid, sizeof(Oid), ObjectIdGetDatum(relid), false, true);
    return (Expr *)makeFuncExpr(LookupFuncName(name, 2, types, false), result,
                                list_make2(cursor, relation), InvalidOid, DEFAULT_COLLATION_OID,
                                COERCE_EXPLICIT_CALL);
}

// In a field that entries of tables do not use, as the mark is.
void restrict_to_cursor(RangeTblEntry *target, const CurrentOfExpr *current)
{
    Oid relid = target->relid;
    target->functions = list_make2(call_for_cursor("cursor_shard", INT4OID, current, relid),
                                   call_for_cursor("cursor_place", TIDOID, current, relid));
    if (target->relkind == RELKIND_PARTITIONED_TABLE || get_rel_relispartition(relid))
        target->functions =
            lappend(target->functions, call_for_cursor("cursor_partition", OIDOID, current, relid));
}

struct Mixture {
    bool has_copy;
    bool has_distributed;
};

bool mixture_walker(Node *node, void *context)
{
    Mixture *mixture = (Mixture *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, RangeTblEntry)) {
        const RangeTblEntry *rte = (const RangeTblEntry *)node;
        const Table *table = rte->rtekind == RTE_RELATION ? find_table(rte->relid) : nullptr;
        mixture->has_copy |= table != nullptr && table->is_reference && is_marked_target(rte);
        mixture->has_distributed |= table != nullptr && !table->is_reference;
        return false;
    }
    if (IsA(node, Query))
        return query_tree_walker((Query *)node, (bool (*)())mixture_walker, context,
                                 QTW_EXAMINE_RTES_BEFORE);
    return expression_tree_walker(node, (bool (*)())mixture_walker, context);
}

} // namespace

int find_locked_table(Query *query, LockWaitPolicy *policy)
{
    if (list_length(query->jointree->fromlist) != 1 ||
        !IsA(linitial(query->jointree->fromlist), RangeTblRef))
        return 0;
    int varno = ((RangeTblRef *)linitial(query->jointree->fromlist))->rtindex;
    const RangeTblEntry *rte = rt_fetch(varno, query->rtable);
    if (!is_marked(rte) || rte->enrname[0] == place_mark || rte->functions != NIL ||
        rte->relkind == RELKIND_PARTITIONED_TABLE || find_table(rte->relid)->is_reference)
        return 0;
    // The user's own cmin and cmax. A cursor's places (cursor_plan) are another matter.
    if (rte->enrname[0] == lock_mark && uses_places((Node *)query, varno))
        return 0;
    *policy = (LockWaitPolicy)(rte->enrname[2] - '0');
    return varno;
}

void place_locked(RangeTblEntry *table, bool keeps_lock)
{
    if (keeps_lock)
        mark(table, target_mark, (LockClauseStrength)(table->enrname[1] - '0'),
             (LockWaitPolicy)(table->enrname[2] - '0'));
    else
        mark_placed(table);
}

bool joins_copy_of_target(Query *query)
{
    Mixture mixture = {false, false};
    mixture_walker((Node *)query, &mixture);
    return mixture.has_copy && mixture.has_distributed;
}

void mark_placed(RangeTblEntry *table)
{
    mark(table, place_mark, LCS_NONE, LockWaitBlock);
}

void mark_compared(RangeTblEntry *table)
{
    if (!is_marked(table))
        mark_placed(table);
    if (!is_compared(table))
        table->enrname = psprintf("%s%c", table->enrname, compared);
}

bool locks_compared(const RangeTblEntry *table)
{
    return is_compared(table) && table->enrname[1] - '0' != LCS_NONE;
}

bool uses_places(Node *node, int varno)
{
    return uses_places_walker(node, &varno);
}

void take_cursor(Query *write)
{
    List *others = NIL;
    ListCell *cell;
    foreach (cell, make_ands_implicit((Expr *)write->jointree->quals)) {
        CurrentOfExpr *current = (CurrentOfExpr *)lfirst(cell);
        if (IsA(current, CurrentOfExpr))
            restrict_to_cursor(rt_fetch(write->resultRelation, write->rtable), current);
        else
            others = lappend(others, current);
    }
    write->jointree->quals = make_conjunction(others);
}

void mark_target(RangeTblEntry *target, LockClauseStrength strength)
{
    mark(target, target_mark, strength, LockWaitBlock);
}

void mark_locking_clauses(Query *query)
{
    check_nullable_locks(query);
    List *kept = NIL;
    ListCell *cell;
    foreach (cell, query->rowMarks) {
        RowMarkClause *clause = (RowMarkClause *)lfirst(cell);
        RangeTblEntry *rte = rt_fetch(clause->rti, query->rtable);
        // Rows of a subquery are locked by a clause of its own.
        // One that is to tell places does so with its locks.
        if (rte->rtekind == RTE_RELATION && find_table(rte->relid) != nullptr)
            mark(rte, tells_places(rte) ? target_mark : lock_mark, clause->strength,
                 clause->waitPolicy);
        else if (rte->rtekind == RTE_RELATION)
            kept = lappend(kept, clause);
    }
    query->rowMarks = kept;
    query->hasForUpdate = kept != NIL;
    query_tree_walker(query, (bool (*)())mark_clauses_walker, nullptr, 0);
}

MarkedRows apply_marks(Query *sent, Shipping *shipping)
{
    Levels levels = {NIL};
    *sent = *(Query *)replace_places((Node *)sent, &levels);
    Marks marks = {{}, shipping};
    apply_walker((Node *)sent, &marks);
    return marks.rows;
}

void use_marks(Route *route, const MarkedRows &marked, List **values)
{
    route->writes = route->only_locks = marked.locks;
    route->keeps_places = marked.places && !marked.locks;
    route->compares_places = marked.compares;
    if (marked.shard == nullptr)
        return;
    *values = lappend(*values, marked.shard);
    route->place_shard = list_length(*values);
}

} // namespace shardwise
