// The planner hook: sends queries over distributed tables their way.
#pragma once

namespace shardwise
{

// Installs the hook and registers what belongs to it. From _PG_init.
void init_planner();

} // namespace shardwise
