// Runs routes on shards.
#pragma once

namespace shardwise
{

// Registers the scan and the executor and EXPLAIN hooks. From _PG_init.
void init_executor();

} // namespace shardwise
