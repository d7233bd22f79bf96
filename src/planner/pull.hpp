// Plans on the router whose base relations are on the shards: PostgreSQL's planner does the
// joining, and every scan of a distributed table becomes a statement to its shards.
#pragma once

namespace shardwise
{

// Installs the planner's relation hook. From init_planner().
void init_pull();

} // namespace shardwise
