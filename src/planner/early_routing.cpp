#include "planner/early_routing.hpp"

#include "planner/route.hpp"

extern "C" {
#include "nodes/params.h"
#include "optimizer/optimizer.h"
}

namespace shardwise
{

static bool has_one_key(const Route *route)
{
    if (route->npins > 1)
        return false;
    for (int i = 0; route->npins == 1 && i < route->pins[0].nkeys; i++)
        if (route->pins[0].is_array[i])
            return false;
    return true;
}

// A value that is known before the statement runs.
static bool known_value(const Node *expr, ParamListInfo params, Datum *value, bool *is_null)
{
    if (IsA(expr, Const)) {
        *value = ((const Const *)expr)->constvalue;
        *is_null = ((const Const *)expr)->constisnull;
        return true;
    }
    if (!IsA(expr, Param) || params == nullptr || params->paramFetch != nullptr)
        return false;
    int number = ((const Param *)expr)->paramid;
    if (number < 1 || number > params->numParams || !OidIsValid(params->params[number - 1].ptype))
        return false;
    *value = params->params[number - 1].value;
    *is_null = params->params[number - 1].isnull;
    return true;
}

// An array of constants is known as well.
static const Node *fold(const Node *expr)
{
    return IsA(expr, Const) || IsA(expr, Param)
               ? expr
               : eval_const_expressions(nullptr, copy_node((Node *)expr));
}

bool leads_to_one_shard(PlannedStmt *plan, ParamListInfo params)
{
    const CustomScan *scan = (const CustomScan *)plan->planTree;
    const Route *route = get_route(scan);
    if (has_one_key(route))
        return true;

    int n = list_length(scan->custom_exprs);
    Datum *values = (Datum *)palloc0(sizeof(Datum) * n);
    bool *nulls = (bool *)palloc0(sizeof(bool) * n);
    ListCell *cell;
    foreach (cell, scan->custom_exprs) {
        int i = foreach_current_index(cell);
        nulls[i] = true;
        bool is_key = false;
        for (int pin = 0; pin < route->npins; pin++)
            for (int column = 0; column < route->pins[pin].nkeys; column++)
                is_key |= route->pins[pin].values[column] == i;
        if (is_key && !known_value(fold((const Node *)lfirst(cell)), params, &values[i], &nulls[i]))
            return false;
    }
    RoutedKeys keys = {route->npins, route->pins, values, nulls, {}};
    if (list_length(find_owners(keys, false)) > 1)
        return false;
    plan->relationOids = lappend_oid(list_copy(plan->relationOids), catalog_table_oid("keyspace"));
    return true;
}

} // namespace shardwise
