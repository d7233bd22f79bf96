// Triggers as the shards have them: with a condition more, by which the router keeps them from
// firing for a row that it has called triggers for (pg/triggers.hpp).
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// An SQL expression that yields the statement which makes a trigger on a shard, of its row `t` of
// pg_trigger. PostgreSQL there prints the trigger in the same words (pg_get_triggerdef).
char *shard_trigger_definition();

} // namespace shardwise
