#include "planner/row_security.hpp"

#include "pg/query_tree.hpp"

extern "C" {
#include "catalog/pg_collation.h"
#include "nodes/bitmapset.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
}

namespace shardwise
{

namespace
{

// A WHERE clause as a list of conjuncts.
List *conjuncts(Node *quals)
{
    if (quals == nullptr)
        return NIL;
    if (!is_andclause(quals))
        return list_make1(quals);
    List *result = NIL;
    ListCell *cell;
    foreach (cell, ((BoolExpr *)quals)->args)
        result = list_concat(result, conjuncts((Node *)lfirst(cell)));
    return result;
}

bool leaks(Node *clause)
{
    return contain_leaked_vars(clause) || contain_subplans(clause);
}

bool joins_leak(Node *node, void *)
{
    if (node == nullptr || IsA(node, Query))
        return false;
    if (IsA(node, JoinExpr) && ((JoinExpr *)node)->quals != nullptr &&
        leaks(((JoinExpr *)node)->quals))
        return true;
    return expression_tree_walker(node, (bool (*)())joins_leak, nullptr);
}

// CASE WHEN condition THEN guarded ELSE false END: the one way in SQL to order two conditions.
Node *guard(Node *condition, Node *guarded)
{
    CaseWhen *when = makeNode(CaseWhen);
    when->expr = (Expr *)condition;
    when->result = (Expr *)guarded;
    when->location = -1;
    CaseExpr *ordered = makeNode(CaseExpr);
    ordered->casetype = BOOLOID;
    ordered->args = list_make1(when);
    ordered->defresult = (Expr *)makeBoolConst(false, false);
    ordered->location = -1;
    return (Node *)ordered;
}

// UPDATE, DELETE: the target cannot be a subquery, so its conditions go first in WHERE.
char *secure_target(Query *query, RangeTblEntry *rte)
{
    if (joins_leak((Node *)query->jointree, nullptr))
        return pstrdup("A join condition could reveal rows that row-level security hides.");
    List *before = NIL;
    List *after = NIL;
    ListCell *cell;
    foreach (cell, conjuncts(query->jointree->quals)) {
        Node *clause = (Node *)lfirst(cell);
        if (leaks(clause))
            after = lappend(after, clause);
        else
            before = lappend(before, clause);
    }
    Node *condition = make_conjunction(rte->securityQuals);
    if (after != NIL)
        condition = guard(condition, make_conjunction(after));
    query->jointree->quals = make_conjunction(lappend(before, condition));
    rte->securityQuals = NIL;
    return nullptr;
}

struct UseContext {
    int varno;
    int depth;
};

// System columns and whole rows of a table have no counterpart once it is a subquery.
bool uses_hidden_columns(Node *node, void *context)
{
    UseContext *use = (UseContext *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Var)) {
        Var *var = (Var *)node;
        return var->varno == use->varno && (int)var->varlevelsup == use->depth &&
               var->varattno <= 0;
    }
    if (IsA(node, Query)) {
        use->depth++;
        bool found = query_tree_walker((Query *)node, (bool (*)())uses_hidden_columns, context, 0);
        use->depth--;
        return found;
    }
    return expression_tree_walker(node, (bool (*)())uses_hidden_columns, context);
}

Expr *column_or_null(RangeTblEntry *rte, Form_pg_attribute attribute)
{
    if (attribute->attisdropped)
        return (Expr *)makeNullConst(INT4OID, -1, InvalidOid);
    return (Expr *)makeVar(1, attribute->attnum, attribute->atttypid, attribute->atttypmod,
                           attribute->attcollation, 0);
}

// Turns a table with security conditions into a subquery over it, column for column.
void make_barrier_subquery(RangeTblEntry *rte, int varno)
{
    RangeTblEntry *inner = copy_node(rte);
    inner->securityQuals = NIL;
    inner->alias = nullptr;
    inner->lateral = false;

    ChangeVarNodes((Node *)rte->securityQuals, varno, 1, 0);
    Query *subquery = make_select_from(inner, make_conjunction(rte->securityQuals));
    subquery->hasSubLinks = checkExprHasSubLink(subquery->jointree->quals);

    Relation relation = table_open(rte->relid, AccessShareLock);
    TupleDesc columns = RelationGetDescr(relation);
    for (int i = 0; i < columns->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(columns, i);
        char *name = attribute->attisdropped ? psprintf("dropped %d", i + 1)
                                             : pstrdup(NameStr(attribute->attname));
        subquery->targetList =
            lappend(subquery->targetList,
                    makeTargetEntry(column_or_null(rte, attribute), i + 1, name, false));
    }
    table_close(relation, NoLock);

    rte->rtekind = RTE_SUBQUERY;
    rte->subquery = subquery;
    rte->security_barrier = true;
    rte->relid = InvalidOid;
    rte->relkind = 0;
    rte->rellockmode = 0;
    rte->inh = false;
    rte->requiredPerms = 0;
    rte->selectedCols = rte->insertedCols = rte->updatedCols = nullptr;
    rte->extraUpdatedCols = nullptr;
    rte->securityQuals = NIL;
}

struct InlineContext {
    int varno;
    Query *subquery;
    bool failed;
};

// Expresses a condition on a subquery's columns in terms of the columns inside.
Node *inline_columns(Node *node, void *context)
{
    InlineContext *inlining = (InlineContext *)context;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Var)) {
        Var *var = (Var *)node;
        Expr *expr = nullptr;
        if (var->varno == inlining->varno && var->varlevelsup == 0 && var->varattno > 0)
            expr =
                ((TargetEntry *)list_nth(inlining->subquery->targetList, var->varattno - 1))->expr;
        if (expr != nullptr && IsA(expr, Var))
            return (Node *)copy_node(expr);
        inlining->failed = true;
        return node;
    }
    return expression_tree_mutator(node, (Node * (*)()) inline_columns, context);
}

// Keeps the reader's leaky conditions out of a security barrier: OFFSET 0 stops the shard's planner
// from moving them in. Harmless ones (on the key, above all) are copied inside, for the index.
void fence_subquery(Query *query, int varno, Query *subquery)
{
    ListCell *cell;
    bool any_leak = joins_leak((Node *)query->jointree, nullptr);
    List *inside = NIL;
    foreach (cell, conjuncts(query->jointree->quals)) {
        Node *clause = (Node *)lfirst(cell);
        if (leaks(clause)) {
            any_leak = true;
            continue;
        }
        InlineContext context = {varno, subquery, false};
        Node *moved = inline_columns(clause, &context);
        if (!context.failed)
            inside = lappend(inside, moved);
    }
    if (!any_leak || subquery->limitOffset != nullptr || subquery->limitCount != nullptr)
        return;
    bool simple = subquery->groupClause == NIL && !subquery->hasAggs && !subquery->hasWindowFuncs &&
                  subquery->distinctClause == NIL && subquery->setOperations == nullptr &&
                  subquery->groupingSets == NIL;
    if (simple && inside != NIL)
        subquery->jointree->quals =
            make_conjunction(list_concat(inside, conjuncts(subquery->jointree->quals)));
    subquery->limitOffset =
        (Node *)makeConst(INT8OID, -1, InvalidOid, sizeof(int64), Int64GetDatum(0), false, true);
}

char *secure_level(Query *query);

bool secure_subqueries(Node *node, void *context)
{
    char **refusal = (char **)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        *refusal = secure_level((Query *)node);
        return *refusal != nullptr;
    }
    return expression_tree_walker(node, (bool (*)())secure_subqueries, context);
}

char *secure_level(Query *query)
{
    char *refusal = nullptr;
    int varno = 0;
    ListCell *cell;

    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        varno++;
        if (rte->securityQuals == NIL ||
            (varno == query->resultRelation && query->commandType == CMD_INSERT))
            continue;
        if (varno == query->resultRelation) {
            refusal = secure_target(query, rte);
            if (refusal != nullptr)
                return refusal;
            continue;
        }
        UseContext use = {varno, -1};
        if (uses_hidden_columns((Node *)query, &use))
            return psprintf("A system column or whole row of table \"%s\", which has row-level "
                            "security, is used.",
                            get_rel_name(rte->relid));
        make_barrier_subquery(rte, varno);
    }
    if (query_tree_walker(query, (bool (*)())secure_subqueries, &refusal, 0))
        return refusal;
    varno = 0;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        varno++;
        if (rte->rtekind == RTE_SUBQUERY && rte->security_barrier && query->jointree != nullptr)
            fence_subquery(query, varno, rte->subquery);
    }
    return nullptr;
}

bool has_check_options(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        if (((Query *)node)->withCheckOptions != NIL)
            return true;
        return query_tree_walker((Query *)node, (bool (*)())has_check_options, nullptr, 0);
    }
    return expression_tree_walker(node, (bool (*)())has_check_options, nullptr);
}

// ---- WITH CHECK OPTION
// ---------------------------------------------------------------------------

Expr *column_as_text(int varno, Form_pg_attribute attribute)
{
    CoerceViaIO *cast = makeNode(CoerceViaIO);
    cast->arg = (Expr *)makeVar(varno, attribute->attnum, attribute->atttypid, attribute->atttypmod,
                                attribute->attcollation, 0);
    cast->resulttype = TEXTOID;
    cast->resultcollid = DEFAULT_COLLATION_OID;
    cast->coerceformat = COERCE_EXPLICIT_CAST;
    cast->location = -1;
    return (Expr *)cast;
}

// The row as PostgreSQL shows it in "Failing row contains": one text a column. Row-level security
// must not show it.
Expr *failing_row(Query *query, const WithCheckOption *check)
{
    ArrayExpr *array = makeNode(ArrayExpr);
    array->array_typeid = TEXTARRAYOID;
    array->array_collid = DEFAULT_COLLATION_OID;
    array->element_typeid = TEXTOID;
    array->location = -1;
    if (check->kind == WCO_VIEW_CHECK) {
        Relation relation =
            table_open(rt_fetch(query->resultRelation, query->rtable)->relid, AccessShareLock);
        TupleDesc columns = RelationGetDescr(relation);
        for (int i = 0; i < columns->natts; i++)
            if (!TupleDescAttr(columns, i)->attisdropped)
                array->elements =
                    lappend(array->elements,
                            column_as_text(query->resultRelation, TupleDescAttr(columns, i)));
        table_close(relation, NoLock);
    }
    return (Expr *)array;
}

// NULL where the new row passes the check, else the row.
Expr *check_column(Query *query, const WithCheckOption *check)
{
    CaseWhen *passes = makeNode(CaseWhen);
    passes->expr = (Expr *)check->qual;
    passes->result = (Expr *)makeNullConst(TEXTARRAYOID, -1, DEFAULT_COLLATION_OID);
    passes->location = -1;
    CaseExpr *result = makeNode(CaseExpr);
    result->casetype = TEXTARRAYOID;
    result->casecollid = DEFAULT_COLLATION_OID;
    result->args = list_make1(passes);
    result->defresult = failing_row(query, check);
    result->location = -1;
    return (Expr *)result;
}

} // namespace

char *apply_row_security(Query *query)
{
    return secure_level(query);
}

List *append_check_columns(Query *query, char **refusal)
{
    List *checks = query->withCheckOptions;
    query->withCheckOptions = NIL;
    if (has_check_options((Node *)query, nullptr)) {
        *refusal = pstrdup("A WITH CHECK OPTION inside a modifying CTE is not supported.");
        return NIL;
    }
    List *kept = NIL;
    ListCell *cell;
    foreach (cell, checks) {
        WithCheckOption *check = (WithCheckOption *)lfirst(cell);
        if (check->kind == WCO_RLS_CONFLICT_CHECK) {
            *refusal = pstrdup("ON CONFLICT DO UPDATE on a table with row-level security needs a "
                               "check of the row that is already there.");
            return NIL;
        }
        TargetEntry *entry =
            makeTargetEntry(check_column(query, check), list_length(query->returningList) + 1,
                            psprintf("check %d", list_length(kept) + 1), false);
        query->returningList = lappend(query->returningList, entry);
        WithCheckOption *bare = copy_node(check);
        bare->qual = nullptr;
        kept = lappend(kept, bare);
    }
    return kept;
}

} // namespace shardwise
