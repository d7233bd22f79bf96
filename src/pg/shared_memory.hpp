// Shared memory of our own: one place in PostgreSQL's chains of hooks.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
}

namespace shardwise
{

// From _PG_init: `request` asks for space and locks (RequestAddinShmemSpace() and the like), `make`
// creates or finds what lies there, once in each process; it holds AddinShmemInitLock.
using SharedMemoryCallback = void (*)();
void register_shared_memory(SharedMemoryCallback request, SharedMemoryCallback make);

} // namespace shardwise
