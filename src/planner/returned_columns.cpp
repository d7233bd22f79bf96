#include "planner/returned_columns.hpp"

namespace shardwise
{

namespace
{

struct Columns {
    List *entries; // TargetEntry: what the write returns
    int depth;     // queries entered
    Refusal refusal;
};

int number_of(Columns *columns, Var *var)
{
    ListCell *cell;
    foreach (cell, columns->entries)
        if (equal(((TargetEntry *)lfirst(cell))->expr, var))
            return foreach_current_index(cell) + 1;
    int number = list_length(columns->entries) + 1;
    columns->entries = lappend(
        columns->entries, makeTargetEntry((Expr *)var, number, psprintf("c%d", number), false));
    return number;
}

Node *point_at_columns(Node *node, void *context)
{
    Columns *columns = (Columns *)context;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query)) {
        columns->depth++;
        Node *query =
            (Node *)query_tree_mutator((Query *)node, (Node * (*)()) point_at_columns, context, 0);
        columns->depth--;
        return query;
    }
    if (!IsA(node, Var) || (int)((Var *)node)->varlevelsup != columns->depth)
        return expression_tree_mutator(node, (Node * (*)()) point_at_columns, context);
    Var *var = copy_node((Var *)node);
    var->varlevelsup = 0;
    if (var->vartype == RECORDOID)
        columns->refusal = pstrdup("A subquery reads a whole row without a type.");
    return (Node *)makeVar(1, number_of(columns, var), var->vartype, var->vartypmod, var->varcollid,
                           columns->depth);
}

} // namespace

Refusal point_at_returned(Node **expr, List **returning)
{
    Columns columns = {*returning, 0, nullptr};
    *expr = point_at_columns(*expr, &columns);
    *returning = columns.entries;
    return columns.refusal;
}

} // namespace shardwise
