// The worker of one move: brings it from state to state until it can go no further.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "postmaster/bgworker.h"
}

namespace shardwise
{

// Starts the worker of a move; notices go to this process. nullptr where no worker slot is free.
BackgroundWorkerHandle *start_mover(int32 move_id);

} // namespace shardwise
