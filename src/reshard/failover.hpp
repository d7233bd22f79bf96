// Shards whose server is another one than when the copy began: a standby was promoted, or a backup
// restored. Replication slots do not fail over in PostgreSQL 15, and a promoted standby may lack
// what its primary had confirmed already, so that what is on the two sides cannot be trusted to
// follow from the copy any more.
#pragma once

#include "reshard/replication.hpp"

namespace shardwise
{

// Remembers the servers on which a copy begins.
void note_servers(const RunningMove *);

// Sets source_changed and target_changed of the move. Raises 57P03, which is tried again, where a
// shard is a standby still.
void compare_servers(RunningMove *);

// Lets subscriptions that stand follow the address, user or password of the shard they read.
void renew_subscriptions(const RunningMove *);

} // namespace shardwise
