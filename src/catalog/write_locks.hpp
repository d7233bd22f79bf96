// Locks of the router that order writes.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "storage/lockdefs.h"
#include "utils/resowner.h"
}

namespace shardwise
{

// Makes writers of a reference table wait for each other until the end of their transactions, so
// that every shard sees them in the same order, each on top of all before it. Readers do not wait.
void lock_reference_writes(Oid relid);

// The same, unless somebody else has the lock: then, nothing. For who has locked rows of the table
// and may be about to write them: writers wait for him here, and not on a shard while they hold
// this.
void try_lock_reference_writes(Oid relid);

// Statements that lock or change rows of a table on several shards take turns. All at once on all
// shards, two of them would each get some of the rows that both want, and wait for the other's;
// one server comes to them in one order. Those that go from shard to shard in one order share
// their turn.
struct WriteTurn {
    Oid relid; // InvalidOid: nobody's turn
    LOCKMODE mode;
    ResourceOwner owner;
};

// Waits until nobody else has the table's turn, but no longer than deadlock_timeout, and goes
// without it then: who has it may wait for rows for long, which others do not want. A turn that is
// taken already is kept.
void take_write_turn(WriteTurn *turn, Oid relid, bool shared);
// Ends it, where it was taken. An error ends it as well.
void end_write_turn(WriteTurn *turn);

} // namespace shardwise
