#include "planner/modify_plan.hpp"

namespace shardwise
{

static constexpr const char *node_name = "ShardwiseModifyPlan";

static void copy_plan(ExtensibleNode *to_node, const ExtensibleNode *from_node)
{
    ModifyPlan *to = (ModifyPlan *)to_node;
    const ModifyPlan *from = (const ModifyPlan *)from_node;
    ExtensibleNode header = to->node;

    *to = *from;
    to->node = header;
    to->attributes = list_copy(from->attributes);
    to->new_row = list_copy(from->new_row);
    to->checks = (List *)copy_node((Node *)from->checks);
    to->move.stays = from->move.stays != nullptr ? pstrdup(from->move.stays) : nullptr;
    to->move.updated = bms_copy(from->move.updated);
    if (from->propose.fires)
        to->propose.columns = copy_array(from->propose.columns, from->propose.nattributes);
    to->propose.inserted = bms_copy(from->propose.inserted);
    to->actions = copy_array(from->actions, from->nactions);
    for (int i = 0; i < to->nactions; i++) {
        ModifyAction *action = &to->actions[i];
        if (action->change < 0)
            continue;
        action->old_columns = copy_array(action->old_columns, to->move.nattributes);
        action->new_columns = copy_array(action->new_columns, to->move.nattributes);
        action->fired_columns = copy_array(action->fired_columns, to->move.nattributes);
    }
    to->statements = copy_array(from->statements, from->nstatements);
    for (int i = 0; i < to->nstatements; i++) {
        BatchStatement *statement = &to->statements[i];
        statement->columns = copy_array(statement->columns, statement->route->nparams);
        statement->route = (Route *)copy_node((Node *)statement->route);
    }
}

static bool plans_equal(const ExtensibleNode *a, const ExtensibleNode *b)
{
    return a == b;
}

// For debug_print_plan only.
static void out_plan(StringInfo out, const ExtensibleNode *node)
{
    const ModifyPlan *plan = (const ModifyPlan *)node;
    appendStringInfo(out, " :relid %u :nstatements %d", plan->relid, plan->nstatements);
}

static void read_plan(ExtensibleNode *)
{
    // Plans are read back only in parallel workers, which never write.
    elog(ERROR, "cannot read a %s node", node_name);
}

static const ExtensibleNodeMethods methods = {node_name,   sizeof(ModifyPlan), copy_plan,
                                              plans_equal, out_plan,           read_plan};

ModifyPlan *make_modify_plan()
{
    ModifyPlan *plan = (ModifyPlan *)palloc0(sizeof(ModifyPlan));
    plan->node.type = T_ExtensibleNode;
    plan->node.extnodename = node_name;
    plan->shard_column = plan->now_column = plan->action_column = -1;
    plan->move.table_column = -1;
    plan->copies.place = -1;
    return plan;
}

void init_modify_plan()
{
    RegisterExtensibleNodeMethods(&methods);
}

bool updates_on_conflict(const ModifyPlan *plan)
{
    for (int i = 0; i < plan->nactions; i++) {
        const ModifyAction *action = &plan->actions[i];
        if (action->command == CMD_INSERT && action->statement >= 0 &&
            OidIsValid(plan->statements[action->statement].route->in_turns))
            return true;
    }
    return false;
}

} // namespace shardwise
