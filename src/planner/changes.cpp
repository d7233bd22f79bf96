#include "planner/changes.hpp"

#include "catalog/catalog.hpp"
#include "pg/query_tree.hpp"
#include "pg/query_form.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "rewrite/rewriteManip.h"
}

namespace shardwise
{

namespace
{

// True if the target list just repeats the source's columns.
bool is_plain(Query *query, int source, int columns)
{
    if (list_length(query->targetList) != columns)
        return false;
    int column = 0;
    ListCell *cell;
    foreach (cell, query->targetList) {
        Var *var = (Var *)((TargetEntry *)lfirst(cell))->expr;
        column++;
        if (!IsA(var, Var) || var->varno != source || var->varattno != column)
            return false;
    }
    return true;
}

struct RowContext {
    int source;
    List *row;
};

Node *substitute_row(Node *node, void *context)
{
    RowContext *row = (RowContext *)context;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Var) && ((Var *)node)->varno == row->source && ((Var *)node)->varlevelsup == 0)
        return (Node *)copy_node((Node *)list_nth(row->row, ((Var *)node)->varattno - 1));
    return expression_tree_mutator(node, (Node * (*)()) substitute_row, context);
}

List *name_columns(List *target_list)
{
    List *names = NIL;
    for (int i = 1; i <= list_length(target_list); i++)
        names = lappend(names, makeString(psprintf("column%d", i)));
    return names;
}

void expand_values(Query *query, int source, RangeTblEntry *values)
{
    List *rows = NIL;
    ListCell *cell;
    foreach (cell, values->values_lists) {
        RowContext context = {source, (List *)lfirst(cell)};
        List *row = NIL;
        ListCell *target;
        foreach (target, query->targetList)
            row = lappend(row,
                          substitute_row((Node *)((TargetEntry *)lfirst(target))->expr, &context));
        rows = lappend(rows, row);
    }
    values->values_lists = rows;
    values->coltypes = values->coltypmods = values->colcollations = NIL;
    foreach (cell, query->targetList) {
        Node *expr = (Node *)((TargetEntry *)lfirst(cell))->expr;
        values->coltypes = lappend_oid(values->coltypes, exprType(expr));
        values->coltypmods = lappend_int(values->coltypmods, exprTypmod(expr));
        values->colcollations = lappend_oid(values->colcollations, exprCollation(expr));
    }
    values->eref->colnames = name_columns(query->targetList);
    point_targets_at(query, source);
}

// INSERT ... SELECT: wraps the SELECT in another one that yields the whole target list.
void wrap_select(Query *query, int source, RangeTblEntry *select)
{
    RangeTblEntry *inner = copy_node(select);
    IncrementVarSublevelsUp((Node *)inner->subquery, 1, 1);
    inner->inFromCl = true;
    inner->alias = makeAlias("source", NIL); // SQL wants one
    inner->eref->aliasname = pstrdup("source");

    Query *wrapper = make_select_from(inner, nullptr);
    ListCell *cell;
    int column = 0;
    foreach (cell, query->targetList) {
        TargetEntry *entry = copy_node((TargetEntry *)lfirst(cell));
        ChangeVarNodes((Node *)entry->expr, source, 1, 0);
        entry->resno = ++column;
        wrapper->targetList = lappend(wrapper->targetList, entry);
    }
    wrapper->hasSubLinks = checkExprHasSubLink((Node *)wrapper->targetList);
    select->subquery = wrapper;
    select->eref->colnames = name_columns(query->targetList);
    point_targets_at(query, source);
}

// Values for identity columns are computed on the router, so the shard must take them: also where
// OVERRIDING USER VALUE has had its effect, as columns with other defaults may be identities there.
void override_identity(Query *query)
{
    query->override = OVERRIDING_NOT_SET;
    Relation relation =
        table_open(rt_fetch(query->resultRelation, query->rtable)->relid, AccessShareLock);
    TupleDesc columns = RelationGetDescr(relation);
    ListCell *cell;
    foreach (cell, query->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (!entry->resjunk && TupleDescAttr(columns, entry->resno - 1)->attidentity != '\0')
            query->override = OVERRIDING_SYSTEM_VALUE;
    }
    table_close(relation, NoLock);
}

} // namespace

static void expand_insert(Query *query)
{
    int source = find_insert_source(query);
    if (source > 0) {
        RangeTblEntry *rte = rt_fetch(source, query->rtable);
        if (rte->rtekind == RTE_VALUES) {
            if (!is_plain(query, source, list_length((List *)linitial(rte->values_lists))))
                expand_values(query, source, rte);
        } else if (!is_plain(query, source, list_length(rte->subquery->targetList))) {
            wrap_select(query, source, rte);
        }
    }
    override_identity(query);
}

// UPDATE ... SET generated = DEFAULT leaves nothing to set, but rows are still to be touched.
static void set_something(Query *query)
{
    RangeTblEntry *target = rt_fetch(query->resultRelation, query->rtable);
    const Table *table = find_table(target->relid);
    if (query->targetList != NIL || table == nullptr || table->is_reference)
        return;
    AttrNumber column = table->key_columns[0];
    Oid type, collation;
    int32 typmod;
    get_atttypetypmodcoll(target->relid, column, &type, &typmod, &collation);
    Var *var = makeVar(query->resultRelation, column, type, typmod, collation, 0);
    query->targetList = list_make1(
        makeTargetEntry((Expr *)var, column, get_attname(target->relid, column, false), false));
}

// The number of the column of SET (a, b) = (SELECT ...) that an expression takes; 0 for none.
static bool find_multiple_assignment(Node *node, void *context)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Param) && ((Param *)node)->paramkind == PARAM_MULTIEXPR)
        *(int *)context = ((Param *)node)->paramid;
    return expression_tree_walker(node, (bool (*)())find_multiple_assignment, context);
}

static int multiple_assignment(const ListCell *cell)
{
    int number = 0;
    TargetEntry *entry = (TargetEntry *)lfirst(cell);
    if (entry->resjunk)
        return PG_INT32_MAX;
    find_multiple_assignment((Node *)entry->expr, &number);
    return number;
}

static int compare_assignments(const ListCell *a, const ListCell *b)
{
    int left = multiple_assignment(a);
    int right = multiple_assignment(b);
    if (left == right)
        return ((TargetEntry *)lfirst(a))->resno - ((TargetEntry *)lfirst(b))->resno;
    return left < right ? -1 : 1;
}

// The rewriter orders assignments by column; the deparser takes those of SET (a, b) = (SELECT ...)
// in the order of the SELECT.
static void restore_assignment_order(List *assignments)
{
    list_sort(assignments, compare_assignments);
}

void point_targets_at(Query *insert, int source)
{
    int column = 0;
    ListCell *cell;
    foreach (cell, insert->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        Node *expr = (Node *)entry->expr;
        entry->expr = (Expr *)makeVar(source, ++column, exprType(expr), exprTypmod(expr),
                                      exprCollation(expr), 0);
    }
}

int replace_insert_source(Query *insert, Query *select)
{
    int varno = find_insert_source(insert);
    RangeTblEntry *rte = makeNode(RangeTblEntry);
    rte->rtekind = RTE_SUBQUERY;
    rte->subquery = select;
    rte->alias = makeAlias("rows", NIL);
    rte->eref = makeAlias("rows", NIL);
    ListCell *cell;
    foreach (cell, select->targetList) {
        const TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (!entry->resjunk)
            rte->eref->colnames = lappend(rte->eref->colnames, makeString(pstrdup(entry->resname)));
    }
    rte->inFromCl = true;
    if (varno > 0) {
        lfirst(list_nth_cell(insert->rtable, varno - 1)) = rte;
    } else {
        insert->rtable = lappend(insert->rtable, rte);
        varno = list_length(insert->rtable);
    }
    insert->jointree = makeFromExpr(list_make1(make_reference(varno)), nullptr);
    return varno;
}

// True if something but the rows' values looks at what feeds the INSERT.
static bool uses_source_elsewhere(const Query *insert)
{
    Bitmapset *others = pull_varnos(nullptr, (Node *)insert->returningList);
    others = bms_join(others, pull_varnos(nullptr, (Node *)insert->withCheckOptions));
    others = bms_join(others, pull_varnos(nullptr, (Node *)insert->onConflict));
    others = bms_del_member(others, insert->resultRelation);
    if (insert->onConflict != nullptr)
        others = bms_del_member(others, insert->onConflict->exclRelIndex);
    return !bms_is_empty(others) ||
           (insert->cteList != NIL && (checkExprHasSubLink((Node *)insert->returningList) ||
                                       checkExprHasSubLink((Node *)insert->onConflict)));
}

static RangeTblEntry *make_nothing()
{
    RangeTblEntry *nothing = makeNode(RangeTblEntry);
    nothing->rtekind = RTE_RESULT;
    nothing->eref = makeAlias("*RESULT*", NIL);
    return nothing;
}

void gather_insert_source(Query *insert)
{
    const List *from = insert->jointree->fromlist;
    int source = find_insert_source(insert);
    bool is_single = from == NIL || (list_length(from) == 1 && IsA(linitial(from), RangeTblRef) &&
                                     linitial_node(RangeTblRef, from)->rtindex == source);
    if ((is_single && insert->jointree->quals == nullptr) || insert->hasModifyingCTE ||
        uses_source_elsewhere(insert))
        return;
    int excluded = insert->onConflict != nullptr ? insert->onConflict->exclRelIndex : 0;
    Query *select = copy_node(insert);
    select->commandType = CMD_SELECT;
    select->resultRelation = 0;
    select->returningList = select->withCheckOptions = NIL;
    select->onConflict = nullptr;
    select->override = OVERRIDING_NOT_SET;
    ListCell *cell;
    foreach (cell, select->targetList)
        lfirst_node(TargetEntry, cell)->resno = foreach_current_index(cell) + 1;
    foreach (cell, select->rtable) { // the numbers of the others stay
        RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);
        int varno = foreach_current_index(cell) + 1;
        if (varno == insert->resultRelation || varno == excluded)
            permissions_of(rte)->requiredPerms = 0;
        else
            lfirst(list_nth_cell(insert->rtable, varno - 1)) = make_nothing();
        if (rte->alias == nullptr && rte->rtekind == RTE_SUBQUERY)
            rte->alias = makeAlias(rte->eref->aliasname, NIL); // SQL wants one
        rte->inFromCl = true;
    }
    insert->cteList = NIL;
    insert->hasRecursive = false;
    point_targets_at(insert, replace_insert_source(insert, select));
}

List *generated_columns(Relation relation, RangeTblEntry *target, List *row)
{
    List *generated = NIL;
    TupleDesc columns = RelationGetDescr(relation);
    for (AttrNumber attribute = 1; attribute <= columns->natts; attribute++) {
        Form_pg_attribute column = TupleDescAttr(columns, attribute - 1);
        if (column->attisdropped || column->attgenerated == '\0')
            continue;
        bool has_links = true; // a value given may be a subquery
        Node *value =
            ReplaceVarsFromTargetList(build_column_default(relation, attribute), 1, 0, target, row,
                                      REPLACEVARS_SUBSTITUTE_NULL, 0, &has_links);
        generated = lappend(generated, makeTargetEntry((Expr *)value, attribute, nullptr, false));
    }
    return generated;
}

List *columns_of_new_row(Query *insert, Relation relation, int source)
{
    List *columns = NIL;
    ListCell *cell;
    foreach (cell, insert->targetList)
        columns = lappend(columns, copy_node((TargetEntry *)lfirst(cell)));
    ChangeVarNodes((Node *)columns, source, 1, 0);
    RangeTblEntry *target = rt_fetch(insert->resultRelation, insert->rtable);
    return list_concat(columns, generated_columns(relation, target, columns));
}

void prepare_changes(Query *query)
{
    ListCell *cell;
    foreach (cell, query->cteList)
        prepare_changes((Query *)((CommonTableExpr *)lfirst(cell))->ctequery);
    if (query->commandType == CMD_INSERT) {
        expand_insert(query);
        if (query->onConflict != nullptr)
            restore_assignment_order(query->onConflict->onConflictSet);
    } else if (query->resultRelation > 0) {
        // The table under an updatable view still looks like a part of FROM.
        rt_fetch(query->resultRelation, query->rtable)->inFromCl = false;
        if (query->commandType == CMD_UPDATE) {
            set_something(query);
            restore_assignment_order(query->targetList);
        }
    }
}

} // namespace shardwise
