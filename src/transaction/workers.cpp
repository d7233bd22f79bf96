// The processes that work by themselves: recovery, deadlocks, statistics. The launcher knows when
// which database is to be visited, and starts a worker for it that visits it once: a worker that
// stayed would be in the way of DROP DATABASE.
#include "transaction/recovery.hpp"

#include "pg/deadlines.hpp"
#include "transaction/deadlock.hpp"
#include "transaction/shared.hpp"
#include "transaction/workers.hpp"

extern "C" {
#include "catalog/pg_database.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace shardwise
{

static constexpr int max_workers = 8;
static constexpr int visit_seconds = 30; // a worker gives up then

static int recovery_interval = 60;
static void (*refresh_statistics)() = nullptr;

void set_statistics_refresh(void (*refresh)())
{
    refresh_statistics = refresh;
}

static TimestampTz after_interval()
{
    return milliseconds_from_now(static_cast<int64>(recovery_interval) * 1000);
}

static void request_all_visits(Task task)
{
    StartTransactionCommand();
    (void)GetTransactionSnapshot();
    Relation rel = table_open(DatabaseRelationId, AccessShareLock);
    TableScanDesc scan = table_beginscan_catalog(rel, 0, nullptr);
    while (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection)) {
        Form_pg_database database = (Form_pg_database)GETSTRUCT(tuple);
        if (database->datallowconn && !database->datistemplate)
            request_visit(database->oid, task, GetCurrentTimestamp());
    }
    table_endscan(scan);
    table_close(rel, AccessShareLock);
    CommitTransactionCommand();
}

// The worker's argument: the database, and above it the task.
static Datum encode(const Visit *visit)
{
    return UInt64GetDatum((static_cast<uint64>(visit->task) << 32) | visit->database);
}

static BackgroundWorkerHandle *start_worker(const Visit *visit)
{
    static constexpr const char *names[] = {
        "shardwise recovery worker", "shardwise deadlock detector", "shardwise statistics worker"};
    const char *name = names[static_cast<int>(visit->task)];
    BackgroundWorker worker = {};
    snprintf(worker.bgw_name, BGW_MAXLEN, "%s", name);
    snprintf(worker.bgw_type, BGW_MAXLEN, "%s", name);
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    snprintf(worker.bgw_library_name, BGW_MAXLEN, "shardwise");
    snprintf(worker.bgw_function_name, BGW_MAXLEN, "shardwise_recovery_worker");
    worker.bgw_main_arg = encode(visit);
    worker.bgw_notify_pid = MyProcPid;
    BackgroundWorkerHandle *handle = nullptr;
    return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : nullptr;
}

static int count_running(BackgroundWorkerHandle **workers)
{
    int running = 0;
    for (int i = 0; i < max_workers; i++) {
        pid_t pid;
        if (workers[i] == nullptr)
            continue;
        if (GetBackgroundWorkerPid(workers[i], &pid) == BGWH_STOPPED) {
            pfree(workers[i]);
            workers[i] = nullptr;
        } else {
            running++;
        }
    }
    return running;
}

// Starts workers for what is due; returns how long the launcher may sleep, -1: until it is woken.
static long start_due_workers(BackgroundWorkerHandle **workers)
{
    Visit visit;
    long milliseconds = -1;
    while (count_running(workers) < max_workers && take_due_visit(&visit, &milliseconds)) {
        BackgroundWorkerHandle *handle = start_worker(&visit);
        if (handle == nullptr) { // no free slot: later; who waits asks again
            if (visit.task != Task::Deadlocks)
                request_visit(visit.database, visit.task, milliseconds_from_now(5000));
            continue;
        }
        for (int i = 0; i < max_workers; i++) {
            if (workers[i] == nullptr) {
                workers[i] = handle;
                break;
            }
        }
    }
    return count_running(workers) < max_workers ? milliseconds : -1;
}

static void run_launcher()
{
    BackgroundWorkerHandle *workers[max_workers] = {};
    pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    register_launcher();
    // After a start of the server nobody knows what earlier transactions have left anywhere.
    request_all_visits(Task::Recovery);
    request_all_visits(Task::Statistics);
    while (!ShutdownRequestPending) {
        long milliseconds = start_due_workers(workers);
        int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (milliseconds >= 0 ? WL_TIMEOUT : 0);
        (void)WaitLatch(MyLatch, events, milliseconds, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
            request_all_visits(Task::Statistics); // they may have been off
        }
    }
}

static void recover()
{
    // First: it has to happen also where this visit fails.
    request_visit(MyDatabaseId, Task::Recovery, after_interval());
    pgstat_report_activity(STATE_RUNNING, "recovering prepared transactions");
    enable_timeout_after(STATEMENT_TIMEOUT, visit_seconds * 1000);
    recover_all_shards();
    disable_timeout(STATEMENT_TIMEOUT, false);
}

// Visits one database. A shard that does not answer is tried again soon.
static void run_worker(Oid database, Task task)
{
    pqsignal(SIGTERM, die);
    pqsignal(SIGINT, StatementCancelHandler);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);

    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    bool has_work = extension_exists();
    if (has_work) {
        PushActiveSnapshot(GetTransactionSnapshot());
        if (task == Task::Recovery)
            recover();
        PopActiveSnapshot();
        if (task == Task::Deadlocks && begin_deadlock_detection()) {
            pgstat_report_activity(STATE_RUNNING, "looking for deadlocks over several servers");
            detect_deadlocks();
        }
    }
    CommitTransactionCommand();
    if (has_work && task == Task::Statistics)
        refresh_statistics();
}

void init_recovery_worker()
{
    DefineCustomIntVariable("shardwise.recovery_interval",
                            "Sets the time between two looks at the shards for prepared "
                            "transactions that nobody finishes.",
                            "Also the time after which a shard that did not answer is tried again.",
                            &recovery_interval, 60, 1, 86400, PGC_SIGHUP, GUC_UNIT_S, nullptr,
                            nullptr, nullptr);

    BackgroundWorker launcher = {};
    snprintf(launcher.bgw_name, BGW_MAXLEN, "shardwise recovery launcher");
    snprintf(launcher.bgw_type, BGW_MAXLEN, "shardwise recovery launcher");
    launcher.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    launcher.bgw_start_time = BgWorkerStart_RecoveryFinished;
    launcher.bgw_restart_time = 5;
    snprintf(launcher.bgw_library_name, BGW_MAXLEN, "shardwise");
    snprintf(launcher.bgw_function_name, BGW_MAXLEN, "shardwise_recovery_launcher");
    RegisterBackgroundWorker(&launcher);
}

} // namespace shardwise

extern "C" {

PGDLLEXPORT void shardwise_recovery_launcher(Datum)
{
    shardwise::run_launcher();
}

PGDLLEXPORT void shardwise_recovery_worker(Datum argument)
{
    shardwise::run_worker(static_cast<Oid>(DatumGetUInt64(argument)),
                          static_cast<shardwise::Task>(DatumGetUInt64(argument) >> 32));
}
}
