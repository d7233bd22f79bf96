// Logical replication of a move's keys from one shard to another: schema of helpers, publication
// with row filters, slot, subscription, and the marker that tells what has arrived.
#pragma once

#include "reshard/move.hpp"

namespace shardwise
{

// One direction: forward from source to target until the swap, back after it.
struct Flow {
    const RunningMove *move;
    ShardSession *from, *to;
    int32 from_shard;
    const char *name;   // of slot, publication and subscription
    const char *marker; // qualified name of the marker table
};

// Flows over the sessions of the move. Names are allocated in the current context.
Flow forward_flow(const RunningMove *);
Flow back_flow(const RunningMove *);

// Creates the move's schema on a shard: markers, progress of the copy, the fence's state, and what
// has to be put back later. Does nothing where it exists.
void create_helpers(const RunningMove *, ShardSession *);

// Makes rows identifiable for replication: REPLICA IDENTITY FULL where the table has no primary
// key, or another identity. Remembers what was. Elsewhere a trigger sees to it that an UPDATE which
// brings a row into the range does not lose TOASTed values; unlike a change of the identity, it
// waits for no reader. Raises 55P03 if a lock is not to be had. remove_fence() takes the trigger
// away.
void set_identities(const RunningMove *, ShardSession *);
void restore_identities(const RunningMove *, ShardSession *);

// Both do nothing where that is done.
void create_publication(const Flow *);
void drop_publication(const Flow *);

// Creates the slot and returns the name of a snapshot as of it, good while `replication` is open.
char *create_slot_with_snapshot(const Flow *, ShardSession *replication);

// Creates the slot alone; waits for all transactions that write.
void create_slot(const Flow *);

// True if changes since the slot was made cannot be had any more: its WAL was removed
// (max_slot_wal_keep_size), or somebody dropped it.
bool slot_is_lost(const Flow *);

// Drops the slot; waits until nobody uses it.
void drop_slot(const Flow *);

// Moves a slot that nobody reads yet to the present, so that it delivers only what comes; returns
// that position, up to which the WAL is on disk. The slot's own file is not: after a crash the
// server may deliver more, and the subscription has to know where to begin.
char *advance_slot(const Flow *);

// Does nothing where it stands. `start`: the position of the publisher to begin at; nullptr: the
// slot's.
void create_subscription(const Flow *, const char *start = nullptr);

// Lets a subscription that stands follow its publisher to the address where that is now.
void renew_subscription(const Flow *);

// Ends a subscription without its slot. Does nothing where there is none.
void drop_subscription(const Flow *);

// Writes a marker, and waits until it has been applied on the other side; false when the deadline
// has passed. Raises 55000 where the apply worker fails again and again.
int64 write_marker(const Flow *);
bool wait_for_marker(const Flow *, int64 marker, TimestampTz deadline);

// Raises 55000 where the apply worker has failed several times since *errors was set; sets it where
// it is negative.
void check_apply(const Flow *, int64 *errors);

// Bytes of WAL that the other side has yet to confirm.
int64 replication_lag(const Flow *);

// Sleeps, serving interrupts.
void pause_for(long milliseconds);

} // namespace shardwise
