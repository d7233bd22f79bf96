// The scan of a table whose rows are on the shards, or of several that the shards can join, in a
// plan that PostgreSQL's planner makes: one statement that carries the columns needed and all
// conditions that a shard may apply.
#pragma once

#include "pg/pg.hpp"
#include "planner/remote_source.hpp"
#include "planner/route.hpp"

extern "C" {
#include "nodes/extensible.h"
}

namespace shardwise
{

// The Param that stands for the keys which a scan is reduced to.
constexpr int keys_param_id = (1 << 23) + 1;

// The Param that stands for the value which a scan looks for, another one each time it runs.
constexpr int lookup_param_id = (1 << 23) + 2;

// What a round trip, a row and a key on the wire cost, in the planner's units.
constexpr double cost_of_start = 100;
constexpr double cost_of_row = 0.05;
constexpr double cost_of_byte = 0.0005;
constexpr double cost_of_filter = 25; // the statement is another one each time
constexpr double cost_of_key = 0.15;  // shards read it, plan with it and look rows up by it

// A condition `column op ANY (keys)` whose keys are those of another relation's rows, collected
// while the plan runs.
struct KeyFilter {
    Expr *column; // over the table
    Expr *key;    // over the other relation's rows
    Oid op;       // column op sent key
    Oid type;     // of the keys that are sent: the column's, or one that is compared alike
    Oid collation;
    List *rounds;  // int: the executor's parameters that change when the keys do
    Oid key_equal; // functions that tell the other relation's keys apart
    Oid key_hash;
    bool by_place; // the condition is one of packed places, and the column the ctid in them
    int source;    // executor's parameter that leads to the node which collects; -1: not given yet
};

// Makes a path of a relation whose plan is made by `methods`; `details` become its custom_private.
CustomPath *make_remote_path(PlannerInfo *root, RelOptInfo *rel, const CustomPathMethods *methods,
                             void *details);

// Makes the path that scans a table on its shards.
CustomPath *make_table_path(PlannerInfo *root, RelOptInfo *rel);

// The same, reduced to the rows that a filter leaves.
CustomPath *make_filtered_path(const CustomPath *path, KeyFilter *filter, double rows);

// Adds the path that scans a join which the shards can compute; `local` are conditions on its rows
// that the router applies.
void add_join_scan(PlannerInfo *root, RelOptInfo *joinrel, const RelOptInfo *left,
                   const RelOptInfo *right, const RemoteSource *source, List *local);

// The path that scans a relation on the shards: of a table, or of a join that has one besides
// others; nullptr if there is none.
CustomPath *find_table_path(const RelOptInfo *rel);

// True if the path's rows are locked, and found by comparing their places with others'.
bool locks_compared_rows(PlannerInfo *root, const CustomPath *path);

// What the shards read for such a relation, if that is all of it: no condition is left to the
// router.
const RemoteSource *find_source(const RelOptInfo *rel);

// True if a shard can apply a condition: it is the same in all parts of the plan.
bool condition_ships(PlannerInfo *root, Node *clause);

// True if the shards can apply the filter, so that it drops no row which `op` finds equal to a key.
bool filter_ships(PlannerInfo *root, const KeyFilter *filter);

// Defines shardwise.max_lookups. From init_pull().
void init_table_scans();

} // namespace shardwise
