// What workers do that a room above this one knows of.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Sets what a worker runs whom Task::Statistics sends to a database that has the extension: outside
// of a transaction, as the server's superuser. It asks for the next visit itself. From _PG_init.
void set_statistics_refresh(void (*refresh)());

} // namespace shardwise
