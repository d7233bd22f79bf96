// The plan node of writes in batches: reads what its source plan found, and brings it to the
// shards.
#pragma once

namespace shardwise
{

// Registers the node's methods.
void init_modify_scan();

} // namespace shardwise
