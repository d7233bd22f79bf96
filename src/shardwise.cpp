// The extension's entry: the order of registration, nothing else.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "ddl/ddl.hpp"
#include "ddl/utility_hook.hpp"
#include "executor/executor.hpp"
#include "pg/guard.hpp"
#include "planner/planner.hpp"
#include "remote/connection.hpp"
#include "transaction/participants.hpp"

extern "C" {
PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init();
}

void _PG_init()
{
    using namespace shardwise;

    install_new_handler();
    init_catalog();
    init_remote();
    init_transaction();
    init_executor(); // before the planner, which finds the scan by its name
    init_planner();
    init_ddl_drop_hook();
    init_utility_hook();
    MarkGUCPrefixReserved("shardwise");
}
