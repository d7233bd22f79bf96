// TRUNCATE of distributed and reference tables.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Truncates the statement's distributed and reference tables on every shard, in the current
// transaction. The router's own tables, privileges and locks are the caller's affair. Errors are
// the shards' (foreign keys, above all).
void truncate_on_shards(const TruncateStmt *statement);

} // namespace shardwise
