// Joins that each shard can compute for itself, inside of a query that as a whole is the router's:
// they become one scan. The planner chooses by cost, as a join may have more rows than its sides.
#pragma once

namespace shardwise
{

// Installs the planner's join hook. From init_pull().
void init_remote_joins();

} // namespace shardwise
