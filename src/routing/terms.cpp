#include "routing/terms.hpp"

extern "C" {
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

bool has_var(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Var))
        return true;
    return expression_tree_walker(node, (bool (*)())has_var, nullptr);
}

// A cast within the integers keeps the value, and its hash.
bool widens_integer(Node *node)
{
    if (!IsA(node, FuncExpr))
        return false;
    Oid function = ((FuncExpr *)node)->funcid;
    return function == F_INT8_INT4 || function == F_INT8_INT2 || function == F_INT4_INT2;
}

// An operator that compares two values for being the same, so that it carries values from one side
// to the other.
bool is_equality(Oid op, Oid collation, Node *left)
{
    if (OidIsValid(collation) && !get_collation_isdeterministic(collation))
        return false;
    Oid type = exprType(left);
    return op_mergejoinable(op, type) || op_hashjoinable(op, type);
}

} // namespace

bool terms_equal(const Term &a, const Term &b)
{
    return a.query == b.query && a.varno == b.varno && a.attno == b.attno;
}

bool is_known_value(Node *expr)
{
    return !checkExprHasSubLink(expr) && !has_var(expr, nullptr) && !contain_agg_clause(expr) &&
           !contain_window_function(expr) && !contain_volatile_functions(expr) &&
           !expression_returns_set(expr);
}

Node *strip_casts(Node *node)
{
    for (;;) {
        if (node != nullptr && IsA(node, RelabelType))
            node = (Node *)((RelabelType *)node)->arg;
        else if (node != nullptr && widens_integer(node))
            node = (Node *)linitial(((FuncExpr *)node)->args);
        else
            return node;
    }
}

bool find_term(Node *expr, Query *query, List *parents, Term *term)
{
    expr = strip_casts(expr);
    if (expr == nullptr || !IsA(expr, Var))
        return false;
    Var *var = (Var *)expr;
    if ((int)var->varlevelsup > list_length(parents) || var->varattno <= 0)
        return false;
    Query *level =
        var->varlevelsup == 0 ? query : (Query *)list_nth(parents, (int)var->varlevelsup - 1);
    RangeTblEntry *rte = rt_fetch(var->varno, level->rtable);
    if (rte->rtekind == RTE_JOIN) {
        Node *alias = (Node *)list_nth(rte->joinaliasvars, var->varattno - 1);
        List *level_parents = list_copy_tail(parents, (int)var->varlevelsup);
        return find_term(alias, level, level_parents, term);
    }
    *term = Term{level, (int)var->varno, var->varattno};
    return true;
}

bool match_equality(Node *clause, Node **left, Node **right)
{
    if (!IsA(clause, OpExpr))
        return false;
    OpExpr *op = (OpExpr *)clause;
    if (list_length(op->args) != 2)
        return false;
    *left = (Node *)linitial(op->args);
    *right = (Node *)lsecond(op->args);
    return is_equality(op->opno, op->inputcollid, *left);
}

bool match_seed(Node *clause, Query *query, List *parents, Seed *seed)
{
    if (IsA(clause, ScalarArrayOpExpr)) {
        ScalarArrayOpExpr *any = (ScalarArrayOpExpr *)clause;
        Node *left = (Node *)linitial(any->args);
        Node *right = (Node *)lsecond(any->args);
        seed->expr = (Expr *)right;
        seed->is_array = true;
        return any->useOr && is_equality(any->opno, any->inputcollid, left) &&
               find_term(left, query, parents, &seed->term) && is_known_value(right);
    }
    Node *left, *right;
    if (!match_equality(clause, &left, &right))
        return false;
    if (is_known_value(left))
        std::swap(left, right);
    seed->expr = (Expr *)right;
    seed->is_array = false;
    return is_known_value(right) && find_term(left, query, parents, &seed->term);
}

} // namespace shardwise
