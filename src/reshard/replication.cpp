#include "pg/pg.hpp"

#include "reshard/move_tables.hpp"
#include "reshard/replication.hpp"

extern "C" {
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace shardwise
{

namespace
{

// How long a lock on a table may make others queue behind it.
constexpr const char *lock_patience = "SET LOCAL lock_timeout = '300ms'; "
                                      "SET LOCAL deadlock_timeout = '10ms'";

const char *literal(const char *text)
{
    return quote_literal_cstr(text);
}

bool exists(ShardSession *s, const char *sql)
{
    return run_value(s, sql) != nullptr;
}

// How often the apply worker has failed since the subscription was made.
int64 apply_errors(const Flow *flow)
{
    char *count = run_valuef(flow->to,
                             "SELECT apply_error_count FROM pg_stat_subscription_stats "
                             "WHERE subname = %s",
                             literal(flow->name));
    return count != nullptr ? strtoll(count, nullptr, 10) : 0;
}

} // namespace

void pause_for(long milliseconds)
{
    CHECK_FOR_INTERRUPTS();
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending && MyBgworkerEntry != nullptr) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
    }
}

Flow forward_flow(const RunningMove *move)
{
    return {move,         move->at_source, move->at_target,
            move->source, move->object,    psprintf("%s.marker", move->object)};
}

Flow back_flow(const RunningMove *move)
{
    return {move,         move->at_target, move->at_source,
            move->target, move->back,      psprintf("%s.marker_back", move->object)};
}

void create_helpers(const RunningMove *move, ShardSession *s)
{
    const char *o = move->object;
    if (exists(s, format_sql("SELECT 1 FROM pg_namespace WHERE nspname = %s", literal(o))))
        return;
    // The key of the fence's advisory lock; any other use of the same one only makes writers wait.
    runf(
        s,
        "CREATE SCHEMA %s; "
        "CREATE TABLE %s.marker (id int PRIMARY KEY, n bigint NOT NULL); "
        "INSERT INTO %s.marker VALUES (1, 0); "
        "CREATE TABLE %s.marker_back (id int PRIMARY KEY, n bigint NOT NULL); "
        "INSERT INTO %s.marker_back VALUES (1, 0); "
        "CREATE TABLE %s.chunk (relation text, chunk int, rows bigint NOT NULL, "
        "PRIMARY KEY (relation, chunk)); "
        "CREATE TABLE %s.identity (relation text PRIMARY KEY, kind \"char\" NOT NULL, index text); "
        "CREATE TABLE %s.index (name text PRIMARY KEY, relation text NOT NULL, "
        "definition text NOT NULL)",
        o, o, o, o, o, o, o, o);
}

// ---- replica identity --------------------------------------------------------------------------

static void set_identity(const RunningMove *move, ShardSession *s, const MoveTable *table,
                         const char *leaf)
{
    Rows rows = runf(s,
                     "SELECT c.relreplident, (SELECT i.indexrelid::regclass::text FROM pg_index i "
                     "WHERE i.indrelid = c.oid AND i.indisreplident) FROM pg_class c "
                     "WHERE c.oid = %s::regclass",
                     literal(leaf));
    char kind = rows.count > 0 ? rows.values[0][0][0] : 'd';
    if (kind == 'f' || (kind == 'd' && table->identity != nullptr))
        return;
    runf(s,
         "%s; INSERT INTO %s.identity VALUES (%s, '%c', %s) ON CONFLICT DO NOTHING; "
         "ALTER TABLE %s REPLICA IDENTITY FULL",
         lock_patience, move->object, literal(leaf), kind,
         rows.values[0][1] != nullptr ? literal(rows.values[0][1]) : "NULL", leaf);
}

// An UPDATE that brings a row into the range is an INSERT for the other side, but a large value
// that it leaves alone is not in the WAL. Such rows (and no others: keys hardly ever change) write
// all their values anew. The settings are those in which text says exactly what a value is.
static void write_large_values(const RunningMove *move, ShardSession *s, const MoveTable *table)
{
    const char *o = move->object;
    if (table->large_values == nullptr ||
        exists(s, format_sql("SELECT 1 FROM pg_trigger WHERE tgrelid = %s::regclass AND "
                             "tgname = '%s_w'",
                             literal(table->name), o)))
        return;
    runf(s,
         "CREATE OR REPLACE FUNCTION %s.whole_%u() RETURNS trigger LANGUAGE plpgsql "
         "SET search_path = pg_catalog SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres' "
         "SET extra_float_digits = 3 SET xmloption = content "
         "AS $whole$ BEGIN %s RETURN NEW; END $whole$",
         o, table->relid, table->large_values);
    runf(s,
         "%s; CREATE TRIGGER %s_w BEFORE UPDATE ON %s FOR EACH ROW "
         "WHEN (%s AND NOT %s) EXECUTE FUNCTION %s.whole_%u()",
         lock_patience, o, table->name, table->new_filter, table->old_filter, o, table->relid);
}

void set_identities(const RunningMove *move, ShardSession *s)
{
    ListCell *cell, *leaf;
    foreach (cell, move->tables) {
        const MoveTable *table = (const MoveTable *)lfirst(cell);
        if (table->identity != nullptr)
            write_large_values(move, s, table);
        foreach (leaf, table->leaves)
            set_identity(move, s, table, (const char *)lfirst(leaf));
    }
}

void restore_identities(const RunningMove *move, ShardSession *s)
{
    if (!exists(s, format_sql("SELECT to_regclass(%s)",
                              literal(psprintf("%s.identity", move->object)))))
        return;
    Rows rows = runf(s, "SELECT relation, kind, index FROM %s.identity", move->object);
    for (int i = 0; i < rows.count; i++) {
        char **row = rows.values[i];
        const char *identity = row[1][0] == 'n'   ? "NOTHING"
                               : row[1][0] == 'i' ? psprintf("USING INDEX %s", row[2])
                                                  : "DEFAULT";
        // An index is named without its schema there.
        const char *dot = row[1][0] == 'i' ? strrchr(row[2], '.') : nullptr;
        if (dot != nullptr)
            identity = psprintf("USING INDEX %s", dot + 1);
        if (exists(s, format_sql("SELECT to_regclass(%s)", literal(row[0]))))
            runf(s,
                 "%s; ALTER TABLE %s REPLICA IDENTITY %s; DELETE FROM %s.identity "
                 "WHERE relation = %s",
                 lock_patience, row[0], identity, move->object, literal(row[0]));
    }
}

// ---- publication, slot, subscription -----------------------------------------------------------

// TRUNCATE is left out on purpose: replicated, it would empty the other side's own ranges too.
void create_publication(const Flow *flow)
{
    if (exists(flow->from,
               format_sql("SELECT 1 FROM pg_publication WHERE pubname = %s", literal(flow->name))))
        return;
    char *tables = join_tables(flow->move, ", ", [](const MoveTable *table) {
        return psprintf("%s WHERE (%s)", table->name, table->filter);
    });
    runf(flow->from,
         "CREATE PUBLICATION %s FOR TABLE %s, %s WITH (publish = 'insert, update, delete', "
         "publish_via_partition_root = true)",
         flow->name, tables, flow->marker);
}

void drop_publication(const Flow *flow)
{
    runf(flow->from, "DROP PUBLICATION IF EXISTS %s", flow->name);
}

char *create_slot_with_snapshot(const Flow *flow, ShardSession *replication)
{
    Rows rows = runf(replication, "CREATE_REPLICATION_SLOT %s LOGICAL pgoutput (SNAPSHOT 'export')",
                     flow->name);
    return rows.values[0][2];
}

static bool slot_exists(const Flow *flow)
{
    return exists(flow->from, format_sql("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s",
                                         literal(flow->name)));
}

bool slot_is_lost(const Flow *flow)
{
    return !exists(flow->from, format_sql("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s "
                                          "AND wal_status <> 'lost'",
                                          literal(flow->name)));
}

void create_slot(const Flow *flow)
{
    if (!slot_exists(flow))
        runf(flow->from, "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')",
             literal(flow->name));
}

void drop_slot(const Flow *flow)
{
    for (int i = 1;; i++) {
        runf(flow->from,
             "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
             "WHERE slot_name = %s AND active_pid IS NULL",
             literal(flow->name));
        if (!slot_exists(flow))
            return;
        // Its walsender notices late that the subscriber has gone. One that comes again and again
        // is not ours: a server from before a failover.
        if (i % 20 == 0)
            runf(flow->from,
                 "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
                 "WHERE slot_name = %s",
                 literal(flow->name));
        pause_for(i < 20 ? 5 : 50);
    }
}

char *advance_slot(const Flow *flow)
{
    return run_valuef(
        flow->from,
        "SELECT end_lsn FROM pg_replication_slot_advance(%s, pg_current_wal_insert_lsn())",
        literal(flow->name));
}

static bool subscription_exists(const Flow *flow)
{
    return exists(flow->to,
                  format_sql("SELECT 1 FROM pg_subscription WHERE subname = %s AND subdbid = "
                             "(SELECT oid FROM pg_database WHERE datname = current_database())",
                             literal(flow->name)));
}

static void add_subscription(const Flow *flow, bool enabled)
{
    bool binary = true;
    ListCell *cell;
    foreach (cell, flow->move->tables)
        binary = binary && ((const MoveTable *)lfirst(cell))->binary;
    run_unlogged(
        flow->to,
        format_sql("CREATE SUBSCRIPTION %s CONNECTION %s PUBLICATION %s WITH (copy_data = false, "
                   "create_slot = false, slot_name = %s, enabled = %s, binary = %s, streaming = "
                   "true, synchronous_commit = off)",
                   flow->name, literal(shard_conninfo(flow->from_shard)), flow->name,
                   literal(flow->name), enabled ? "true" : "false", binary ? "true" : "false"));
}

// One that is made with a start is enabled once it has that. It never goes back: somebody may have
// disabled it.
void create_subscription(const Flow *flow, const char *start)
{
    if (!subscription_exists(flow))
        add_subscription(flow, start == nullptr);
    if (start == nullptr ||
        exists(flow->to,
               format_sql("SELECT 1 FROM pg_subscription WHERE subname = %s AND subenabled",
                          literal(flow->name))))
        return;
    runf(flow->to,
         "SELECT pg_replication_origin_advance('pg_' || oid, %s) FROM pg_subscription "
         "WHERE subname = %s AND "
         "coalesce(pg_replication_origin_progress('pg_' || oid, true) < %s, true)",
         literal(start), literal(flow->name), literal(start));
    runf(flow->to, "ALTER SUBSCRIPTION %s ENABLE", flow->name);
}

void renew_subscription(const Flow *flow)
{
    const char *conninfo = shard_conninfo(flow->from_shard);
    if (subscription_exists(flow) &&
        strcmp(run_valuef(flow->to, "SELECT subconninfo FROM pg_subscription WHERE subname = %s",
                          literal(flow->name)),
               conninfo) != 0)
        run_unlogged(flow->to, format_sql("ALTER SUBSCRIPTION %s CONNECTION %s", flow->name,
                                          literal(conninfo)));
}

void drop_subscription(const Flow *flow)
{
    if (!subscription_exists(flow))
        return;
    runf(flow->to, "ALTER SUBSCRIPTION %s DISABLE", flow->name);
    runf(flow->to, "ALTER SUBSCRIPTION %s SET (slot_name = NONE)", flow->name);
    runf(flow->to, "DROP SUBSCRIPTION %s", flow->name);
}

// ---- markers -----------------------------------------------------------------------------------

int64 write_marker(const Flow *flow)
{
    return strtoll(
        run_valuef(flow->from, "UPDATE %s SET n = n + 1 WHERE id = 1 RETURNING n", flow->marker),
        nullptr, 10);
}

void check_apply(const Flow *flow, int64 *errors)
{
    constexpr int64 bearable = 2; // a crash of the other side makes some, too
    int64 now = apply_errors(flow);
    if (*errors < 0)
        *errors = now;
    if (now > *errors + bearable)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("shard \"%s\" cannot apply the changes of a move",
                               NameStr(flow->to->shard_name)),
                        errdetail("Its subscription \"%s\" fails again and again.", flow->name),
                        errhint("The shard's server log has the reason.")));
}

bool wait_for_marker(const Flow *flow, int64 marker, TimestampTz deadline)
{
    char *sql = format_sql("SELECT n FROM %s WHERE id = 1", flow->marker);
    int64 errors = -1;
    for (int i = 0;; i++) {
        MemoryContext scratch =
            AllocSetContextCreate(CurrentMemoryContext, "shardwise marker", ALLOCSET_SMALL_SIZES);
        MemoryContext caller = MemoryContextSwitchTo(scratch);
        char *value = run_value(flow->to, sql);
        bool seen = value != nullptr && strtoll(value, nullptr, 10) >= marker;
        if (!seen && i > 0 && i % 200 == 0)
            check_apply(flow, &errors);
        MemoryContextSwitchTo(caller);
        MemoryContextDelete(scratch);
        if (seen)
            return true;
        if (GetCurrentTimestamp() >= deadline)
            return false;
        if (i < 50)
            pg_usleep(200L);
        else
            pause_for(i < 200 ? 1 : 20);
        CHECK_FOR_INTERRUPTS();
    }
}

int64 replication_lag(const Flow *flow)
{
    char *lag =
        run_valuef(flow->from,
                   "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::int8 "
                   "FROM pg_replication_slots WHERE slot_name = %s",
                   literal(flow->name));
    return lag != nullptr ? strtoll(lag, nullptr, 10) : -1;
}

} // namespace shardwise
