// The plan of a query that one shard answers whole: what the planner leaves for the executor.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

extern "C" {
#include "nodes/extensible.h"
}

namespace shardwise
{

enum class Tier {
    FastPath,   // one table, key given
    SingleShard // several tables, all pinned to one key
};

// One key that the query touches: per key column the number of the value (among the plan's
// custom_exprs) that holds it.
struct KeyPin {
    int32 keyspace_id;
    int nkeys;
    int values[max_key_columns];
    Oid value_types[max_key_columns]; // element type for arrays
    bool is_array[max_key_columns];   // = ANY (array): each element is a key
};

// Lives in CustomScan.custom_private. The plan's custom_exprs are the values: the first `nparams`
// are the statement's parameters, the rest are needed for routing alone.
struct Route {
    ExtensibleNode node;
    uint64 statement_id; // prepared on the shards under this number
    char *sql;
    Tier tier;
    int nparams;
    Oid *param_types; // as declared to the shard
    int32 keyspace_id; // of some distributed table; 0: reference tables only, any shard will do
    int npins;
    KeyPin *pins;
    int ncolumns; // of the shard's result, with the check columns
    bool binary_results;
    bool writes;      // locks rows or changes them
    bool may_fail_late; // the router works on the result, and could still raise an error
    bool counts_rows;   // the command tag counts the rows that the shard changed
    // WITH CHECK OPTION and row-level security: the shard returns one boolean per check behind the
    // visible columns; false or NULL is the error that PostgreSQL raises.
    List *checks;    // WithCheckOption nodes without qual
    List *functions; // Oid: functions that the shard calls and the user must be allowed to
};

constexpr const char *route_scan_name = "shardwise route";

// Gets the route of a plan node made by this extension.
inline const Route *get_route(const CustomScan *scan)
{
    return (const Route *) linitial(scan->custom_private);
}

Route *make_route();

// Registers the node type. From _PG_init.
void init_route();

} // namespace shardwise
