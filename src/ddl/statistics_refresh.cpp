// Statistics that follow by themselves: from time to time a worker asks the shards when they last
// analyzed their tables, which their autovacuum does, and gathers those of what has been analyzed
// since.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/lock_tags.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/ddl.hpp"
#include "ddl/shard_analyses.hpp"
#include "ddl/statistics.hpp"
#include "pg/background.hpp"
#include "pg/deadlines.hpp"
#include "transaction/shared.hpp"
#include "transaction/workers.hpp"

extern "C" {
#include "access/xact.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "utils/timeout.h"
}

namespace shardwise
{

static constexpr int attempt_seconds = 60; // a table, or a look at all shards, may take

static int statistics_interval = 60;

void request_statistics_refresh()
{
    if (statistics_interval > 0)
        request_visit(MyDatabaseId, Task::Statistics,
                      milliseconds_from_now(static_cast<int64>(statistics_interval) * 1000));
}

static void begin_attempt()
{
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
    enable_timeout_after(STATEMENT_TIMEOUT, attempt_seconds * 1000);
}

static void end_attempt()
{
    disable_timeout(STATEMENT_TIMEOUT, false);
    PopActiveSnapshot();
    CommitTransactionCommand();
}

static void log_failure(const char *work, MemoryContext context)
{
    HOLD_INTERRUPTS();
    disable_timeout(STATEMENT_TIMEOUT, false);
    QueryCancelPending = false; // somebody else needs the table
    MemoryContextSwitchTo(context);
    ErrorData *error = CopyErrorData();
    FlushErrorState();
    AbortCurrentTransaction();
    MemoryContextSwitchTo(context);
    RESUME_INTERRUPTS();
    ereport(LOG, (errmsg("%s: %s", work, error->message),
                  error->detail != nullptr ? errdetail_internal("%s", error->detail) : 0));
}

// Runs something with the rights and the connections of a role, in a transaction of its own. What
// goes wrong is logged, and left to the next visit.
template <typename Work> static void attempt(const char *name, Oid role, Work &&work)
{
    MemoryContext context = CurrentMemoryContext;
    PG_TRY();
    {
        begin_attempt();
        Oid user;
        int security;
        GetUserIdAndSecContext(&user, &security);
        SetUserIdAndSecContext(role, SECURITY_RESTRICTED_OPERATION | SECURITY_LOCAL_USERID_CHANGE);
        work();
        SetUserIdAndSecContext(user, security);
        end_attempt();
        MemoryContextSwitchTo(context);
    }
    PG_CATCH();
    {
        log_failure(name, context);
    }
    PG_END_TRY();
}

static List *list_tables(MemoryContext context)
{
    begin_attempt();
    MemoryContext saved = MemoryContextSwitchTo(context);
    List *tables = NIL;
    ListCell *cell;
    foreach (cell, list_distributions())
        if (AnalyzedTable *table = find_analyzed_table(lfirst_oid(cell)))
            tables = lappend(tables, table);
    MemoryContextSwitchTo(saved);
    end_attempt();
    MemoryContextSwitchTo(context);
    return tables;
}

static List *tables_of(const List *tables, Oid owner)
{
    List *owned = NIL;
    ListCell *cell;
    foreach (cell, tables)
        if (static_cast<AnalyzedTable *>(lfirst(cell))->owner == owner)
            owned = lappend(owned, lfirst(cell));
    return owned;
}

static bool is_outdated(const AnalyzedTable *table)
{
    if (!table->ever)
        return false;
    const char *known = find_analyzed(table->relid);
    return known == nullptr || strcmp(known, table->when.data) != 0;
}

// Not where somebody else changes, vacuums or analyzes the table just now.
static void refresh(const AnalyzedTable *table)
{
    if (is_outdated(table) && ConditionalLockRelationOid(table->relid, ShareUpdateExclusiveLock) &&
        find_analyzed_table(table->relid) != nullptr)
        gather_statistics(table->relid, true);
}

static void refresh_owned(const List *tables, Oid owner)
{
    bool answered = false;
    attempt("could not ask the shards when they analyzed their tables", owner, [&] {
        ask_when_analyzed(tables);
        answered = true;
    });
    ListCell *cell;
    if (answered)
        foreach (cell, tables)
            attempt("could not gather the shards' statistics of a table", owner,
                    [&] { refresh(static_cast<const AnalyzedTable *>(lfirst(cell))); });
}

// False where another process is at it. Until this one ends.
static bool begin_visit()
{
    LOCKTAG tag = lock_tag(LockKind::StatisticsVisit);
    return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

extern "C" {
static void request_next_visit(int, Datum)
{
    request_statistics_refresh();
}
}

static void refresh_statistics()
{
    if (statistics_interval == 0 || !begin_visit())
        return;
    before_shmem_exit(request_next_visit, 0); // also where this one fails
    give_way_like_autovacuum();
    pgstat_report_activity(STATE_RUNNING, "gathering the shards' statistics");
    List *tables = list_tables(TopMemoryContext);
    List *owners = NIL;
    ListCell *cell;
    foreach (cell, tables)
        owners = list_append_unique_oid(owners, static_cast<AnalyzedTable *>(lfirst(cell))->owner);
    foreach (cell, owners)
        refresh_owned(tables_of(tables, lfirst_oid(cell)), lfirst_oid(cell));
}

void init_statistics_refresh()
{
    DefineCustomIntVariable("shardwise.statistics_interval",
                            "Sets the time between two looks at the shards for tables that they "
                            "have analyzed.",
                            "Their statistics are then gathered for the router's planner. 0: only "
                            "ANALYZE on the router does that.",
                            &statistics_interval, 60, 0, 86400, PGC_SIGHUP, GUC_UNIT_S, nullptr,
                            nullptr, nullptr);
    set_statistics_refresh(refresh_statistics);
}

} // namespace shardwise
