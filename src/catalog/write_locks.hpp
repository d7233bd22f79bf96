// Locks of the router that order writes.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Makes writers of a reference table wait for each other until the end of their transactions, so
// that every shard sees them in the same order, each on top of all before it. Readers do not wait.
void lock_reference_writes(Oid relid);

// The same, unless somebody else has the lock: then, nothing. For who has locked rows of the table
// and may be about to write them: writers wait for him here, and not on a shard while they hold
// this.
void try_lock_reference_writes(Oid relid);

} // namespace shardwise
