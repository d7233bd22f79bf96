// Choosing the shards of a route.
#include "executor/route_scan.hpp"

#include "executor/row_places.hpp"

extern "C" {
#include "executor/executor.h"
}

namespace shardwise
{

namespace
{

// The values live as long as the query, since EXPLAIN may need them again.
void evaluate_values(RouteScanState *state)
{
    ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
    int lookup = get_route((CustomScan *)state->css.ss.ps.plan)->lookup_param - 1;
    for (int i = 0; i < state->nvalues; i++)
        if (state->value_states[i] != nullptr && i != lookup)
            state->values[i] = ExecEvalExpr(state->value_states[i], econtext, &state->nulls[i]);
}

// Grows with each move of rows of the route's keyspaces.
uint64 map_version(const RouteScanState *state)
{
    const Route *route = state->route;
    uint64 version = 0;
    if (OidIsValid(route->reference))
        return 0;
    if (route->keyspace_id != 0)
        version = find_keyspace_for(route->keyspace_id, map_use(state))->moved_by;
    for (int i = 0; i < route->npins; i++)
        version += find_keyspace_for(route->pins[i].keyspace_id, map_use(state))->moved_by;
    return version;
}

// True if each shard gets the keys that it owns.
bool is_divided(const Route *route)
{
    return route->key_param > 0 && is_one_array(route->npins, route->pins) &&
           route->pins->values[0] == route->key_param - 1;
}

// Places that one scan of a statement has read are no good for another one that finds its rows on
// other shards.
void check_places(const RouteScanState *state)
{
    const Route *route = state->route;
    if (!route->compares_places || (!route->writes && has_held_maps(state->execution)))
        return;
    if (has_moved_since(find_keyspace(route->keyspace_id), state->css.ss.ps.state->es_snapshot))
        raise_rows_have_moved();
}

} // namespace

bool map_has_moved(const RouteScanState *state)
{
    if (!has_held_maps(state->execution)) {
        if (!goes_to_many(state->route))
            return false;
        AcceptInvalidationMessages();
    }
    return map_version(state) != state->map_version;
}

void forget_shards(RouteScanState *state)
{
    for (int i = 0; state->key_parts != nullptr && i < list_length(state->shards); i++)
        pfree(DatumGetPointer(state->key_parts[i]));
    state->key_parts = nullptr;
    list_free(state->shards);
    state->shards = NIL;
}

void resolve_shards(RouteScanState *state)
{
    if (state->shards != NIL)
        return;
    MemoryContext saved = MemoryContextSwitchTo(state->run_context);
    evaluate_values(state);
    const Route *route = state->route;
    RoutedKeys keys = {route->npins, route->pins, route_values(state), route_nulls(state),
                       map_use(state)};
    state->map_version = map_version(state);
    if (OidIsValid(route->reference))
        state->shards = list_all_shards();
    else if (goes_to_many(route)) {
        if (state->keys != (Datum)0 && is_divided(route)) {
            set_value(state, route->key_param, state->keys);
            state->shards = split_keys(keys, &state->key_parts);
        } else {
            state->shards = choose_shards(keys, route->keyspace_id);
            if (state->keys != (Datum)0 && route->keys_are_places)
                state->shards = divide_places(state->shards, state->keys, &state->key_parts);
        }
        check_places(state);
    } else
        state->shards = list_make1_int(choose_shard(keys, route->keyspace_id, state->is_insert));
    if (route->place_shard > 0) {
        // The row may have moved until the gates were passed: now the cursor's row can be trusted.
        evaluate_values(state);
        if (!route_nulls(state)[route->place_shard - 1])
            state->shards =
                list_make1_int(DatumGetInt32(route_values(state)[route->place_shard - 1]));
    }
    MemoryContextSwitchTo(saved);
}

} // namespace shardwise
