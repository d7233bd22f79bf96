// The plan node of cursors: passes rows on and remembers where the current one is on the shards.
// What WHERE CURRENT OF asks is answered here.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "executor/execdesc.h"
}

namespace shardwise
{

// When a cursor is opened: its scans start, so that their rows are those of now, as PostgreSQL's
// snapshot would have it, and its tables stay in use until it is closed.
void start_cursor(QueryDesc *desc);

// Registers the node's methods.
void init_cursor_scan();

} // namespace shardwise
