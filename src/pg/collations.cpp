#include "pg/collations.hpp"

namespace shardwise
{

namespace
{

// The collation that the parser gives to the text of a constant, parameter or cast.
Oid collation_as_read(const Node *node)
{
    if (IsA(node, RelabelType)) {
        Oid below = exprCollation((Node *)((const RelabelType *)node)->arg);
        if (OidIsValid(below))
            return below;
    }
    return get_typcollation(exprType(node));
}

bool hides_collation(const Node *node)
{
    bool may_hide = IsA(node, Const) || IsA(node, RelabelType) ||
                    (IsA(node, Param) && ((const Param *)node)->paramkind == PARAM_EXTERN);
    if (!may_hide)
        return false;
    Oid collation = exprCollation(node);
    return OidIsValid(collation) && collation != collation_as_read(node);
}

bool find_hidden(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Query))
        return query_tree_walker((Query *)node, (bool (*)())find_hidden, nullptr,
                                 QTW_IGNORE_JOINALIASES);
    return hides_collation(node) || expression_tree_walker(node, (bool (*)())find_hidden, nullptr);
}

Node *collate(Node *node, Oid collation)
{
    CollateExpr *expr = makeNode(CollateExpr);
    expr->arg = (Expr *)node;
    expr->collOid = collation;
    expr->location = -1;
    return (Node *)expr;
}

// `context`: the collation that the function or operator above works with, if there is one. What
// stands for a value, and not for COLLATE, takes it: its own may be in conflict with one that was
// written beside it.
Node *show_hidden(Node *node, void *context)
{
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query))
        return (Node *)query_tree_mutator((Query *)node, (Node * (*)()) show_hidden, nullptr,
                                          QTW_IGNORE_JOINALIASES);
    Oid wanted = context != nullptr ? *static_cast<Oid *>(context) : InvalidOid;
    if (IsA(node, List)) // of arguments
        return expression_tree_mutator(node, (Node * (*)()) show_hidden, context);

    Oid inner = exprInputCollation(node);
    Node *copy = expression_tree_mutator(node, (Node * (*)()) show_hidden, &inner);
    if (!hides_collation(node))
        return copy;
    Oid own = exprCollation(node);
    if (!IsA(node, RelabelType))
        return collate(copy, OidIsValid(wanted) ? wanted : own);
    ((RelabelType *)copy)->resultcollid = collation_as_read(node);
    return collate(copy, own);
}

} // namespace

void show_collations(Query *query)
{
    if (find_hidden((Node *)query, nullptr))
        query_tree_mutator(query, (Node * (*)()) show_hidden, nullptr,
                           QTW_DONT_COPY_QUERY | QTW_IGNORE_JOINALIASES);
}

} // namespace shardwise
