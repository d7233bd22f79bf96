// What the planner leaves for the executor: a statement, and which shards it goes to.
#pragma once

#include "pg/pg.hpp"
#include "routing/shard_choice.hpp"

extern "C" {
#include "nodes/extensible.h"
}

namespace shardwise
{

enum class Tier {
    FastPath,    // one table, key given
    SingleShard, // several tables, all pinned to one key
    Scatter,     // the same statement on all shards, whose rows add up to the answer
    Pull         // rows of a table, or of several that the shards join, for a plan on the router
};

// A column by which every shard sorts its rows, so that they can be merged.
struct SortColumn {
    int column; // from 0
    Oid less_than;
    Oid collation;
    bool nulls_first;
};

// Lives in CustomScan.custom_private. The plan's custom_exprs are the values: the first `nparams`
// are the statement's parameters, the rest are needed for routing alone.
struct Route {
    ExtensibleNode node;
    struct SharedParts *shared; // what owns all that pointers lead to; nullptr: the route itself
    uint64 statement_id;        // prepared on the shards under this number
    char *sql;
    Query *query; // what `sql` says; shards that hide rows get another text (ghost_filter.hpp)
    Tier tier;
    int nparams;
    Oid *param_types;  // as declared to the shard
    int32 keyspace_id; // of some distributed table; 0: reference tables only, any shard will do
    int npins;         // with Scatter and Pull, 0 means all shards
    KeyPin *pins;
    int nsort;
    SortColumn *sort;
    bool binary_results;
    bool is_bulk;       // many rows: read by COPY
    bool few_rows;      // read as one result (row_bound.hpp)
    bool by_unique_key; // then, at most one row
    bool is_selective;  // few rows are likely (table_size.hpp)
    bool writes;        // locks rows or changes them
    bool only_locks;    // then, changes none
    bool is_only_scan;  // nothing else of the plan goes to shards
    bool may_fail_late; // the router works on the result, and could still raise an error
    Oid in_turns;       // the table whose rows it may lock on several shards; InvalidOid: none
    Oid reference;      // the reference table that is written: every shard does it, one answers
    List *locked_references; // Oid: those whose rows it locks as writers do
    int key_param;           // number (from 1) of the parameter that is an array of keys; 0: none
    int key_source;          // then, the executor's parameter that leads to the node with the keys
    int lookup_param;        // number (from 1) of the parameter that each run looks for; 0: none
    int lookup_column;       // then, in custom_exprs: the column
    Oid lookup_op;           // value = column
    Oid lookup_collation;
    bool values_change;   // with each run: its rows are not those of the run before
    int max_lookups;      // how often the shards are asked before all rows are kept
    int first_value;      // in the plan's custom_exprs, where there are two routes
    int shard_param;      // number (from 1) of the parameter that tells a shard its number; 0: none
    int limit_param;      // number of the parameter that a scan which locks rows sets; 0: none
    int places_param;     // likewise, the places (tid[]) of the rows that a shard is to lock
    int mark_param;       // likewise, the mark of rows that earlier batches have written
    int place_shard;      // number (from 1) of the value that is the only shard to ask; 0: none
    bool first_copy;      // of a reference table: it asks for places, which are those of one copy
    bool keeps_places;    // the rows tell where they are, and will be looked for there
    bool compares_places; // with those that other scans of the statement have read
    bool keys_are_places; // packed ones (packed_place.hpp), of which each shard gets its rows'
    bool counts_rows;     // the command tag counts the rows that the shard changed
    bool writes_rows;     // then, and nothing else: a shard that changed no row has written nothing
    List *checks;         // WithCheckOption, by the number that a violation names (row_checks.hpp)
    List *functions;      // Oid: functions that the shard calls and the user must be allowed to
};

// True if the statement may go to several shards at once.
inline bool goes_to_many(const Route *route)
{
    return OidIsValid(route->reference) ||
           ((route->tier == Tier::Scatter || route->tier == Tier::Pull) && route->keyspace_id != 0);
}

// True if nothing is lost where a shard undoes the statement.
bool only_reads(const Route *route);

constexpr const char *route_scan_name = "shardwise route";

// True of the plan node that runs a route.
bool is_route_scan(const Plan *plan);

// The node above two routes, of which one finds rows and the other locks them; custom_exprs holds
// how many rows are needed, custom_private whether rows are skipped that others have locked.
constexpr const char *lock_scan_name = "shardwise lock rows";

// Gets the route of a plan node made by this extension.
inline const Route *get_route(const CustomScan *scan)
{
    return (const Route *)linitial(scan->custom_private);
}

Route *make_route();

// Makes a route's parts outlive it: copies of the route, of which PostgreSQL's plan cache makes one
// for each execution, only point to them. Nothing in them may be changed from now on.
void share_parts(Route *route);

// Registers the node type. From _PG_init.
void init_route();

} // namespace shardwise
