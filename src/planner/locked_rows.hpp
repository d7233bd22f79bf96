// Rows that a query on the router locks on the shards: FOR UPDATE and its like, and the targets of
// writes whose rows are looked for first.
//
// The planner would lock the router's own rows. So the clause is taken out of the query and a mark
// put on the table's entry, which survives planning; whoever makes a statement for the shards of a
// marked entry adds the clause again.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "access/sysattr.h"
}

namespace shardwise
{

// The Param that stands for the number of the shard which runs a statement.
constexpr int shard_param_id = 1 << 23;

// Columns of a marked target that tell where a row is: the shard's number, and its table there (a
// partition's Oid). The user's cmin and cmax of a target mean nothing and are refused.
constexpr AttrNumber shard_attribute = MinCommandIdAttributeNumber;
constexpr AttrNumber remote_table_attribute = MaxCommandIdAttributeNumber;

// Marks the target of a write.
void mark_target(RangeTblEntry *target, LockClauseStrength strength);

// Replaces FOR UPDATE and its like on distributed and reference tables, at any level, by marks.
void mark_locking_clauses(Query *query);

// Adds the locking clauses of marked entries to a statement for the shards, and says in its columns
// where rows are. True if there was any. After ship_query().
bool lock_marked_rows(Query *sent);

} // namespace shardwise
