// The plan node that runs a route: sends the statement to the shards that its keys lead to and
// returns the rows as they come.
#pragma once

#include "pg/pg.hpp"
#include "catalog/held_maps.hpp"
#include "catalog/write_locks.hpp"
#include "executor/gather.hpp"
#include "executor/lookup.hpp"
#include "executor/rows.hpp"
#include "executor/values.hpp"
#include "planner/route.hpp"
#include "planner/shard_statement.hpp"

extern "C" {
#include "portability/instr_time.h"
#include "utils/tuplestore.h"
}

namespace shardwise
{

struct ShardPlaces {
    int32 shard;
    Datum places; // tid[]
};

struct RouteScanState {
    CustomScanState css;
    const Route *route;
    int nvalues;
    ExprState **value_states;
    Datum *values;
    bool *nulls;
    List *shards;              // numbers; NIL: not chosen yet
    uint64 map_version;        // by which they were chosen
    uint64 key_generation;     // of the keys that the last statement was reduced to; 0: of none
    Datum keys;                // those, an array
    Datum *key_parts;          // what each of `shards` gets of them; nullptr: all of them
    int reductions;            // statements so far that were reduced to keys
    bool checks_keys;          // before kept rows are read again: are the keys the same?
    Lookup *lookup;            // nullptr: the scan has none
    bool has_looked;           // for the value that it has now
    MemoryContext run_context; // of one run, where there may be many
    List *places;              // ShardPlaces *: of the rows that each shard is to lock
    uint64 execution;          // the plan's
    bool is_insert;
    bool reads_all; // what is above it asks for its rows to the last
    instr_time started;
    ParameterWriter *parameters;
    RowReader *rows;    // made with the first row
    RemoteQuery *query; // on one shard; nullptr: not sent yet, or over
    Gather *gather;     // on several
    bool is_done;
    WriteTurn turn;        // among statements on several shards
    bool is_finding;       // rows of several shards, to lock or change them
    bool has_claimed;      // the reference tables whose rows are locked
    Tuplestorestate *kept; // rows for another scan
    TupleTableSlot *kept_slot;
    bool kept_is_complete;
    bool keeps_rows;
    char *remote_plan; // EXPLAIN ANALYZE: the shard's own plan, as text or JSON
};

// Checks that the user may call the functions that the shards call for a route. Error: 42501.
void check_functions(const Route *route);

// The node as a route scan, or nullptr if it is another.
RouteScanState *as_route_scan(PlanState *node);

// Before a run of the executor that asks a plan for `count` rows (0: all): tells the scan that the
// plan ends in whether all of its rows are asked for.
void announce_rows_wanted(PlanState *plan, uint64 count);

// True while the innermost run of the executor is the only one of its plan.
extern bool runs_once;

// The number of the execution whose scans have ended since the last call; 0: none.
uint64 take_ended_execution();

// Sends the statement before a row is asked for, if it only reads and depends on no other rows, or
// on the keys of a join's other side, which can be read then.
void start_early(RouteScanState *state, bool keys_are_there);

// Registers the scan's methods.
void init_route_scan();

// The values of the route that is taken; Routes number them from there on.
inline Datum *route_values(const RouteScanState *state)
{
    return state->values + state->route->first_value;
}

inline bool *route_nulls(const RouteScanState *state)
{
    return state->nulls + state->route->first_value;
}

// Which map says where the rows are.
inline MapUse map_use(const RouteScanState *state)
{
    return {state->route->writes || state->route->first_copy, state->execution};
}

// True for a scan of a statement that reads.
bool only_reads(const RouteScanState *state);

// The same for one that leaves nothing behind on the shards, either.
bool is_pure_read(const RouteScanState *state);

// ---- for lookups ----

// Evaluates the value that this run looks for; it lives as long as the run.
Datum evaluate_lookup(RouteScanState *state, bool *is_null);

// Sends the statement for that value, or the one for all rows.
void run_lookup_statement(RouteScanState *state);
void run_whole_statement(RouteScanState *state);

// The next row of what was sent, in a slot of the scan's; empty at the end.
TupleTableSlot *fetch_row(RouteScanState *state);
void end_statement(RouteScanState *state);

// Adds the route's lines to EXPLAIN.
void explain_route(CustomScanState *node, List *ancestors, struct ExplainState *es);

// ---- route_shards.cpp ----

// Evaluates the route's values and chooses the shards, if they are not chosen yet.
void resolve_shards(RouteScanState *state);

// They are to be chosen anew.
void forget_shards(RouteScanState *state);

// True if rows changed their shard between the choice of the shards and the snapshots there. A
// writer to the new owner may then be seen on the other shards, but not there. Its commit came
// after the change's, which this sees.
bool map_has_moved(const RouteScanState *state);

// ---- route_send.cpp ----

// True if rows are locked and changed on one shard after the other.
bool goes_in_order(const RouteScanState *state);

// Sends the statement to the chosen shards; all get it before any is waited for.
void send_to_all(RouteScanState *state);

// Ends what was sent.
void drop_queries(RouteScanState *state);

// Gives a parameter (its number, from 1) a value.
void set_value(RouteScanState *state, int number, Datum value);

// What a shard gets: with the parameters' values in it where they are too many to be sent.
ShardStatement own_statement(RouteScanState *state, int32 shard);

// Sends `sql`, its own statement or one that has that in it, with the route's parameters to one
// shard.
RemoteQuery *send_to_shard(RouteScanState *state, int32 shard, const char *sql, uint64 statement_id,
                           bool binary_results);

// True while EXPLAIN ANALYZE runs a statement whose effects must happen only once: the shard is
// then asked for EXPLAIN ANALYZE of it, in place of the statement.
bool runs_under_explain(const RouteScanState *state);

// Runs the statement under EXPLAIN ANALYZE on the shard and keeps the shard's plan.
void run_explained(RouteScanState *state);

} // namespace shardwise
