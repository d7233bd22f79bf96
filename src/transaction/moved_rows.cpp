#include "transaction/moved_rows.hpp"

#include "pg/deadlines.hpp"
#include "pg/names.hpp"
#include "transaction/decision.hpp"
#include "transaction/finders.hpp"
#include "transaction/participants_internal.hpp"
#include "transaction/wait_table.hpp"

extern "C" {
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
}

namespace shardwise
{

static int finding = 0; // statements of this backend

// Whoever waits for a row waits for a transaction, or for one of its subtransactions, and has the
// row's own lock meanwhile, for which those behind him wait. A prepared transaction holds its locks
// without a process.
static const char waiters[] = R"(WITH locks AS MATERIALIZED (
    SELECT pid, locktype, database, relation, page, tuple, transactionid, virtualtransaction, granted
      FROM pg_catalog.pg_locks WHERE locktype IN ('tuple', 'transactionid')),
row_locks AS (
    SELECT pid, relation, page, tuple, granted FROM locks JOIN pg_catalog.pg_database d
        ON d.oid = database AND d.datname = pg_catalog.current_database()
     WHERE locktype = 'tuple'
       AND relation IN (SELECT r FROM pg_catalog.unnest(ARRAY[%s]) t(r) UNION ALL
                        SELECT relid FROM pg_catalog.unnest(ARRAY[%s]) t(r),
                               pg_catalog.pg_partition_tree(r))),
prepared AS (
    SELECT h.transactionid FROM pg_catalog.pg_prepared_xacts x
      JOIN locks t ON t.transactionid = x.transaction AND t.granted AND t.pid IS NULL
      JOIN locks h ON h.virtualtransaction = t.virtualtransaction AND h.granted AND h.pid IS NULL
     WHERE x.gid = %s),
first AS (
    SELECT r.* FROM row_locks r JOIN locks w USING (pid) JOIN prepared USING (transactionid)
     WHERE r.granted AND NOT w.granted)
SELECT pid FROM first UNION
SELECT r.pid FROM row_locks r JOIN first USING (relation, page, tuple) WHERE NOT r.granted)";

void note_leaving_rows(int32 shard_id, Oid table)
{
    MemoryContext saved = MemoryContextSwitchTo(TopTransactionContext);
    for (int i = 0; i < participant_count; i++)
        if (participants[i].shard_id == shard_id)
            participants[i].left_tables =
                list_append_unique_oid(participants[i].left_tables, table);
    MemoryContextSwitchTo(saved);
}

static void tell_who_waits_on(const Participant *p, const char *gid)
{
    if (p->left_tables == NIL)
        return;
    StringInfoData tables;
    initStringInfo(&tables);
    ListCell *cell;
    foreach (cell, p->left_tables)
        appendStringInfo(&tables, "%spg_catalog.to_regclass(%s)", tables.len > 0 ? ", " : "",
                         quote_literal_cstr(qualified_table_name(lfirst_oid(cell))));
    PGresult *result = run_command(
        p->connection, psprintf(waiters, tables.data, tables.data, quote_literal_cstr(gid)));
    for (int i = 0; i < PQntuples(result); i++) {
        int backend =
            find_backend({connection_server(p->connection), atoi(PQgetvalue(result, i, 0))});
        if (backend >= 0)
            tell_finder(backend);
    }
}

static List *leaving_tables()
{
    List *tables = NIL;
    for (int i = 0; i < participant_count; i++) {
        ListCell *cell;
        foreach (cell, participants[i].left_tables)
            if (participants[i].prepare_sent)
                tables = list_append_unique_oid(tables, topmost_table(lfirst_oid(cell)));
    }
    return tables;
}

void await_finders(const GlobalId *gid)
{
    const List *tables = leaving_tables();
    if (tables == NIL)
        return;
    announce_leaving_rows(tables);
    TimestampTz deadline = milliseconds_from_now(DeadlockTimeout);
    bool asks = true;
    for (long pause = 2; anyone_may_wait(tables) && GetCurrentTimestamp() < deadline;) {
        for (int i = 0; asks && i < participant_count; i++)
            if (participants[i].prepare_sent)
                tell_who_waits_on(&participants[i],
                                  prepared_name(gid, participants[i].shard_id).text);
        if (!anyone_finds(tables))
            break;
        asks = !wait_for_finders(pause);
        if (asks)
            pause = std::min(pause * 2, 64L);
    }
    stop_waiting_for_finders();
    tell_all_finders(tables);
}

void begin_finding(Oid table, bool is_awaited)
{
    finding++;
    if (!IsolationUsesXactSnapshot())
        start_finding({OidIsValid(table) ? topmost_table(table) : InvalidOid, is_awaited});
}

void give_up_finding()
{
    if (finding > 0 && --finding == 0)
        stop_finding();
}

void end_finding()
{
    bool missed = finder_was_told();
    give_up_finding();
    if (missed)
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("row to be locked was already moved to another shard due to "
                               "concurrent update")));
}

void forget_finding()
{
    if (finding > 0)
        stop_finding();
    finding = 0;
}

} // namespace shardwise
