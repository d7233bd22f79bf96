// The plan node of FOR UPDATE with LIMIT over several shards: locks the rows that are needed, and
// no other.
#pragma once

namespace shardwise
{

// Registers the node's methods.
void init_lock_scan();

} // namespace shardwise
