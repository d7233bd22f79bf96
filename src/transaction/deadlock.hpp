// Deadlocks that span servers: a backend waits on one shard for a session whose backend waits on
// another shard, or on the router. No server sees such a circle; a background worker looks for it
// while somebody has been waiting for a shard longer than deadlock_timeout.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Follows the waits of this backend for shards. From _PG_init.
void init_deadlock_detection();

// Looks for deadlocks in this database until nobody waits any more; in a worker.
void detect_deadlocks();

} // namespace shardwise
