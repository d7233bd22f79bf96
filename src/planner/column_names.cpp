#include "planner/column_names.hpp"

extern "C" {
#include "nodes/bitmapset.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/ruleutils.h"
}

namespace shardwise
{

static char *expression_text(Query *query, Node *expr)
{
    PlannedStmt *scope = makeNode(PlannedStmt); // lends its range table alone
    scope->rtable = query->rtable;
    Bitmapset *all = nullptr;
    if (query->rtable != NIL)
        all = bms_add_range(nullptr, 1, list_length(query->rtable));
    List *names = select_rtable_names_for_explain(query->rtable, all);
    List *context = deparse_context_for_plan_tree(scope, names);
    return deparse_expression(expr, context, false, false);
}

char *describe_column(Query *query, const TargetEntry *entry)
{
    Node *expr = (Node *)entry->expr;
    if (entry->resname != nullptr)
        return pstrdup(entry->resname);
    if (IsA(expr, Var) && ((Var *)expr)->varlevelsup == 0) {
        const Var *var = (const Var *)expr;
        return get_rte_attribute_name(rt_fetch(var->varno, query->rtable), var->varattno);
    }
    if (IsA(expr, Aggref) && entry->ressortgroupref == 0) // no key: seldom seen
        return get_func_name(((Aggref *)expr)->aggfnoid);
    if (checkExprHasSubLink(expr))
        return psprintf("column %d", entry->resno);
    return expression_text(query, expr);
}

} // namespace shardwise
