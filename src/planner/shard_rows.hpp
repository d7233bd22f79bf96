// Rows of a remote query as an entry of a range table: the planner sees a function in FROM, and its
// scan becomes a statement to the shards.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"

namespace shardwise
{

// Makes the entry for a statement whose columns are `columns` (TargetEntry, none junk). It is known
// until the plan is made. `is_ordered`: the shards sort as the query above does, so that merging
// their rows sorts them. `rows`: how many are expected.
RangeTblEntry *make_shard_rows(Route *route, List *values, List *columns, bool is_ordered,
                               double rows);

// The column of a table that a column of the rows shows.
struct ColumnSource {
    Oid relid;
    AttrNumber attno;
    bool is_grouped; // how often a value occurs is another matter there
};

// Finds what an entry stands for; false for all others.
struct ShardRows {
    Route *route;
    List *values;
    List *columns;
    bool is_ordered;
    List *sources; // ColumnSource *, for each column; nullptr: none, it is computed
    double rows;
    double scanned; // rows that the shards look at for these; 0: not counted
    Route *locker;  // nullptr: rows need no lock, or have one
    List *locker_values;
    Expr *bound; // (int8) how many rows are needed; NULL: all
    bool skips;  // rows that others have locked
};

// Makes of an entry one whose rows are locked as far as they are needed: its statement finds them
// and tells their places in its last two columns, `route` locks those that are named.
void lock_shard_rows(RangeTblEntry *rte, Route *route, List *values, Expr *bound, bool skips);

// Says which columns of tables the entry shows, for the planner's estimates.
void name_sources(RangeTblEntry *rte, List *sources);

// Says how many rows an entry has, and how many the shards look at for them.
void expect_rows(RangeTblEntry *rte, double rows, double scanned);

// What an entry of the range table stands for; nullptr if it is no entry of the kind.
const ShardRows *find_shard_rows(const RangeTblEntry *rte);

// Starts an empty set of entries for the planning of one query, and goes back to the one before.
List *begin_shard_rows();
void restore_shard_rows(List *before);

} // namespace shardwise
