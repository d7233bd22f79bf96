// The workers that see to it that plans go on: one launcher for the server, which lives as long as
// it, and one runner for each database with work to do, which starts the workers of its moves.
// Where no worker is free for a runner, the launcher tries again until there is one.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/lock_tags.hpp"
#include "pg/shared_memory.hpp"
#include "reshard/move.hpp"
#include "reshard/replication.hpp"
#include "reshard/settings.hpp"
#include "reshard/worker.hpp"

extern "C" {
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/lwlock.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"
}

namespace shardwise
{

namespace
{

constexpr long runner_pause_ms = 300;

// What a starter tells its worker, in bgw_extra.
struct Orders {
    Oid database;
    TransactionId after;
};
static_assert(sizeof(Orders) <= BGW_EXTRALEN);

// Runners that found no free worker or ended by an error, for the launcher. Orders beyond `count`
// wait for a restart of the server or the next call for the same plan, as their callers are told.
struct MissedRunners {
    slock_t lock;
    int count;
    Orders orders[64];
};

MissedRunners *missed_runners = nullptr;

struct ActiveMove {
    int32 move_id;
    int32 plan_id;
    int32 source, target;
    BackgroundWorkerHandle *handle;
};

struct Runner {
    List *active;  // of ActiveMove *
    List *adopted; // move ids that were swapped when this runner first saw them
};

// ---- which move is next ------------------------------------------------------------------------

// Moves that a worker could bring further, in the order in which they are to start.
constexpr const char *candidates_sql = R"(
SELECT m.move_id, m.plan_id, m.source_shard, m.target_shard, m.state
  FROM shardwise.move m JOIN shardwise.plan p USING (plan_id)
 WHERE CASE
       WHEN m.state = 'cleaning' THEN true
       WHEN m.state IN ('cancelled', 'rolled_back') THEN m.leftovers
       WHEN m.state = 'done' THEN false
       WHEN m.state = 'failed' THEN p.wanted IN ('cancel', 'rollback') OR (m.leftovers AND NOT EXISTS (
            SELECT FROM shardwise.move_verification v
             WHERE v.move_id = m.move_id AND v.mismatched + v.missing + v.extra > 0))
       WHEN m.state = 'swapped' THEN true
       ELSE p.wanted IN ('cancel', 'rollback') OR (p.wanted = 'run' AND p.state = 'running') END
   AND p.state NOT IN ('planned', 'done')
 ORDER BY p.started_at, p.plan_id,
          CASE WHEN p.wanted IN ('cancel', 'rollback') THEN -m.position ELSE m.position END)";

// A swapped move rests until somebody wants it to be finished or rolled back; a new runner looks at
// it once, in case that the one before died right after the swap.
bool rests(Runner *runner, int32 move_id, const char *state)
{
    if (strcmp(state, "swapped") != 0)
        return false;
    Rows rows = catalogf("SELECT 1 FROM shardwise.move JOIN shardwise.plan p USING (plan_id) "
                         "WHERE move_id = %d AND p.wanted IN ('finish', 'rollback')",
                         move_id);
    if (rows.count > 0)
        return false;
    if (list_member_int(runner->adopted, move_id))
        return true;
    MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
    runner->adopted = lappend_int(runner->adopted, move_id);
    MemoryContextSwitchTo(caller);
    return false;
}

// A shard sends or receives for one move at a time.
bool is_busy(const Runner *runner, int32 shard)
{
    ListCell *cell;
    foreach (cell, runner->active) {
        const ActiveMove *move = (const ActiveMove *)lfirst(cell);
        if (move->source == shard || move->target == shard)
            return true;
    }
    return false;
}

bool is_active(const Runner *runner, int32 move_id)
{
    ListCell *cell;
    foreach (cell, runner->active)
        if (((const ActiveMove *)lfirst(cell))->move_id == move_id)
            return true;
    return false;
}

// nullptr where no worker slot is free. Notices go to this process.
BackgroundWorkerHandle *start_mover(int32 move_id)
{
    BackgroundWorker worker = describe_worker(
        "shardwise_mover_main", psprintf("shardwise move %d", move_id), Int32GetDatum(move_id));
    strlcpy(worker.bgw_type, "shardwise mover", sizeof(worker.bgw_type));
    worker.bgw_notify_pid = MyProcPid;
    BackgroundWorkerHandle *handle;
    return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : nullptr;
}

void start_one(Runner *runner, char **row)
{
    MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
    BackgroundWorkerHandle *handle = start_mover(atoi(row[0]));
    if (handle != nullptr) {
        ActiveMove *move = (ActiveMove *)palloc(sizeof(ActiveMove));
        *move = {atoi(row[0]), atoi(row[1]), atoi(row[2]), atoi(row[3]), handle};
        runner->active = lappend(runner->active, move);
    }
    MemoryContextSwitchTo(caller);
}

void start_moves(Runner *runner)
{
    Rows rows = catalog(candidates_sql);
    int blocked_plan = 0;
    for (int i = 0; i < rows.count; i++) {
        char **row = rows.values[i];
        int32 move_id = atoi(row[0]), plan_id = atoi(row[1]);
        if (is_active(runner, move_id) || plan_id == blocked_plan || rests(runner, move_id, row[4]))
            continue;
        if (list_length(runner->active) >= max_parallel_moves)
            break;
        if (is_busy(runner, atoi(row[2])) || is_busy(runner, atoi(row[3])))
            blocked_plan = plan_id; // what comes behind it in the plan waits for it
        else
            start_one(runner, row);
    }
}

void forget_ended_moves(Runner *runner)
{
    ListCell *cell;
    foreach (cell, runner->active) {
        ActiveMove *move = (ActiveMove *)lfirst(cell);
        pid_t pid;
        if (GetBackgroundWorkerPid(move->handle, &pid) != BGWH_STOPPED)
            continue;
        runner->active = foreach_delete_current(runner->active, cell);
        pfree(move->handle);
        pfree(move);
    }
}

// ---- plans -------------------------------------------------------------------------------------

// The state of a plan follows from those of its moves and from what is wanted. Moves that a worker
// has in hand may say more in a moment.
constexpr const char *settle_sql = R"(
WITH seen AS (
    SELECT p.plan_id, p.state, p.wanted,
           bool_or(m.state = 'failed') AS failed,
           bool_and(m.state IN ('swapped', 'cleaning', 'done')) AS swapped,
           bool_or(m.state IN ('swapped', 'cleaning')) AS any_swapped,
           bool_and(m.state IN ('done', 'cancelled', 'rolled_back')) AS over,
           bool_or(m.leftovers) AS leftovers,
           bool_or(m.move_id = ANY ('{%s}'::int[])) AS active,
           max(m.swapped_at) AS swapped_at,
           (array_agg(m.error ORDER BY m.position) FILTER (WHERE m.state = 'failed'))[1] AS error
      FROM shardwise.plan p LEFT JOIN shardwise.move m USING (plan_id)
     WHERE p.state IN ('running', 'paused', 'swapped', 'failed')
     GROUP BY p.plan_id
), settled AS (
    SELECT plan_id, error, wanted AS had_wanted, state AS had_state,
           CASE WHEN active THEN state
                WHEN over IS NOT false AND NOT coalesce(leftovers, false) THEN
                     CASE wanted WHEN 'rollback' THEN 'rolled_back' WHEN 'cancel' THEN 'cancelled'
                          ELSE 'done' END
                WHEN wanted = 'cancel' AND any_swapped AND NOT failed THEN 'swapped'
                WHEN wanted IN ('cancel', 'rollback', 'finish') THEN state
                WHEN failed THEN 'failed'
                WHEN swapped THEN 'swapped'
                WHEN wanted = 'pause' THEN 'paused'
                ELSE state END AS state,
           CASE WHEN wanted = 'cancel' AND any_swapped AND NOT failed AND NOT active THEN 'run'
                WHEN wanted = 'run' AND swapped AND NOT active AND %d >= 0
                     AND swapped_at + interval '%d seconds' <= clock_timestamp() THEN 'finish'
                ELSE wanted END AS wanted
      FROM seen
)
UPDATE shardwise.plan p
   SET state = s.state, wanted = s.wanted,
       error = CASE s.state WHEN 'failed' THEN s.error WHEN 'swapped' THEN p.error END,
       finished_at = CASE WHEN s.state IN ('done', 'cancelled', 'rolled_back')
                          THEN clock_timestamp() END
  FROM settled s
 WHERE p.plan_id = s.plan_id AND p.state = s.had_state AND p.wanted = s.had_wanted
   AND (p.state, p.wanted) IS DISTINCT FROM (s.state, s.wanted))";

void settle_plans(const Runner *runner)
{
    StringInfoData active;
    initStringInfo(&active);
    ListCell *cell;
    foreach (cell, runner->active)
        appendStringInfo(&active, "%s%d", active.len > 0 ? "," : "",
                         ((const ActiveMove *)lfirst(cell))->move_id);
    catalogf(settle_sql, active.data, rollback_window, std::max(rollback_window, 0));
}

// Paused and failed plans need nobody, until their operator says so.
bool has_work()
{
    return catalog("SELECT 1 FROM shardwise.plan p WHERE state = 'running' OR state = 'swapped' OR "
                   "(wanted IN ('cancel', 'rollback', 'finish') AND state IN ('paused', 'failed')) "
                   "OR EXISTS (SELECT FROM shardwise.move m WHERE m.plan_id = p.plan_id AND "
                   "m.leftovers AND m.state IN ('cleaning', 'cancelled', 'rolled_back')) LIMIT 1")
               .count > 0;
}

bool extension_is_here()
{
    bool here = false;
    in_transaction([&] { here = extension_exists(); });
    return here;
}

// ---- one runner a database ---------------------------------------------------------------------

// True once this process is the database's runner. Who finds another waits a little longer than
// that one may take to see what there is to do.
bool become_runner()
{
    LOCKTAG tag = lock_tag(LockKind::Runner);
    for (int i = 0; i < 10; i++) {
        if (LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL)
            return true;
        pause_for(runner_pause_ms);
    }
    return false;
}

void wait_for_starter(TransactionId after)
{
    if (!TransactionIdIsValid(after))
        return;
    in_transaction([&] { XactLockTableWait(after, nullptr, nullptr, XLTW_None); });
}

Orders orders_of(const BackgroundWorker *worker)
{
    Orders orders;
    memcpy(&orders, worker->bgw_extra, sizeof(orders));
    return orders;
}

bool register_runner(const Orders *orders, BackgroundWorkerHandle **handle)
{
    BackgroundWorker worker = describe_worker("shardwise_runner_main", "shardwise plan runner",
                                              static_cast<Datum>(0), orders->database);
    memcpy(worker.bgw_extra, orders, sizeof(*orders));
    worker.bgw_notify_pid = handle != nullptr ? MyProcPid : 0;
    return RegisterDynamicBackgroundWorker(&worker, handle);
}

bool leave_to_launcher(const Orders *orders)
{
    SpinLockAcquire(&missed_runners->lock);
    bool has_room = missed_runners->count < (int)lengthof(missed_runners->orders);
    if (has_room)
        missed_runners->orders[missed_runners->count++] = *orders;
    SpinLockRelease(&missed_runners->lock);
    return has_room;
}

// A runner that ends by an error has the launcher start the next one. The postmaster would do so
// for ever, also in a database that has been dropped.
void ask_for_successor(int code, Datum)
{
    Orders orders = orders_of(MyBgworkerEntry);
    if (code != 0)
        (void)leave_to_launcher(&orders);
}

bool take_missed(Orders *orders)
{
    SpinLockAcquire(&missed_runners->lock);
    bool found = missed_runners->count > 0;
    if (found)
        *orders = missed_runners->orders[--missed_runners->count];
    SpinLockRelease(&missed_runners->lock);
    return found;
}

// Starts a runner, with pauses while no worker is free. Databases without plans give theirs back at
// once, so that the next one need not add to them.
void start_patiently(const Orders *orders)
{
    constexpr long longest_pause_ms = 10000;
    BackgroundWorkerHandle *handle;
    for (long pause = 500; !register_runner(orders, &handle);
         pause = std::min(pause * 2, longest_pause_ms))
        pause_for(pause);
    pid_t pid;
    for (int i = 0; i < 10 && GetBackgroundWorkerPid(handle, &pid) != BGWH_STOPPED; i++)
        pause_for(50);
    pfree(handle);
}

List *list_databases()
{
    List *databases = NIL;
    MemoryContext caller = CurrentMemoryContext;
    StartTransactionCommand();
    Relation rel = table_open(DatabaseRelationId, AccessShareLock);
    TableScanDesc scan = table_beginscan_catalog(rel, 0, nullptr);
    while (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection)) {
        Form_pg_database database = (Form_pg_database)GETSTRUCT(tuple);
        if (!database->datallowconn || database->datistemplate)
            continue;
        MemoryContext saved = MemoryContextSwitchTo(caller);
        databases = lappend_oid(databases, database->oid);
        MemoryContextSwitchTo(saved);
    }
    table_endscan(scan);
    table_close(rel, AccessShareLock);
    CommitTransactionCommand();
    MemoryContextSwitchTo(caller);
    return databases;
}

} // namespace

void begin_worker(const char *name_format, int32 number)
{
    Orders orders = orders_of(MyBgworkerEntry);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(orders.database, InvalidOid, 0);
    char *name = psprintf(name_format, number);
    pgstat_report_appname(name);
    pgstat_report_activity(STATE_RUNNING, name);
}

BackgroundWorker describe_worker(const char *function, const char *name, Datum argument,
                                 Oid database)
{
    Orders orders = {OidIsValid(database) ? database : MyDatabaseId, InvalidTransactionId};
    BackgroundWorker worker = {};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    strlcpy(worker.bgw_library_name, "shardwise", sizeof(worker.bgw_library_name));
    strlcpy(worker.bgw_function_name, function, sizeof(worker.bgw_function_name));
    strlcpy(worker.bgw_name, name, sizeof(worker.bgw_name));
    strlcpy(worker.bgw_type, name, sizeof(worker.bgw_type));
    worker.bgw_main_arg = argument;
    memcpy(worker.bgw_extra, &orders, sizeof(orders));
    return worker;
}

void start_runner(Oid database, TransactionId after)
{
    Orders orders = {database, after};
    if (register_runner(&orders, nullptr))
        return;
    bool later = leave_to_launcher(&orders);
    ereport(WARNING, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                      errmsg("no background worker is free to run plans"),
                      later ? errdetail("The plan goes on as soon as one is free.")
                            : errdetail("Too many plans wait for one already."),
                      later ? errhint("Raise max_worker_processes.")
                            : errhint("Raise max_worker_processes and restart the router.")));
}

static void request_launcher_memory()
{
    RequestAddinShmemSpace(MAXALIGN(sizeof(MissedRunners)));
}

static void make_launcher_memory()
{
    bool found;
    missed_runners = static_cast<MissedRunners *>(
        ShmemInitStruct("shardwise launcher", sizeof(MissedRunners), &found));
    if (!found) {
        memset(static_cast<void *>(missed_runners), 0, sizeof(MissedRunners));
        SpinLockInit(&missed_runners->lock);
    }
}

void init_reshard()
{
    define_move_settings();
    register_shared_memory(request_launcher_memory, make_launcher_memory);
    BackgroundWorker worker =
        describe_worker("shardwise_launcher_main", "shardwise launcher", static_cast<Datum>(0));
    worker.bgw_restart_time = 5;
    RegisterBackgroundWorker(&worker);
}

} // namespace shardwise

using namespace shardwise;

extern "C" {
PGDLLEXPORT void shardwise_launcher_main(Datum);
PGDLLEXPORT void shardwise_runner_main(Datum);
}

// Gives each database a runner when the server starts. Plans that are started later bring their
// own, but for those that find no free worker.
void shardwise_launcher_main(Datum)
{
    constexpr long pause_ms = 2000;
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    Orders orders = {};
    ListCell *cell;
    foreach (cell, list_databases()) {
        orders.database = lfirst_oid(cell);
        start_patiently(&orders);
    }
    pgstat_report_activity(STATE_IDLE, nullptr);
    for (;;) {
        while (take_missed(&orders))
            start_patiently(&orders);
        pause_for(pause_ms);
    }
}

void shardwise_runner_main(Datum)
{
    Orders orders = orders_of(MyBgworkerEntry);
    begin_worker("shardwise plan runner", 0);
    before_shmem_exit(ask_for_successor, static_cast<Datum>(0));
    wait_for_starter(orders.after);
    if (!extension_is_here() || !become_runner())
        return;
    MemoryContext scratch =
        AllocSetContextCreate(TopMemoryContext, "shardwise runner", ALLOCSET_DEFAULT_SIZES);
    Runner runner = {};
    for (;;) {
        MemoryContextReset(scratch);
        MemoryContextSwitchTo(scratch);
        forget_ended_moves(&runner);
        start_moves(&runner);
        settle_plans(&runner);
        if (runner.active == NIL && !has_work())
            return;
        pause_for(runner_pause_ms);
    }
}
