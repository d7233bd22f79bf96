// The plan node of statements with several writes: runs the writes of WITH, each to its end, before
// the main statement, which reads the rows they return.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "executor/execdesc.h"
}

namespace shardwise
{

// Makes the rows that writes will return known to an execution that is about to start: its parts
// look for them at once.
void announce_with_rows(QueryDesc *desc);

// Registers the node's methods.
void init_with_scan();

} // namespace shardwise
