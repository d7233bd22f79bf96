// Rows that a query on the router locks on the shards: FOR UPDATE and its like, and the targets of
// writes whose rows are looked for first. Also rows whose places a cursor must know, so that WHERE
// CURRENT OF finds them again.
//
// The planner would lock the router's own rows. So the clause is taken out of the query and a mark
// put on the table's entry, which survives planning; whoever makes a statement for the shards of a
// marked entry adds the clause again.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"
#include "planner/shipping.hpp"

extern "C" {
#include "access/sysattr.h"
}

namespace shardwise
{

// The Param that stands for the number of the shard which runs a statement.
constexpr int shard_param_id = 1 << 23;

// Params that the node which locks rows sets from run to run: how many rows a shard is to find, and
// at which places (tid[]) it is to lock them. (table_scan.hpp has the numbers in between.)
constexpr int limit_param_id = shard_param_id + 8;
constexpr int places_param_id = shard_param_id + 9;

// The Param that marks rows which earlier batches of the statement have written (row_checks.hpp).
constexpr int mark_param_id = shard_param_id + 10;

// Columns of a marked target that tell where a row is: the shard's number, and its table there (a
// partition's Oid). The user's cmin and cmax of a target mean nothing and are refused.
constexpr AttrNumber shard_attribute = MinCommandIdAttributeNumber;
constexpr AttrNumber remote_table_attribute = MaxCommandIdAttributeNumber;

// True for a table whose rows are to be locked, or to tell their places.
bool is_marked(const RangeTblEntry *rte);

// Marks the target of a write; LCS_NONE: its rows are locked already.
void mark_target(RangeTblEntry *target, LockClauseStrength strength);

// The only entry of a query that is marked to be locked, if all its rows come from that table and
// are found again by ctid alone; 0 otherwise. What to do where others have locked a row.
int find_locked_table(Query *query, LockWaitPolicy *policy);

// Lets the rows of an entry with a lock tell their places, too; or tell them instead of being
// locked.
void place_locked(RangeTblEntry *table, bool keeps_lock);

// Marks a table whose rows tell their places, but are not locked for that.
void mark_placed(RangeTblEntry *table);

// The same, if it has no mark yet, for a statement that compares them with places of other rows: a
// mark that follows keeps this.
void mark_compared(RangeTblEntry *table);

// True if rows of such a table are to be locked.
bool locks_compared(const RangeTblEntry *table);

// Takes WHERE CURRENT OF out of a write's conditions: its target is restricted to the cursor's row.
void take_cursor(Query *write);

// True if an expression uses the columns that tell places, as columns of entry `varno`.
bool uses_places(Node *node, int varno);

// Replaces FOR UPDATE and its like on distributed and reference tables, at any level, by marks.
// Errors: 0A000 on the nullable side of an outer join, as PostgreSQL's.
void mark_locking_clauses(Query *query);

// What the marks of a statement ask for.
struct MarkedRows {
    bool locks;
    bool places;   // without locks: rows tell where they are
    bool compares; // their places are compared with those of other rows
    Expr *shard;   // the one shard (int4) whose row is meant, computed by the router; nullptr: any
};

// Adds the locking clauses of marked entries to a statement for the shards, and says in its columns
// where rows are. After ship_query().
MarkedRows apply_marks(Query *sent, Shipping *shipping);

// Notes in the statement's route what its marks asked for.
void use_marks(Route *route, const MarkedRows &marked, List **values);

// True if a reference table that is written is joined with distributed tables: each shard would
// tell the rows of its own copy, and two shards the same row.
bool joins_copy_of_target(Query *query);

} // namespace shardwise
