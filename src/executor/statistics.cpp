#include "executor/statistics.hpp"

#include "executor/modify_scan.hpp"
#include "executor/route_scan.hpp"
#include "monitor/monitor.hpp"

namespace shardwise
{

namespace
{

// What the scans and writes of one statement did together.
struct Execution {
    bool any;
    int tier;
    List *shards;
    double microseconds;
};

void add(Execution *execution, int tier, List *shards, const instr_time &started)
{
    if (INSTR_TIME_IS_ZERO(started))
        return; // counting was off
    if (!execution->any)
        execution->microseconds = microseconds_since(started);
    execution->any = true;
    execution->tier = std::max(execution->tier, tier);
    execution->shards =
        execution->shards == NIL ? shards : list_union_int(execution->shards, shards);
}

bool add_node(PlanState *node, void *context)
{
    Execution *execution = (Execution *)context;
    if (node == nullptr)
        return false;
    if (const RouteScanState *state = as_route_scan(node)) {
        add(execution, (int)state->route->tier, state->shards, state->started);
        return false;
    }
    if (const ModifyResult *written = as_modify_scan(node))
        add(execution, (int)Tier::Scatter, written->shards, written->started);
    return planstate_tree_walker(node, (bool (*)())add_node, context);
}

} // namespace

void count_execution(QueryDesc *desc)
{
    const PlannedStmt *statement = desc->plannedstmt;
    if (!tracks_queries() || statement->queryId == 0 || desc->planstate == nullptr ||
        (desc->estate->es_top_eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0)
        return;
    Execution execution = {};
    (void)add_node(desc->planstate, &execution);
    if (!execution.any)
        return;
    count_query({(uint64)statement->queryId, desc->sourceText, statement->stmt_location,
                 statement->stmt_len, execution.tier, list_length(execution.shards),
                 desc->estate->es_processed, execution.microseconds});
}

} // namespace shardwise
