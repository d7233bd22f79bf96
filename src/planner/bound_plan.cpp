#include "planner/bound_plan.hpp"

#include "planner/normalize.hpp"

namespace shardwise
{

namespace
{

// The size of a node that may stand in a bindable plan; 0 for all others.
Size size_of_node(const Plan *plan)
{
    switch (nodeTag(plan)) {
    case T_CustomScan:
        return sizeof(CustomScan);
    case T_Agg:
        return sizeof(Agg);
    case T_Limit:
        return sizeof(Limit);
    case T_Result:
        return sizeof(Result);
    case T_Sort:
        return sizeof(Sort);
    case T_Unique:
        return sizeof(Unique);
    default:
        return 0;
    }
}

// Conditions and parts that other nodes hold besides their outputs.
bool is_plain(const Plan *plan)
{
    if (size_of_node(plan) == 0 || plan->initPlan != NIL || plan->righttree != nullptr)
        return false;
    if (IsA(plan, Agg))
        return ((const Agg *)plan)->chain == NIL;
    if (IsA(plan, Result))
        return ((const Result *)plan)->resconstantqual == nullptr;
    return true;
}

// Parameters of the user's statement stay. The constants themselves are used: a plan's expressions
// are not changed.
List *bind_values(List *values, List *constants)
{
    List *bound = NIL;
    ListCell *cell;
    foreach (cell, values) {
        Node *expr = (Node *)lfirst(cell);
        if (!IsA(expr, Param))
            expr = restore_constants(expr, constants);
        else if (((Param *)expr)->paramid >= constant_param_base)
            expr = (Node *)list_nth(constants, ((Param *)expr)->paramid - constant_param_base);
        bound = lappend(bound, expr);
    }
    return bound;
}

} // namespace

bool is_bindable(const PlannedStmt *statement)
{
    if (statement->subplans != NIL || statement->paramExecTypes != NIL)
        return false;
    const Plan *plan = statement->planTree;
    while (plan->lefttree != nullptr && is_plain(plan))
        plan = plan->lefttree;
    return is_plain(plan) && is_route_scan(plan);
}

Route *bindable_route(const PlannedStmt *statement)
{
    const Plan *plan = statement->planTree;
    while (plan->lefttree != nullptr)
        plan = plan->lefttree;
    return (Route *)linitial(((const CustomScan *)plan)->custom_private);
}

bool outputs_hold_constants(const PlannedStmt *statement)
{
    for (const Plan *plan = statement->planTree; plan != nullptr; plan = plan->lefttree)
        if (holds_taken_constants((Node *)plan->targetlist) ||
            holds_taken_constants((Node *)plan->qual))
            return true;
    return false;
}

Plan *bind_plan(const Plan *plan, List *constants, bool outputs)
{
    Size size = size_of_node(plan);
    Plan *bound = (Plan *)palloc(size);
    memcpy(bound, plan, size);
    if (outputs) {
        bound->targetlist = (List *)restore_constants((Node *)plan->targetlist, constants);
        bound->qual = (List *)restore_constants((Node *)plan->qual, constants);
    }
    if (plan->lefttree != nullptr) {
        bound->lefttree = bind_plan(plan->lefttree, constants, outputs);
    } else {
        CustomScan *scan = (CustomScan *)bound;
        scan->custom_exprs = bind_values(scan->custom_exprs, constants);
    }
    return bound;
}

} // namespace shardwise
