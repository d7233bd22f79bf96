// A target that owns nothing of the keyspace yet: nobody reads its tables, so that their secondary
// indexes can be built when the rows are there, which is faster than row by row.
#pragma once

#include "reshard/move.hpp"

namespace shardwise
{

// Drops secondary indexes of empty tables on such a target, each together with the note that has it
// put back, in one transaction of the target. Those of constraints, unique ones and those of
// partitioned tables stay, as do all of a table that is copied in one chunk.
void drop_indexes(const RunningMove *);

// Builds what is noted down on a shard, by whatever move of this router: nothing is swapped, and no
// move is over, while an index is missing. Rows that are there are analyzed. Can be repeated.
void restore_indexes(const RunningMove *, ShardSession *);

} // namespace shardwise
