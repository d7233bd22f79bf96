#include "planner/batch_statement.hpp"

#include "catalog/catalog.hpp"
#include "pg/query_tree.hpp"
#include "pg/types.hpp"
#include "planner/changes.hpp"
#include "planner/locked_rows.hpp"
#include "planner/route_planner.hpp"
#include "planner/row_checks.hpp"
#include "planner/row_security.hpp"
#include "planner/shipping.hpp"
#include "planner/statement_ids.hpp"
#include "planner/write_tiers.hpp"
#include "routing/key_analysis.hpp"

extern "C" {
#include "access/sysattr.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "parser/parse_oper.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

// ---- rows as arrays ----------------------------------------------------------------------------

// Arrays of arrays lose their boundaries, and types that users made have other OIDs on each server:
// all but plain types travel as text.
Oid element_type(Oid type)
{
    return has_plain_binary_form(type) ? type : TEXTOID;
}

// Prints as a cast; the tree need not know what the shard calls for it.
Expr *cast_from_text(Expr *arg, Oid type, Oid collation)
{
    RelabelType *cast = makeRelabelType(arg, type, -1, collation, COERCE_EXPLICIT_CAST);
    return (Expr *)cast;
}

Oid default_collation(Oid type)
{
    return type_is_collatable(type) ? DEFAULT_COLLATION_OID : InvalidOid;
}

Param *batch_param(const BatchSource *source, int column)
{
    TargetEntry *entry = (TargetEntry *)list_nth(source->columns, column);
    Oid type = get_array_type(element_type(exprType((Node *)entry->expr)));
    return make_parameter(batch_param_base + column, type, default_collation(type));
}

// A value of element type as the column's own.
Expr *as_column(const TargetEntry *column, Expr *element)
{
    Oid type = exprType((Node *)column->expr);
    return element_type(type) == type
               ? element
               : cast_from_text(element, type, exprCollation((Node *)column->expr));
}

// The column `source` of a statement's entry `varno` that shows the rows.
Expr *source_value(BatchSource *source, int varno, int column)
{
    source->used = list_append_unique_int(source->used, column);
    int number = 0;
    ListCell *cell;
    foreach (cell, source->used)
        if (lfirst_int(cell) == column)
            number = foreach_current_index(cell) + 1;
    TargetEntry *entry = (TargetEntry *)list_nth(source->columns, column);
    Oid type = element_type(exprType((Node *)entry->expr));
    return as_column(entry, (Expr *)makeVar(varno, number, type, -1, default_collation(type), 0));
}

// The column in a statement whose rows are out of sight: that of the first row.
Expr *first_value(BatchSource *source, int column)
{
    SubscriptingRef *element = makeNode(SubscriptingRef);
    Param *param = batch_param(source, column);
    element->refcontainertype = param->paramtype;
    element->refelemtype = element->refrestype = get_element_type(param->paramtype);
    element->reftypmod = -1;
    element->refcollid = default_collation(element->refrestype);
    element->refupperindexpr = list_make1(make_int4(1));
    element->refexpr = (Expr *)param;
    return as_column((TargetEntry *)list_nth(source->columns, column), (Expr *)element);
}

// Makes an entry the rows of all columns used: unnest($1, $2, ...) AS source(c1, c2, ...).
void fill_source_entry(const BatchSource *source, RangeTblEntry *rte)
{
    List *names = NIL;
    ListCell *cell;
    rte->rtekind = RTE_FUNCTION;
    rte->functions = NIL;
    foreach (cell, source->used) {
        Param *param = batch_param(source, lfirst_int(cell));
        Oid element = get_element_type(param->paramtype);
        FuncExpr *call =
            makeFuncExpr(F_UNNEST_ANYARRAY, element, list_make1(param), default_collation(element),
                         param->paramcollid, COERCE_EXPLICIT_CALL);
        call->funcretset = true;
        RangeTblFunction *function = makeNode(RangeTblFunction);
        function->funcexpr = (Node *)call;
        function->funccolcount = 1;
        rte->functions = lappend(rte->functions, function);
        names = lappend(names, makeString(psprintf("c%d", foreach_current_index(cell) + 1)));
    }
    rte->alias = makeAlias("source", names);
    rte->eref = makeAlias("source", (List *)copy_node(names));
    rte->inFromCl = true;
}

// ---- expressions of the user's over the target and the source --------------------------------

constexpr int inserts_param_id = mark_param_id + 1;

struct Remapping {
    BatchWrite *write;
    int target; // the target's entry in the new query
    int source; // the rows' entry there; 0: they have none, and there is one row a statement
    int depth;  // queries entered
};

struct TargetUse {
    int target;
    int depth;
};

bool uses_target(Node *node, void *context)
{
    TargetUse *use = (TargetUse *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Var))
        return ((Var *)node)->varno == use->target && (int)((Var *)node)->varlevelsup == use->depth;
    if (IsA(node, Query)) {
        use->depth++;
        bool found = query_tree_walker((Query *)node, (bool (*)())uses_target, context, 0);
        use->depth--;
        return found;
    }
    return expression_tree_walker(node, (bool (*)())uses_target, context);
}

bool has_one_value(const SubLink *link)
{
    SubLinkType type = link->subLinkType;
    return (type == EXPR_SUBLINK || type == EXISTS_SUBLINK || type == ARRAY_SUBLINK) &&
           exprType((const Node *)link) != RECORDOID;
}

// A subquery of RETURNING that has one value, whatever becomes of the target's row: the router
// computes it beforehand, when PostgreSQL's would be computed, too.
bool is_known_beforehand(const Remapping *remapping, Node *node)
{
    if (!IsA(node, SubLink) || remapping->depth > 0 || remapping->source == 0)
        return false;
    TargetUse use = {remapping->write->target, 0};
    return has_one_value((SubLink *)node) && !uses_target(node, &use);
}

Node *remap_mutator(Node *node, void *context)
{
    Remapping *remapping = (Remapping *)context;
    BatchWrite *write = remapping->write;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query)) {
        remapping->depth++;
        Node *query =
            (Node *)query_tree_mutator((Query *)node, (Node * (*)()) remap_mutator, context, 0);
        remapping->depth--;
        return query;
    }
    if (IsA(node, Param) && ((Param *)node)->paramid == inserts_param_id)
        return makeBoolConst(write->check_kind == WCO_RLS_INSERT_CHECK, false);
    if (is_known_beforehand(remapping, node))
        return (Node *)source_value(&write->source, remapping->source,
                                    find_source_column(&write->source, (Expr *)node));
    if (!IsA(node, Var) || (int)((Var *)node)->varlevelsup != remapping->depth)
        return expression_tree_mutator(node, (Node * (*)()) remap_mutator, context);

    Var *var = copy_node((Var *)node);
    if (var->varno == write->target) {
        var->varno = (int)(var->varnosyn = remapping->target);
        var->varattnosyn = var->varattno;
        return (Node *)var;
    }
    var->varlevelsup = 0;
    if (var->vartype == RECORDOID) {
        write->refusal = pstrdup("A whole row of a subquery cannot be sent to the shards.");
        return (Node *)var;
    }
    int column = find_source_column(&write->source, (Expr *)var);
    Expr *value;
    if (remapping->source > 0) {
        value = source_value(&write->source, remapping->source, column);
    } else {
        value = first_value(&write->source, column);
        write->is_one_row = true;
    }
    if (var->vartypmod >= 0) // the array's elements have none
        value = (Expr *)makeRelabelType(value, var->vartype, var->vartypmod, var->varcollid,
                                        COERCE_EXPLICIT_CAST);
    if (remapping->depth > 0)
        IncrementVarSublevelsUp((Node *)value, remapping->depth, 0);
    // Not printed: an array's elements have no modifier, but the client is to see the column's.
    if (exprTypmod((Node *)value) != var->vartypmod)
        value = (Expr *)makeRelabelType(value, var->vartype, var->vartypmod, var->varcollid,
                                        COERCE_IMPLICIT_CAST);
    return (Node *)value;
}

// True if something refers to a row of the query around it. `depth` counts the queries entered.
bool uses_rows(Node *node, void *context)
{
    int *depth = (int *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Var))
        return (int)((Var *)node)->varlevelsup >= *depth;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())uses_rows, context);
    (*depth)++;
    bool found = query_tree_walker((Query *)node, (bool (*)())uses_rows, context, 0);
    (*depth)--;
    return found;
}

// A subquery of ON CONFLICT that looks at no row has one value, which travels with each of them.
Node *compute_beforehand(Node *node, void *context)
{
    BatchSource *source = (BatchSource *)context;
    int depth = 0;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, SubLink) && has_one_value((SubLink *)node) && !uses_rows(node, &depth))
        return (Node *)first_value(source, find_source_column(source, (Expr *)node));
    return expression_tree_mutator(node, (Node * (*)()) compute_beforehand, context);
}

void take_over_returning(BatchWrite *write, Query *sent, int source_varno)
{
    Remapping remapping = {write, sent->resultRelation, source_varno, 0};
    sent->returningList = (List *)remap_mutator((Node *)write->query->returningList, &remapping);
    ListCell *cell;
    foreach (cell, write->query->withCheckOptions) {
        WithCheckOption *check = (WithCheckOption *)lfirst(cell);
        if (write->check_kind == 0 || check->kind == write->check_kind)
            sent->withCheckOptions =
                lappend(sent->withCheckOptions, remap_mutator((Node *)check, &remapping));
    }
    sent->hasSubLinks = write->query->hasSubLinks;
}

// ---- the statements ----------------------------------------------------------------------------

RangeTblEntry *copy_target(BatchWrite *write)
{
    RangeTblEntry *target = copy_node(rt_fetch(write->target, write->query->rtable));
    target->securityQuals = NIL;
    target->enrname = nullptr;
    target->functions = NIL; // the row of a cursor: it is found already
    target->inFromCl = false;
    return target;
}

// An empty statement over the target (entry 1) and the rows (entry 2).
Query *start_statement(BatchWrite *write, CmdType command)
{
    Query *sent = makeNode(Query);
    sent->commandType = command;
    sent->querySource = QSRC_ORIGINAL;
    sent->canSetTag = true;
    sent->resultRelation = 1;
    sent->rtable = list_make2(copy_target(write), makeNode(RangeTblEntry));
    write->source.used = NIL;
    return sent;
}

Expr *target_column(const BatchWrite *write, AttrNumber attribute)
{
    Oid relid = rt_fetch(write->target, write->query->rtable)->relid;
    if (attribute == SelfItemPointerAttributeNumber)
        return (Expr *)makeVar(1, attribute, TIDOID, -1, InvalidOid, 0);
    if (attribute == TableOidAttributeNumber)
        return (Expr *)makeVar(1, attribute, OIDOID, -1, InvalidOid, 0);
    Oid type, collation;
    int32 typmod;
    get_atttypetypmodcoll(relid, attribute, &type, &typmod, &collation);
    return (Expr *)makeVar(1, attribute, type, typmod, collation, 0);
}

// target.ctid = source.c1
Node *identity_clause(BatchWrite *write, const Assignment *part)
{
    Expr *value = source_value(&write->source, 2, part->column);
    if (part->attribute == TableOidAttributeNumber) // a cid so far
        value = cast_from_text(((RelabelType *)value)->arg, OIDOID, InvalidOid);
    return make_equality(target_column(write, part->attribute), value);
}

void restrict_to_identity(BatchWrite *write, Query *sent, bool to_partition)
{
    List *clauses = NIL;
    ListCell *cell;
    foreach (cell, write->identity) {
        Assignment *part = (Assignment *)lfirst(cell);
        if ((part->attribute == TableOidAttributeNumber) == to_partition)
            clauses = lappend(clauses, identity_clause(write, part));
    }
    if (!to_partition)
        sent->jointree = makeFromExpr(list_make2(make_reference(1), make_reference(2)),
                                      make_conjunction(clauses));
    else if (clauses != NIL)
        sent->jointree->quals = make_conjunction(lappend(clauses, sent->jointree->quals));
}

// SELECT columns FROM unnest(...): what an INSERT reads. The columns are numbered as they come.
Query *select_rows(BatchSource *source, List *assignments)
{
    Query *select = make_select_from(makeNode(RangeTblEntry), nullptr);
    ListCell *cell;
    source->used = NIL;
    foreach (cell, assignments) {
        int number = foreach_current_index(cell) + 1;
        Expr *value = source_value(source, 1, ((Assignment *)lfirst(cell))->column);
        select->targetList = lappend(
            select->targetList, makeTargetEntry(value, number, psprintf("c%d", number), false));
    }
    fill_source_entry(source, (RangeTblEntry *)linitial(select->rtable));
    return select;
}

// A copy of an INSERT but for what feeds it, which may be long.
Query *copy_without_source(Query *insert)
{
    int varno = find_insert_source(insert);
    if (varno == 0)
        return copy_node(insert);
    ListCell *cell = list_nth_cell(insert->rtable, varno - 1);
    RangeTblEntry *source = (RangeTblEntry *)lfirst(cell);
    RangeTblEntry *nothing = makeNode(RangeTblEntry);
    nothing->rtekind = source->rtekind;
    lfirst(cell) = nothing;
    Query *copy = copy_node(insert);
    lfirst(cell) = source;
    return copy;
}

List *insert_targets(const BatchWrite *write, List *assignments, Query *select, int varno)
{
    Oid relid = rt_fetch(write->target, write->query->rtable)->relid;
    List *targets = NIL;
    ListCell *cell;
    foreach (cell, assignments) {
        AttrNumber attribute = ((Assignment *)lfirst(cell))->attribute;
        int number = foreach_current_index(cell) + 1;
        Node *expr = (Node *)((TargetEntry *)list_nth(select->targetList, number - 1))->expr;
        Var *var = makeVar(varno, number, exprType(expr), exprTypmod(expr), exprCollation(expr), 0);
        targets = lappend(targets, makeTargetEntry((Expr *)var, attribute,
                                                   get_attname(relid, attribute, false), false));
    }
    return targets;
}

} // namespace

Param *make_inserts_param()
{
    return make_parameter(inserts_param_id, BOOLOID);
}

int find_source_column(BatchSource *source, Expr *expr)
{
    ListCell *cell;
    foreach (cell, source->columns)
        if (IsA(expr, Var) && equal(((TargetEntry *)lfirst(cell))->expr, expr))
            return foreach_current_index(cell);
    int number = list_length(source->columns) + 1;
    source->columns = lappend(
        source->columns, makeTargetEntry(copy_node(expr), number, psprintf("c%d", number), false));
    return number - 1;
}

Query *build_batch_insert(BatchWrite *write, List *assignments, bool is_placed)
{
    Query *select = select_rows(&write->source, assignments);
    Query *sent;
    write->is_one_row = false;
    if (is_placed) {
        sent = start_statement(write, CMD_INSERT);
        sent->rtable = list_make1(linitial(sent->rtable));
        write->source.used = NIL; // the rows are out of sight for RETURNING
        int varno = replace_insert_source(sent, select);
        sent->targetList = insert_targets(write, assignments, select, varno);
        take_over_returning(write, sent, 0);
    } else {
        sent = copy_without_source(write->query);
        sent->cteList = NIL;
        sent->hasModifyingCTE = sent->hasRecursive = false;
        int varno = replace_insert_source(sent, select);
        sent->targetList = insert_targets(write, assignments, select, varno);
        if (OnConflictExpr *conflict = sent->onConflict) {
            conflict->onConflictSet =
                (List *)compute_beforehand((Node *)conflict->onConflictSet, &write->source);
            conflict->onConflictWhere =
                compute_beforehand(conflict->onConflictWhere, &write->source);
        }
    }
    prepare_changes(sent);
    return sent;
}

Query *build_batch_update(BatchWrite *write, List *assignments, bool returning)
{
    Query *sent = start_statement(write, CMD_UPDATE);
    Oid relid = rt_fetch(write->target, write->query->rtable)->relid;
    ListCell *cell;
    restrict_to_identity(write, sent, false);
    foreach (cell, assignments) {
        Assignment *assignment = (Assignment *)lfirst(cell);
        Expr *value = source_value(&write->source, 2, assignment->column);
        sent->targetList =
            lappend(sent->targetList,
                    makeTargetEntry(value, assignment->attribute,
                                    get_attname(relid, assignment->attribute, false), false));
    }
    if (returning)
        take_over_returning(write, sent, 2);
    fill_source_entry(&write->source, (RangeTblEntry *)lsecond(sent->rtable));
    prepare_changes(sent);
    return sent;
}

Query *build_batch_delete(BatchWrite *write, bool returning)
{
    Query *sent = start_statement(write, CMD_DELETE);
    restrict_to_identity(write, sent, false);
    if (returning)
        take_over_returning(write, sent, 2);
    fill_source_entry(&write->source, (RangeTblEntry *)lsecond(sent->rtable));
    prepare_changes(sent);
    return sent;
}

// Notes which parameters are columns of the source, and leaves NULL in their place.
static int *take_batch_columns(List *values)
{
    int *columns = (int *)palloc(sizeof(int) * (list_length(values) + 1));
    ListCell *cell;
    foreach (cell, values) {
        Param *param = (Param *)lfirst(cell);
        int i = foreach_current_index(cell);
        columns[i] = -1;
        if (!IsA(param, Param) || param->paramid < batch_param_base ||
            param->paramid >= shard_param_id)
            continue;
        columns[i] = param->paramid - batch_param_base;
        lfirst(cell) = makeNullConst(param->paramtype, -1, param->paramcollid);
    }
    return columns;
}

bool compile_batch(BatchWrite *write, Query *sent, BatchStatement *statement, List **values,
                   Projection *projection)
{
    constexpr int rows_of_batch = 10000;

    Shipping shipping = {};
    *projection = split_projection(sent, 1);
    ship_query(sent, &shipping);
    if (write->refusal == nullptr)
        write->refusal = shipping.refusal;
    if (write->refusal == nullptr && has_record(projection->columns))
        write->refusal = pstrdup("A record without a named type cannot be read back from a shard.");
    if (write->refusal == nullptr && reads_elsewhere(sent))
        write->refusal = pstrdup(
            checkExprHasSubLink((Node *)sent->withCheckOptions)
                ? "A check of new rows (policy, WITH CHECK OPTION) reads rows that the shard lacks."
            : sent->onConflict != nullptr
                ? "A subquery of ON CONFLICT looks at the row and at rows that its shard lacks."
                : "A subquery of RETURNING reads rows that the shard lacks.");
    KeyAnalysis analysis = analyze_keys(sent);
    if (write->refusal == nullptr && sent->onConflict != nullptr)
        write->refusal = analysis.changes_key;
    List *checks = NIL;
    if (write->refusal == nullptr)
        checks = place_row_checks(sent, write->is_fired, true, &write->refusal);
    if (write->refusal == nullptr && write->is_marked) {
        Param *mark = make_parameter(mark_param_id, TEXTOID, DEFAULT_COLLATION_OID);
        refuse_marked_rows(sent, mark, &checks);
        statement->mark_column = list_length(sent->returningList);
    }
    if (write->refusal == nullptr)
        write->refusal = apply_row_security(sent);
    if (write->refusal != nullptr)
        return false;

    // Here, no longer the router's Oid of a table.
    if (sent->commandType != CMD_INSERT) {
        restrict_to_identity(write, sent, true);
        fill_source_entry(&write->source, (RangeTblEntry *)lsecond(sent->rtable));
    }
    List *own_values = NIL;
    KeyAnalysis no_keys = {};
    no_keys.keyspace = analysis.keyspace;
    Route *route = compile_route(sent, shipping, no_keys, &own_values);
    route->statement_id = find_statement_id(route);
    route->tier = Tier::SingleShard;
    route->checks = checks;
    route->binary_results = columns_travel_in_binary(projection->columns);
    route->writes = route->counts_rows = true;
    statement->columns = take_batch_columns(own_values);
    statement->route = route;
    statement->first_value = list_length(*values);
    statement->max_rows = rows_of_batch;
    *values = list_concat(*values, own_values);
    return true;
}

} // namespace shardwise
