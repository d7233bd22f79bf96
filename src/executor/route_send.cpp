// Sending a route's statement to its shards.
#include "executor/route_scan.hpp"

#include "executor/check_options.hpp"
#include "pg/nesting.hpp"
#include "transaction/participants.hpp"

namespace shardwise
{

namespace
{

Connection *join(RouteScanState *state, int32 shard)
{
    // What the shard has committed on its own cannot be undone when the router fails later.
    const Route *route = state->route;
    bool alone = executor_depth == 1 && utility_depth == 0 && route->is_only_scan &&
                 !(route->writes && (route->may_fail_late || list_length(state->shards) > 1));
    Access access = route->keeps_places   ? Access::ReadPlaces
                    : is_pure_read(state) ? Access::PureRead
                    : !route->writes      ? Access::Read
                    : route->only_locks   ? Access::Lock
                                          : Access::Write;
    return join_shard(shard, access, alone);
}

// The types of the parameters' values.
Oid *parameter_types(const RouteScanState *state)
{
    int n = state->route->nparams;
    List *exprs = ((CustomScan *)state->css.ss.ps.plan)->custom_exprs;
    Oid *types = (Oid *)palloc(sizeof(Oid) * (n + 1));
    for (int i = 0; i < n; i++)
        types[i] = exprType((Node *)list_nth(exprs, state->route->first_value + i));
    return types;
}

// Fills in the parameters that each shard has its own values of: the number by which rows say where
// they are, and the keys that the shard owns.
void fill_in_for_shard(RouteScanState *state, int32 shard)
{
    if (state->route->shard_param > 0)
        set_value(state, state->route->shard_param, CommandIdGetDatum(shard));
    ListCell *cell;
    foreach (cell, state->key_parts != nullptr ? state->shards : NIL)
        if (lfirst_int(cell) == shard)
            set_value(state, state->route->key_param,
                      state->key_parts[foreach_current_index(cell)]);
}

// Fills in the parameter by which a shard learns which rows to lock.
void tell_places(RouteScanState *state, int32 shard)
{
    ListCell *cell;
    foreach (cell, state->places) {
        const ShardPlaces *places = (const ShardPlaces *)lfirst(cell);
        if (places->shard == shard)
            set_value(state, state->route->places_param, places->places);
    }
}

// Writes start no parallel workers, nor does the search for one row.
Workers workers_for(const RouteScanState *state)
{
    if (state->route->writes || state->route->by_unique_key)
        return Workers::Any;
    return list_length(state->shards) > 1 ? Workers::Shared : Workers::Own;
}

// Few rows are read to the end at less cost than that of a savepoint. Those that come as one result
// have ended with the first of them, of several shards if it takes all to know which is the first.
bool may_end_early(const RouteScanState *state)
{
    const Route *route = state->route;
    bool ends_with_first = route->few_rows && (list_length(state->shards) == 1 || route->nsort > 0);
    return !state->reads_all && !ends_with_first && !route->by_unique_key && !route->is_selective &&
           only_reads(route);
}

RemoteQuery *send_bulk_read(RouteScanState *state, int32 shard)
{
    MemoryContext context = state->run_context;
    RemoteStatement statement = {};
    fill_in_for_shard(state, shard);
    statement.is_bulk = true;
    statement.may_end_early = may_end_early(state);
    statement.workers = workers_for(state);
    statement.sql =
        bulk_statement_for_shard(state->route, shard, map_use(state), parameter_types(state),
                                 route_values(state), route_nulls(state));
    return start_query(join(state, shard), &statement, nullptr, context);
}

// The protocol has room for so many. Constants of a statement and what the router computes for it
// are parameters as well, so that a route may have more than the client's statement.
bool takes_parameters(const Route *route)
{
    constexpr int most_parameters = 65535;
    return route->nparams <= most_parameters;
}

RemoteQuery *send(RouteScanState *state, int32 shard)
{
    if (state->route->is_bulk)
        return send_bulk_read(state, shard);
    ShardStatement statement = own_statement(state, shard);
    return send_to_shard(state, shard, statement.sql, statement.id, state->route->binary_results);
}

} // namespace

// Statements on the same keys then wait for each other, as where one server comes to the rows in
// one order, and do not meet in a deadlock.
bool goes_in_order(const RouteScanState *state)
{
    const Route *route = state->route;
    bool by_keys = route->npins > 0;
    for (int i = 0; i < route->npins; i++)
        by_keys &= !route->pins[i].is_range;
    return by_keys && route->writes && !OidIsValid(route->reference) && state->key_parts == nullptr;
}

void set_value(RouteScanState *state, int number, Datum value)
{
    route_values(state)[number - 1] = value;
    route_nulls(state)[number - 1] = false;
}

ShardStatement own_statement(RouteScanState *state, int32 shard)
{
    if (takes_parameters(state->route))
        return statement_for_shard(state->route, shard, map_use(state));
    MemoryContext saved = MemoryContextSwitchTo(state->run_context);
    fill_in_for_shard(state, shard);
    tell_places(state, shard);
    const char *sql =
        bound_statement_for_shard(state->route, shard, map_use(state), parameter_types(state),
                                  route_values(state), route_nulls(state));
    MemoryContextSwitchTo(saved);
    return {sql, 0};
}

RemoteQuery *send_to_shard(RouteScanState *state, int32 shard, const char *sql, uint64 statement_id,
                           bool binary_results)
{
    const Route *route = state->route;
    MemoryContext saved = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);
    int nparams = takes_parameters(route) ? route->nparams : 0;
    if (state->parameters == nullptr)
        state->parameters = make_parameter_writer(nparams, parameter_types(state));
    MemoryContextSwitchTo(state->run_context);
    fill_in_for_shard(state, shard);
    tell_places(state, shard);
    RemoteValues values =
        write_parameters(state->parameters, route_values(state), route_nulls(state));
    RemoteStatement statement = {statement_id, sql, nparams, route->param_types, binary_results};
    statement.few_rows = route->few_rows;
    statement.may_end_early = may_end_early(state);
    statement.workers = workers_for(state);
    // The next shard's values would take their place.
    statement.lasts = sql == route->sql && list_length(state->shards) == 1;
    if (route->checks != NIL) {
        statement.translate_error = raise_row_check;
        statement.argument = route;
    }
    RemoteQuery *query = start_query(join(state, shard), &statement, &values, state->run_context);
    MemoryContextSwitchTo(saved);
    return query;
}

void send_to_all(RouteScanState *state)
{
    if (list_length(state->shards) == 1 && !state->route->is_bulk) {
        state->query = send(state, linitial_int(state->shards));
        return;
    }
    MemoryContext saved = MemoryContextSwitchTo(state->run_context);
    int n = list_length(state->shards);
    if (state->route->writes && !state->route->only_locks)
        open_shards_for_write(state->shards);
    else
        open_shards(state->shards);
    RemoteQuery **queries = (RemoteQuery **)palloc(sizeof(RemoteQuery *) * n);
    ListCell *cell;
    bool in_order = goes_in_order(state);
    if (in_order)
        list_sort(state->shards, list_int_cmp);
    foreach (cell, state->shards) {
        RemoteQuery *query = send(state, lfirst_int(cell));
        queries[foreach_current_index(cell)] = query;
        if (in_order)
            await_query(query);
    }
    state->gather =
        make_gather(state->route, queries, n, state->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor);
    MemoryContextSwitchTo(saved);
}

void drop_queries(RouteScanState *state)
{
    if (state->query != nullptr)
        end_query(state->query);
    if (state->gather != nullptr)
        end_gather(state->gather);
    state->query = nullptr;
    state->gather = nullptr;
}

} // namespace shardwise
