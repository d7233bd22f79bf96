#include "pg/query_tree.hpp"

#include "pg/versions.hpp"

extern "C" {
#include "access/sysattr.h"
#include "catalog/pg_collation.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
}

namespace shardwise
{

Node *make_conjunction(List *clauses)
{
    if (clauses == NIL)
        return nullptr;
    return list_length(clauses) == 1 ? (Node *)linitial(clauses)
                                     : (Node *)makeBoolExpr(AND_EXPR, clauses, -1);
}

Expr *make_text(const char *text)
{
    return (Expr *)makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1, CStringGetTextDatum(text),
                             false, false);
}

Node *make_equality(Expr *left, Expr *right)
{
    Oid type = getBaseType(exprType((Node *)left));
    OpExpr *clause =
        (OpExpr *)make_opclause(lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr, BOOLOID, false,
                                left, right, InvalidOid, exprCollation((Node *)left));
    set_opfuncid(clause);
    return (Node *)clause;
}

Expr *make_call(Oid function, Oid type, List *arguments)
{
    Oid collation = type == TEXTOID ? DEFAULT_COLLATION_OID : InvalidOid;
    return (Expr *)makeFuncExpr(function, type, arguments, collation, collation,
                                COERCE_EXPLICIT_CALL);
}

Expr *cast_by_text(Expr *expr, Oid type)
{
    CoerceViaIO *cast = makeNode(CoerceViaIO);
    cast->arg = expr;
    cast->resulttype = type;
    cast->resultcollid = type == TEXTOID ? DEFAULT_COLLATION_OID : InvalidOid;
    cast->coerceformat = COERCE_EXPLICIT_CAST;
    cast->location = -1;
    return (Expr *)cast;
}

Expr *columns_as_text(Oid relid, int varno)
{
    List *texts = NIL;
    Relation relation = table_open(relid, AccessShareLock);
    TupleDesc columns = RelationGetDescr(relation);
    for (int i = 0; i < columns->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(columns, i);
        if (column->attisdropped)
            continue;
        Var *var = makeVar(varno, column->attnum, column->atttypid, column->atttypmod,
                           column->attcollation, 0);
        texts = lappend(texts, cast_by_text((Expr *)var, TEXTOID));
    }
    table_close(relation, NoLock);
    return make_array(TEXTOID, DEFAULT_COLLATION_OID, texts);
}

CaseWhen *make_when(Node *condition, Expr *value)
{
    CaseWhen *when = makeNode(CaseWhen);
    when->expr = (Expr *)condition;
    when->result = value;
    when->location = -1;
    return when;
}

Expr *make_case(List *whens, Expr *otherwise)
{
    CaseExpr *result = makeNode(CaseExpr);
    result->casetype = exprType((Node *)otherwise);
    result->casecollid = exprCollation((Node *)otherwise);
    result->args = whens;
    result->defresult = otherwise;
    result->location = -1;
    return (Expr *)result;
}

Expr *make_int4(int32 value)
{
    return (Expr *)makeConst(INT4OID, -1, InvalidOid, sizeof(int32), Int32GetDatum(value), false,
                             true);
}

Expr *make_int8(int64 value)
{
    return (Expr *)makeConst(INT8OID, -1, InvalidOid, sizeof(int64), Int64GetDatum(value), false,
                             true);
}

Param *make_parameter(int id, Oid type, Oid collation)
{
    Param *param = makeNode(Param);
    param->paramkind = PARAM_EXTERN;
    param->paramid = id;
    param->paramtype = type;
    param->paramtypmod = -1;
    param->paramcollid = collation;
    param->location = -1;
    return param;
}

Expr *make_coalesce(Expr *value, Expr *otherwise)
{
    CoalesceExpr *result = makeNode(CoalesceExpr);
    result->coalescetype = exprType((Node *)otherwise);
    result->coalescecollid = exprCollation((Node *)otherwise);
    result->args = list_make2(value, otherwise);
    result->location = -1;
    return (Expr *)result;
}

Expr *make_null_test(Expr *value, NullTestType type)
{
    NullTest *test = makeNode(NullTest);
    test->arg = value;
    test->nulltesttype = type;
    test->location = -1;
    return (Expr *)test;
}

Expr *make_array(Oid element_type, Oid collation, List *elements)
{
    ArrayExpr *array = makeNode(ArrayExpr);
    array->array_typeid = get_array_type(element_type);
    array->array_collid = collation;
    array->element_typeid = element_type;
    array->elements = elements;
    array->location = -1;
    return (Expr *)array;
}

Expr *make_any(Oid op, Expr *value, Expr *array, Oid collation)
{
    ScalarArrayOpExpr *clause = makeNode(ScalarArrayOpExpr);
    clause->opno = op;
    clause->opfuncid = get_opcode(op);
    clause->useOr = true;
    clause->inputcollid = collation;
    clause->args = list_make2(value, array);
    clause->location = -1;
    return (Expr *)clause;
}

Expr *make_sublink(SubLinkType type, Query *query)
{
    SubLink *link = makeNode(SubLink);
    link->subLinkType = type;
    link->subselect = (Node *)query;
    link->location = -1;
    return (Expr *)link;
}

Query *make_select_from(RangeTblEntry *source, Node *quals)
{
    Query *query = makeNode(Query);
    query->commandType = CMD_SELECT;
    query->querySource = QSRC_ORIGINAL;
    query->rtable = list_make1(source);
    query->jointree = makeFromExpr(list_make1(make_reference(1)), quals);
    return query;
}

RangeTblEntry *make_subquery_entry(Query *subquery, const char *alias)
{
    RangeTblEntry *rte = makeNode(RangeTblEntry);
    rte->rtekind = RTE_SUBQUERY;
    rte->subquery = subquery;
    rte->alias = makeAlias(alias, NIL);
    rte->eref = makeAlias(alias, NIL);
    ListCell *cell;
    foreach (cell, subquery->targetList)
        rte->eref->colnames = lappend(rte->eref->colnames,
                                      makeString(pstrdup(((TargetEntry *)lfirst(cell))->resname)));
    rte->inFromCl = true;
    return rte;
}

Node *make_reference(int varno)
{
    RangeTblRef *reference = makeNode(RangeTblRef);
    reference->rtindex = varno;
    return (Node *)reference;
}

// Adds the columns of one side to a join's entry; returns their numbers in that side.
static List *add_join_columns(Query *query, RangeTblEntry *join, Node *side)
{
    bool is_table = IsA(side, RangeTblRef);
    int varno = is_table ? ((RangeTblRef *)side)->rtindex : ((JoinExpr *)side)->rtindex;
    List *names, *vars;
    List *numbers = NIL;
    ListCell *cell;
    expandRTE(rt_fetch(varno, query->rtable), varno, 0, -1, false, &names, &vars);
    foreach (cell, vars) // those of a join are its tables', and have their numbers
        numbers = lappend_int(numbers, is_table ? ((Var *)lfirst(cell))->varattno
                                                : foreach_current_index(cell) + 1);
    join->eref->colnames = list_concat(join->eref->colnames, names);
    join->joinaliasvars = list_concat(join->joinaliasvars, vars);
    return numbers;
}

Node *make_join(Query *query, JoinType type, Node *left, Node *right, Node *quals)
{
    JoinExpr *join = makeNode(JoinExpr);
    RangeTblEntry *rte = makeNode(RangeTblEntry);
    rte->rtekind = RTE_JOIN;
    rte->jointype = join->jointype = type;
    rte->eref = makeAlias("unnamed_join", NIL);
    rte->inFromCl = true;
    query->rtable = lappend(query->rtable, rte);
    join->larg = left;
    join->rarg = right;
    join->quals = quals;
    join->rtindex = list_length(query->rtable);
    rte->joinleftcols = add_join_columns(query, rte, left);
    rte->joinrightcols = add_join_columns(query, rte, right);
    return (Node *)join;
}

// Leaves no expression of this level that names a column by a join.
static void flatten_joins(Query *query)
{
    query->jointree = (FromExpr *)flatten_join_alias_vars(query, (Node *)query->jointree);
    query->targetList = (List *)flatten_join_alias_vars(query, (Node *)query->targetList);
    query->havingQual = flatten_join_alias_vars(query, query->havingQual);
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (rte->rtekind == RTE_SUBQUERY && rte->lateral)
            rte->subquery = (Query *)flatten_join_alias_vars(query, (Node *)rte->subquery);
        rte->functions = (List *)flatten_join_alias_vars(query, (Node *)rte->functions);
        rte->tablefunc = (TableFunc *)flatten_join_alias_vars(query, (Node *)rte->tablefunc);
        rte->values_lists = (List *)flatten_join_alias_vars(query, (Node *)rte->values_lists);
    }
}

static void rebuild_join(Query *query, Node *item)
{
    ListCell *cell;
    if (IsA(item, FromExpr)) {
        foreach (cell, ((FromExpr *)item)->fromlist)
            rebuild_join(query, (Node *)lfirst(cell));
        return;
    }
    if (!IsA(item, JoinExpr))
        return;
    JoinExpr *join = (JoinExpr *)item;
    rebuild_join(query, join->larg);
    rebuild_join(query, join->rarg);
    RangeTblEntry *rte = rt_fetch(join->rtindex, query->rtable);
    join->usingClause = NIL;
    join->alias = join->join_using_alias = nullptr;
    rte->alias = rte->join_using_alias = nullptr;
    rte->eref = makeAlias("unnamed_join", NIL);
    rte->joinmergedcols = 0;
    rte->joinaliasvars = NIL;
    rte->joinleftcols = add_join_columns(query, rte, join->larg);
    rte->joinrightcols = add_join_columns(query, rte, join->rarg);
}

void rebuild_joins(Query *query)
{
    flatten_joins(query);
    rebuild_join(query, (Node *)query->jointree);
}

void stand_for_statement(Query *query, const Query *statement)
{
    query->canSetTag = statement->canSetTag;
    query->queryId = statement->queryId;
    query->stmt_location = statement->stmt_location;
    query->stmt_len = statement->stmt_len;
}

void add_output(Query *select, Expr *expr, const char *name)
{
    int number = list_length(select->targetList) + 1;
    select->targetList =
        lappend(select->targetList, makeTargetEntry(expr, number, pstrdup(name), false));
}

int find_insert_source(const Query *insert)
{
    int varno = 0;
    ListCell *cell;
    foreach (cell, insert->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        varno++;
        if (rte->rtekind == RTE_VALUES || rte->rtekind == RTE_SUBQUERY)
            return varno;
    }
    return 0;
}

bool has_column_names(const Node *node)
{
    const RowExpr *row = (const RowExpr *)node;
    ListCell *cell;
    if (!IsA(node, RowExpr) || row->row_typeid != RECORDOID)
        return false;
    foreach (cell, row->colnames)
        if (strcmp(strVal(lfirst(cell)), psprintf("f%d", foreach_current_index(cell) + 1)) != 0)
            return true;
    return false;
}

bool is_the_same_for_all_rows(Node *expr)
{
    return !contain_var_clause(expr) && !contain_volatile_functions(expr) &&
           !checkExprHasSubLink(expr);
}

// `depth` counts the queries entered below the query at hand.
static bool raise_references(Node *node, void *context)
{
    int *depth = (int *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, RangeTblEntry)) {
        RangeTblEntry *rte = (RangeTblEntry *)node;
        if (rte->rtekind == RTE_CTE && (int)rte->ctelevelsup >= *depth)
            rte->ctelevelsup++;
        return false;
    }
    if (IsA(node, Query)) {
        (*depth)++;
        query_tree_walker((Query *)node, (bool (*)())raise_references, context,
                          QTW_EXAMINE_RTES_BEFORE);
        (*depth)--;
        return false;
    }
    return expression_tree_walker(node, (bool (*)())raise_references, context);
}

bool is_place_column(const Node *node)
{
    const Var *column = (const Var *)node;
    return IsA(column, Var) && column->varattno < 0 && column->varattno != TableOidAttributeNumber;
}

void raise_cte_references(Query *query)
{
    int depth = 0;
    query_tree_walker(query, (bool (*)())raise_references, &depth, QTW_EXAMINE_RTES_BEFORE);
}

static bool is_volatile_subquery(Node *node, void *context)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Query))
        return contain_volatile_functions(node);
    return expression_tree_walker(node, (bool (*)())is_volatile_subquery, context);
}

bool has_volatile_subquery(Query *query)
{
    return query_tree_walker(query, (bool (*)())is_volatile_subquery, nullptr, 0);
}

// Pairs of an entry and all of its rows.
List *shorten_values(Query *query)
{
    List *shortened = NIL;
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (rte->rtekind != RTE_VALUES || list_length(rte->values_lists) < 2)
            continue;
        shortened = lappend(lappend(shortened, rte), rte->values_lists);
        rte->values_lists = list_make1(linitial(rte->values_lists));
    }
    return shortened;
}

void restore_values(List *shortened)
{
    for (int i = 0; i < list_length(shortened); i += 2)
        ((RangeTblEntry *)list_nth(shortened, i))->values_lists =
            (List *)list_nth(shortened, i + 1);
}

} // namespace shardwise
