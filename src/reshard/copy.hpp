// The copy: rows as of the slot's snapshot, in chunks of the source's pages, several at once.
//
// Each chunk is one transaction on the target, with its progress row. The snapshot is held by a
// session on the source that outlives this worker, so that the copy goes on after a crash of the
// router or of the target; when the source itself crashed, the snapshot is gone and the copy starts
// anew. Chunks of two snapshots cannot be put together: a row that was updated in between may have
// left a chunk to come for one that is done.
#pragma once

#include "reshard/move.hpp"

namespace shardwise
{

// Prepares both shards and copies. Returns false where the operator's wish changed meanwhile, or
// the slot was lost; what is done stays done.
bool copy_rows(RunningMove *);

// Deletes the moving keys' rows on a shard that does not own them, past triggers and foreign keys,
// block by block and throttled; true once a scan has found none left. False where the operator's
// wish changed. *deleted gets the number of rows.
bool delete_moved_rows(const RunningMove *, ShardSession *, uint64 *deleted);

// Ends the session that holds the snapshot.
void release_snapshot(const RunningMove *);

} // namespace shardwise
