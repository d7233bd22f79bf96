#include "planner/parameters.hpp"

#include "planner/shipping.hpp"

extern "C" {
#include "optimizer/optimizer.h"
}

namespace shardwise
{

namespace
{

Expr *value_of(const ShardParameters *parameters, Param *param)
{
    if (param->paramid >= router_param_base)
        return (Expr *)list_nth(parameters->router_values, param->paramid - router_param_base);
    return (Expr *)param;
}

// Types that users made have other OIDs on each server: such values go as text, with a cast.
bool has_fixed_oid(Oid type)
{
    return type < FirstNormalObjectId;
}

int add_parameter(ShardParameters *parameters, Param *param)
{
    int number = 0;
    ListCell *cell;
    foreach (cell, parameters->ids) {
        if (lfirst_int(cell) == param->paramid)
            return number;
        number++;
    }
    Expr *source = (Expr *)eval_const_expressions(nullptr, (Node *)value_of(parameters, param));
    parameters->ids = lappend_int(parameters->ids, param->paramid);
    parameters->sources = lappend(parameters->sources, source);
    parameters->types = lappend_oid(parameters->types,
                                    has_fixed_oid(param->paramtype) ? param->paramtype : TEXTOID);
    return number;
}

Node *number_mutator(Node *node, void *context)
{
    ShardParameters *parameters = (ShardParameters *)context;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query))
        return (Node *)query_tree_mutator((Query *)node, (Node * (*)()) number_mutator, context, 0);
    if (!IsA(node, Param) || ((Param *)node)->paramkind != PARAM_EXTERN)
        return expression_tree_mutator(node, (Node * (*)()) number_mutator, context);

    Param *param = (Param *)node;
    Param *numbered = copy_node(param);
    numbered->paramid = add_parameter(parameters, param) + 1;
    if (has_fixed_oid(param->paramtype))
        return (Node *)numbered;
    numbered->paramtype = TEXTOID;
    CoerceViaIO *cast = makeNode(CoerceViaIO);
    cast->arg = (Expr *)numbered;
    cast->resulttype = param->paramtype;
    cast->resultcollid = param->paramcollid;
    cast->coerceformat = COERCE_EXPLICIT_CAST;
    cast->location = -1;
    return (Node *)cast;
}

} // namespace

void number_parameters(Query *query, ShardParameters *parameters)
{
    Query *numbered = (Query *)number_mutator((Node *)query, parameters);
    *query = *numbered;
}

int find_parameter(const ShardParameters *parameters, const Expr *expr)
{
    if (!IsA(expr, Param))
        return -1;
    int number = 0;
    ListCell *cell;
    foreach (cell, parameters->ids) {
        if (lfirst_int(cell) == ((const Param *)expr)->paramid)
            return number;
        number++;
    }
    return -1;
}

} // namespace shardwise
