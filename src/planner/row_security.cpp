#include "planner/row_security.hpp"

#include "pg/query_form.hpp"
#include "pg/query_tree.hpp"

extern "C" {
#include "nodes/bitmapset.h"
#include "optimizer/clauses.h"
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

// CASE WHEN condition THEN guarded ELSE false END, which orders the two conditions.
Node *guard(Node *condition, Node *guarded)
{
    return (Node *)make_case(condition, (Expr *)guarded, (Expr *)makeBoolConst(false, false));
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

// System columns and whole rows of a table, which become columns of the subquery in its place.
struct HiddenColumns {
    int varno;
    int depth;
    RangeTblEntry *rte;
    Query *subquery;
};

char *unused_name(List *names, const char *wanted)
{
    char *name = pstrdup(wanted);
    for (int i = 1; list_member(names, makeString(name)); i++)
        name = psprintf("%s %d", wanted, i);
    return name;
}

// The number of the subquery's column that shows what the Var meant; made with the first use.
AttrNumber show_hidden_column(HiddenColumns *hidden, const Var *var)
{
    Var *inner = copy_node(var);
    inner->varno = inner->varnosyn = 1;
    inner->varattnosyn = inner->varattno;
    inner->varlevelsup = 0;
    ListCell *cell;
    foreach (cell, hidden->subquery->targetList)
        if (equal(((TargetEntry *)lfirst(cell))->expr, inner))
            return foreach_current_index(cell) + 1;

    int number = list_length(hidden->subquery->targetList) + 1;
    List **names = &hidden->rte->eref->colnames;
    char *name = unused_name(*names, var->varattno == 0 ? "whole row" : psprintf("%d", number));
    hidden->subquery->targetList =
        lappend(hidden->subquery->targetList, makeTargetEntry((Expr *)inner, number, name, false));
    *names = lappend(*names, makeString(name));
    return number;
}

bool replace_hidden_columns(Node *node, void *context)
{
    HiddenColumns *hidden = (HiddenColumns *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Var)) {
        Var *var = (Var *)node;
        if (var->varno == hidden->varno && (int)var->varlevelsup == hidden->depth &&
            var->varattno <= 0)
            var->varattno = var->varattnosyn = show_hidden_column(hidden, var);
        return false;
    }
    if (IsA(node, Query)) {
        hidden->depth++;
        (void)query_tree_walker((Query *)node, (bool (*)())replace_hidden_columns, context, 0);
        hidden->depth--;
        return false;
    }
    return expression_tree_walker(node, (bool (*)())replace_hidden_columns, context);
}

Expr *column_or_null(Form_pg_attribute attribute)
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
        subquery->targetList = lappend(
            subquery->targetList, makeTargetEntry(column_or_null(attribute), i + 1, name, false));
        lfirst(list_nth_cell(rte->eref->colnames, i)) = makeString(pstrdup(name));
    }
    table_close(relation, NoLock);

    rte->rtekind = RTE_SUBQUERY;
    rte->subquery = subquery;
    rte->security_barrier = true;
    rte->relid = InvalidOid;
    rte->relkind = 0;
    rte->rellockmode = 0;
    rte->inh = false;
    drop_permissions(rte);
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
    subquery->limitOffset = (Node *)make_int8(0);
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
        wrap_table(query, varno);
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

} // namespace

void wrap_table(Query *query, int varno)
{
    RangeTblEntry *rte = rt_fetch(varno, query->rtable);
    make_barrier_subquery(rte, varno);
    HiddenColumns hidden = {varno, 0, rte, rte->subquery};
    (void)query_tree_walker(query, (bool (*)())replace_hidden_columns, &hidden, 0);
}

char *apply_row_security(Query *query)
{
    return secure_level(query);
}

} // namespace shardwise
