// Utility commands on distributed and reference tables: routed, harmless on the router alone, or
// refused. Nothing may run silently on the router's empty table.
#pragma once

namespace shardwise
{

// Installs the ProcessUtility hook. From _PG_init.
void init_utility_hook();

} // namespace shardwise
