// The extension's entry: the order of registration, nothing else.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "ddl/ddl.hpp"
#include "ddl/utility_hook.hpp"
#include "executor/executor.hpp"
#include "monitor/monitor.hpp"
#include "pg/guard.hpp"
#include "planner/planner.hpp"
#include "remote/connection.hpp"
#include "reshard/worker.hpp"
#include "transaction/participants.hpp"

extern "C" {
PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init();
}

void _PG_init()
{
    using namespace shardwise;

    // A session without the hooks would find the router's own tables, which are empty.
    if (!process_shared_preload_libraries_in_progress)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("shardwise must be loaded via shared_preload_libraries"),
                        errhint("Add it to shared_preload_libraries in postgresql.conf and restart "
                                "the server.")));

    install_new_handler();
    init_monitor();
    init_catalog();
    init_remote();
    init_transaction();
    init_executor(); // before the planner, which finds the scan by its name
    init_planner();
    init_ddl_drop_hook();
    init_utility_hook();
    init_statistics_refresh();
    init_reshard();
    MarkGUCPrefixReserved("shardwise");
}
