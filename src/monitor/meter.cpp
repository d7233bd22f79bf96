// Counting what connections do.
#include "monitor/shared.hpp"

#include "monitor/monitor.hpp"

extern "C" {
#include "storage/ipc.h"
}

namespace shardwise
{

static ShardCounters *find_counters(Oid server)
{
    for (ShardCounters &shard : shared_monitor->shards) {
        if (shard.database == MyDatabaseId && shard.server == server)
            return &shard;
        if (!OidIsValid(shard.database))
            break;
    }
    return nullptr;
}

// Finds a shard's slot, or takes the first free one.
static ShardCounters *take_counters(Oid server)
{
    ShardCounters *found = find_counters(server);
    if (found != nullptr)
        return found;
    LWLockAcquire(shared_monitor->shard_lock, LW_EXCLUSIVE);
    found = find_counters(server);
    for (ShardCounters &shard : shared_monitor->shards) {
        if (found != nullptr)
            break;
        if (OidIsValid(shard.database))
            continue;
        shard.server = server;
        pg_write_barrier();
        shard.database = MyDatabaseId;
        found = &shard;
    }
    LWLockRelease(shared_monitor->shard_lock);
    return found;
}

ResponseTimes read_response_times(Oid server)
{
    ShardCounters *shard = shared_monitor != nullptr ? find_counters(server) : nullptr;
    if (shard == nullptr)
        return {};
    ResponseTimes times;
    for (int bucket = 0; bucket < latency_buckets; bucket++) {
        times.quiet.counts[bucket] = pg_atomic_read_u64(&shard->quiet_times[bucket]);
        times.moving.counts[bucket] = pg_atomic_read_u64(&shard->moving_times[bucket]);
    }
    return times;
}

static ShardCounters *counted_movers[2]; // source and target

extern "C" {
static void forget_mover(int, Datum)
{
    for (ShardCounters *shard : counted_movers)
        if (shard != nullptr)
            pg_atomic_fetch_sub_u32(&shard->moves, 1);
}
}

void count_mover(Oid server)
{
    ShardCounters *shard = shared_monitor != nullptr ? take_counters(server) : nullptr;
    if (shard == nullptr)
        return;
    if (counted_movers[0] == nullptr)
        before_shmem_exit(forget_mover, 0);
    for (ShardCounters *&counted : counted_movers) {
        if (counted == shard)
            return;
        if (counted != nullptr)
            continue;
        counted = shard;
        pg_atomic_fetch_add_u32(&shard->moves, 1);
        return;
    }
}

static Progress *take_progress(Oid server)
{
    int count = shared_monitor->progress_count;
    int start = (int)((uint32)MyProcPid * 4 % (uint32)count);
    for (int i = 0; i < count; i++) {
        Progress *progress = &shared_monitor->progress[(start + i) % count];
        uint32 nobody = 0;
        if (pg_atomic_read_u32(&progress->pid) != 0 ||
            !pg_atomic_compare_exchange_u32(&progress->pid, &nobody, (uint32)MyProcPid))
            continue;
        progress->database = MyDatabaseId;
        progress->server = server;
        return progress;
    }
    return nullptr;
}

void attach_meter(Meter *meter, Oid server)
{
    detach_meter(meter);
    if (shared_monitor == nullptr)
        return;
    meter->shard = take_counters(server);
    meter->progress = take_progress(server);
}

void count_opened(Meter *meter)
{
    if (meter->shard == nullptr)
        return;
    meter->is_open = true;
    pg_atomic_fetch_add_u64(&meter->shard->opened, 1);
    pg_atomic_fetch_add_u64(&meter->shard->open, 1);
}

void detach_meter(Meter *meter)
{
    if (meter->is_open)
        pg_atomic_fetch_sub_u64(&meter->shard->open, 1);
    if (meter->progress != nullptr) {
        pg_atomic_write_u64(&meter->progress->started, 0);
        pg_write_barrier();
        pg_atomic_write_u32(&meter->progress->pid, 0);
    }
    *meter = {};
}

double microseconds_since(const instr_time &start)
{
    instr_time now;
    INSTR_TIME_SET_CURRENT(now);
    INSTR_TIME_SUBTRACT(now, start);
    return INSTR_TIME_GET_MICROSEC(now);
}

static uint64 current_count = 0;
static int shards_in_count = 0;

void begin_counting_shards()
{
    current_count++;
    shards_in_count = 0;
}

int counted_shards()
{
    return shards_in_count;
}

void start_measuring(Meter *meter)
{
    if (meter->counted_in != current_count) {
        meter->counted_in = current_count;
        shards_in_count++;
    }
    INSTR_TIME_SET_CURRENT(meter->started);
    meter->running = true;
    meter->answered = false;
    meter->rows = meter->bytes = 0;
    meter->response_time = 0;
    if (meter->progress == nullptr)
        return;
    meter->progress->role = GetUserId();
    pg_atomic_write_u64(&meter->progress->rows, 0);
    pg_atomic_write_u64(&meter->progress->bytes, 0);
    pg_write_barrier();
    pg_atomic_write_u64(&meter->progress->started, (uint64)GetCurrentStatementStartTimestamp());
}

static void raise_to(pg_atomic_uint64 *maximum, uint64 value)
{
    uint64 present = pg_atomic_read_u64(maximum);
    while (present < value && !pg_atomic_compare_exchange_u64(maximum, &present, value)) {
    }
}

static void note_answer(Meter *meter)
{
    if (meter->answered)
        return;
    meter->answered = true;
    meter->response_time = microseconds_since(meter->started);
}

void count_received(Meter *meter, uint64 rows, uint64 bytes)
{
    if (!meter->running)
        return;
    note_answer(meter);
    meter->rows += rows;
    meter->bytes += bytes;
    if (meter->progress != nullptr) {
        pg_atomic_write_u64(&meter->progress->rows, meter->rows);
        pg_atomic_write_u64(&meter->progress->bytes, meter->bytes);
    }
}

void end_measuring(Meter *meter)
{
    if (!meter->running)
        return;
    meter->running = false;
    note_answer(meter);
    if (meter->progress != nullptr)
        pg_atomic_write_u64(&meter->progress->started, 0);
    ShardCounters *shard = meter->shard;
    if (shard == nullptr)
        return;
    uint64 time = (uint64)meter->response_time;
    pg_atomic_fetch_add_u64(&shard->statements, 1);
    pg_atomic_fetch_add_u64(&shard->response_time, time);
    if (meter->rows > 0)
        pg_atomic_fetch_add_u64(&shard->rows, (int64)meter->rows);
    if (meter->bytes > 0)
        pg_atomic_fetch_add_u64(&shard->bytes, (int64)meter->bytes);
    raise_to(&shard->max_response_time, time);
    pg_atomic_uint64 *times =
        pg_atomic_read_u32(&shard->moves) > 0 ? shard->moving_times : shard->quiet_times;
    pg_atomic_fetch_add_u64(&times[latency_bucket(time)], 1);
}

void count_shard_error(Meter *meter)
{
    if (meter->shard == nullptr)
        return;
    pg_atomic_fetch_add_u64(&meter->shard->errors, 1);
    pg_atomic_write_u64(&meter->shard->last_error, (uint64)GetCurrentTimestamp());
}

void count_commit(Meter *meter, bool two_phase)
{
    if (meter->shard != nullptr)
        pg_atomic_fetch_add_u64(
            two_phase ? &meter->shard->two_phase_commits : &meter->shard->commits, 1);
}

} // namespace shardwise
