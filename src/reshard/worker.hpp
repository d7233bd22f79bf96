// What the background workers of this room have in common.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "postmaster/bgworker.h"
}

namespace shardwise
{

// Sets up the process: signals, the database that the starter named, its name in pg_stat_activity.
void begin_worker(const char *name_format, int32 number);

// Describes a worker of this library for the starter's database; `database` InvalidOid: this one.
BackgroundWorker describe_worker(const char *function, const char *name, Datum argument,
                                 Oid database = InvalidOid);

// Has somebody look after the plans of this database: starts the runner, unless it runs already.
// `after`: a transaction whose end is to be awaited, since its changes concern the runner.
void start_runner(Oid database, TransactionId after);

// From _PG_init: the launcher and the settings.
void init_reshard();

} // namespace shardwise
