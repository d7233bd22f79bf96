// Clean-up: after it, the shards have no row and no object of a move that is not to stay.
#pragma once

#include "reshard/replication.hpp"

namespace shardwise
{

// Writes the ghost ranges of a move for a shard, and waits until no statement runs that does not
// know them. False when that took too long.
bool write_ghosts(const RunningMove *, int32 shard_id);

// Ends replication in both directions and the snapshot; nothing is applied any more afterwards.
void end_replication(const RunningMove *);

// Removes everything: replication, the rows on the shard that does not own the keys, fences,
// helpers, and at last the ghost ranges. Can be repeated after any crash. *deleted gets the rows.
// False when statements that began before the swap are still running: try again later.
bool clean_up(RunningMove *, uint64 *deleted);

} // namespace shardwise
