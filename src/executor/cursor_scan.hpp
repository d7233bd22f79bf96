// The plan node of cursors: passes rows on and remembers where the current one is on the shards.
// What WHERE CURRENT OF asks is answered here.
#pragma once

namespace shardwise
{

// Registers the node's methods.
void init_cursor_scan();

} // namespace shardwise
