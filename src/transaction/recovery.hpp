// Transactions that are prepared on shards while nobody finishes them: their commit was
// interrupted.
#pragma once

#include "catalog/catalog.hpp"
#include "pg/pg.hpp"

namespace shardwise
{

// Makes sure that a shard holds no transaction in doubt before it is used. Costs one look at shared
// memory, or finishes what is in doubt. Errors: 08007 if that does not succeed.
void settle_shard(const Shard *shard);

// Finishes the transactions in doubt on all shards, then removes decisions that nobody needs any
// more. Shards that do not answer are logged, and stay in doubt. True if none did.
bool recover_all_shards();

// Registers the launcher of recovery workers, and their settings. From _PG_init.
void init_recovery_worker();

} // namespace shardwise
