// EXPLAIN's lines about where a route goes, and what came back.
#pragma once

#include "executor/route_scan.hpp"

namespace shardwise
{

// Shows the tier, the shards touched and pruned, how their rows are merged and the SQL that they
// get; with ANALYZE what each has sent, and when. `known`: the shards are chosen, or can be.
void explain_shards(RouteScanState *state, bool known, struct ExplainState *es);

} // namespace shardwise
