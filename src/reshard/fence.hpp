// The fence: triggers on the shard that is about to lose the keys, the second guard against a stray
// writer (the first is the router's gate). Writers of moving keys take an advisory lock of the
// shard to the end of their transaction; the swap takes it alone, so that it waits for them and for
// no other writer, and closes the fence for good. Triggers do not fire for replication.
#pragma once

#include "reshard/move.hpp"

namespace shardwise
{

// Creates the triggers, open. Needs SHARE ROW EXCLUSIVE on each table for a moment, which is also
// the proof that no writer is left who does not meet them. Raises 55P03 if it is not to be had.
void build_fence(const RunningMove *, ShardSession *);

// Waits for writers of moving keys and keeps new ones waiting, for as long as session `s` lives: a
// swap that dies lets them go on. Raises 55P03 when the deadline has passed.
void close_fence(const RunningMove *, ShardSession *s, TimestampTz deadline);

// Lets them go on, to be refused with 40001: the keys are another shard's now.
void release_fence(const RunningMove *, ShardSession *s);

// Shuts the fence, without anybody waiting.
void shut_fence(const RunningMove *, ShardSession *s);

// Removes the triggers, and that of set_identities().
void remove_fence(const RunningMove *, ShardSession *);

} // namespace shardwise
