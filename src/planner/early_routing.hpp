// Routing at plan time, for statements that name several keys.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// True unless the keys of a routed plan may lead to several shards. One key leads to one shard
// whatever its value; of several, the values are looked at, where they are known already. The plan
// is then good until rows move.
bool leads_to_one_shard(PlannedStmt *plan, ParamListInfo params);

} // namespace shardwise
