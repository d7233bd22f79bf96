#include "executor/statistics.hpp"

#include "executor/route_scan.hpp"
#include "monitor/monitor.hpp"

namespace shardwise
{

namespace
{

// What the routes of one statement did together.
struct Execution {
    bool any;
    int tier;
    List *shards;
    double microseconds;
};

bool add_route(PlanState *node, void *context)
{
    Execution *execution = (Execution *)context;
    if (node == nullptr)
        return false;
    const RouteScanState *state = as_route_scan(node);
    if (state == nullptr)
        return planstate_tree_walker(node, (bool (*)())add_route, context);
    if (INSTR_TIME_IS_ZERO(state->started))
        return false; // counting was off
    if (!execution->any)
        execution->microseconds = microseconds_since(state->started);
    execution->any = true;
    execution->tier = std::max(execution->tier, (int)state->route->tier);
    execution->shards =
        execution->shards == NIL ? state->shards : list_union_int(execution->shards, state->shards);
    return false;
}

} // namespace

void count_execution(QueryDesc *desc)
{
    const PlannedStmt *statement = desc->plannedstmt;
    if (!tracks_queries() || statement->queryId == 0 || desc->planstate == nullptr ||
        (desc->estate->es_top_eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0)
        return;
    Execution execution = {};
    (void)add_route(desc->planstate, &execution);
    if (!execution.any)
        return;
    count_query({statement->queryId, desc->sourceText, statement->stmt_location,
                 statement->stmt_len, execution.tier, list_length(execution.shards),
                 desc->estate->es_processed, execution.microseconds});
}

} // namespace shardwise
