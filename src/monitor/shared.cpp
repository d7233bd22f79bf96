#include "monitor/shared.hpp"

#include "monitor/monitor.hpp"
#include "monitor/queries.hpp"
#include "pg/shared_memory.hpp"

namespace shardwise
{

SharedMonitor *shared_monitor = nullptr;
HTAB *query_counters = nullptr;

// Connections that are seen in stat_progress: some of each backend.
static int progress_slots()
{
    return MaxBackends * 4 + 64;
}

static Size monitor_size()
{
    return offsetof(SharedMonitor, progress) + sizeof(Progress) * (Size)progress_slots();
}

static void init_slots()
{
    for (ShardCounters &shard : shared_monitor->shards) {
        for (pg_atomic_uint64 *counter = &shard.statements; counter <= &shard.last_error; counter++)
            pg_atomic_init_u64(counter, 0);
        pg_atomic_init_u32(&shard.moves, 0);
    }
    shared_monitor->progress_count = progress_slots();
    for (int i = 0; i < shared_monitor->progress_count; i++) {
        Progress *progress = &shared_monitor->progress[i];
        pg_atomic_init_u32(&progress->pid, 0);
        pg_atomic_init_u64(&progress->started, 0);
        pg_atomic_init_u64(&progress->rows, 0);
        pg_atomic_init_u64(&progress->bytes, 0);
    }
}

static void request_monitor_memory()
{
    RequestAddinShmemSpace(monitor_size());
    RequestAddinShmemSpace(hash_estimate_size(max_tracked_queries, sizeof(QueryCounters)));
    RequestNamedLWLockTranche("shardwise_monitor", 2);
}

static void make_monitor_memory()
{
    bool found;
    shared_monitor =
        static_cast<SharedMonitor *>(ShmemInitStruct("shardwise monitor", monitor_size(), &found));
    if (!found) {
        memset(static_cast<void *>(shared_monitor), 0, monitor_size());
        LWLockPadded *locks = GetNamedLWLockTranche("shardwise_monitor");
        shared_monitor->query_lock = &locks[0].lock;
        shared_monitor->shard_lock = &locks[1].lock;
        init_slots();
    }
    HASHCTL control = {};
    control.keysize = sizeof(QueryKey);
    control.entrysize = sizeof(QueryCounters);
    query_counters = ShmemInitHash("shardwise queries", max_tracked_queries, max_tracked_queries,
                                   &control, HASH_ELEM | HASH_BLOBS);
}

void init_monitor()
{
    init_query_settings();
    register_shared_memory(request_monitor_memory, make_monitor_memory);
}

} // namespace shardwise
