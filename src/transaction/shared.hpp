// What the router's backends know in common of transactions on several shards. In shared memory, so
// it begins anew with the server: then every shard counts as in doubt until it was looked at.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Says which two-phase commit this backend is in; 0: none. Set before the first PREPARE is sent,
// and taken back when router and shards have finished, or recovery has to.
void set_live_transaction(uint64 number);
bool transaction_is_live(uint64 number);

// A shard is in doubt while it may hold prepared transactions whose router transaction is over.
// One look at shared memory, once a backend has seen the shard.
bool shard_is_in_doubt(int32 shard_id);
// Nothing in here raises errors: a shard that was never looked at is in doubt already. Wakes the
// recovery worker.
void mark_in_doubt(int32 shard_id);
// To be read before a shard is looked at and handed back if it was found clean: marks that were
// made meanwhile stay.
uint32 doubt_generation(int32 shard_id);
void clear_doubt(int32 shard_id, uint32 generation);

// Databases that a worker has to visit, and what for. The launcher takes the next visit that is due
// and says how long until then.
enum class Task : uint8 { Recovery, Deadlocks, Statistics };
struct Visit {
    Oid database;
    Task task;
    TimestampTz due;
};
void request_visit(Oid database, Task task, TimestampTz due);
bool take_due_visit(Visit *visit, long *milliseconds);

// Has a worker look for deadlocks in this database, unless one does already.
void request_deadlock_detection();
// Where that worker is: false if there is another one.
bool begin_deadlock_detection();
// The launcher, to be woken when a visit is due at once.
void register_launcher();

// Sizes and makes it; from _PG_init.
void init_shared();

} // namespace shardwise
