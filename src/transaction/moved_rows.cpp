#include "transaction/moved_rows.hpp"

#include "pg/names.hpp"
#include "transaction/participants_internal.hpp"
#include "transaction/wait_table.hpp"

extern "C" {
#include "utils/builtins.h"
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

void tell_who_waits_for_leaving_rows(const Participant *p, const char *gid)
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
    for (int i = 0; i < PQntuples(result); i++)
        note_missed_row({connection_server(p->connection), atoi(PQgetvalue(result, i, 0))});
}

void begin_finding()
{
    if (finding++ == 0)
        expect_missed_rows(true);
}

void give_up_finding()
{
    if (finding > 0 && --finding == 0)
        expect_missed_rows(false);
}

void end_finding()
{
    bool missed = has_missed_row() && !IsolationUsesXactSnapshot();
    give_up_finding();
    if (missed)
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("row to be locked was already moved to another shard due to "
                               "concurrent update")));
}

void forget_finding()
{
    if (finding > 0)
        expect_missed_rows(false);
    finding = 0;
}

} // namespace shardwise
