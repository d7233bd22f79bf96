// The functions behind the views stat_shards, stat_queries and stat_progress.
#include "monitor/monitor.hpp"
#include "monitor/queries.hpp"
#include "monitor/shared.hpp"

extern "C" {
#include "catalog/pg_authid.h"
#include "storage/spin.h"
}

namespace shardwise
{

static Datum read_counter(pg_atomic_uint64 *counter)
{
    return Int64GetDatum((int64)pg_atomic_read_u64(counter));
}

static Datum milliseconds(double microseconds)
{
    return Float8GetDatum(microseconds / 1000.0);
}

static void put(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
    ReturnSetInfo *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

// Others' work is shown to those who may see all statistics, as in pg_stat_activity.
static bool may_see(Oid role)
{
    return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS) ||
           has_privs_of_role(GetUserId(), role);
}

static void put_shard(FunctionCallInfo fcinfo, ShardCounters *shard)
{
    ResponseTimes times = read_response_times(shard->server);
    LatencyHistogram all = times.quiet;
    for (int bucket = 0; bucket < latency_buckets; bucket++)
        all.counts[bucket] += times.moving.counts[bucket];
    Datum values[14] = {ObjectIdGetDatum(shard->server),
                        read_counter(&shard->statements),
                        read_counter(&shard->rows),
                        read_counter(&shard->bytes),
                        read_counter(&shard->errors),
                        milliseconds((double)pg_atomic_read_u64(&shard->response_time)),
                        milliseconds((double)all.percentile(0.5)),
                        milliseconds((double)all.percentile(0.99)),
                        milliseconds((double)pg_atomic_read_u64(&shard->max_response_time)),
                        read_counter(&shard->opened),
                        read_counter(&shard->open),
                        read_counter(&shard->commits),
                        read_counter(&shard->two_phase_commits),
                        read_counter(&shard->last_error)};
    bool nulls[14] = {};
    nulls[6] = nulls[7] = all.total() == 0;
    nulls[13] = DatumGetInt64(values[13]) == 0;
    put(fcinfo, values, nulls);
}

static void put_query(FunctionCallInfo fcinfo, QueryCounters *shared)
{
    QueryCounters query;
    SpinLockAcquire(&shared->mutex);
    query = *shared;
    SpinLockRelease(&shared->mutex);

    Datum values[13];
    bool nulls[13] = {};
    bool visible = may_see(query.key.role);
    int i = 0;
    values[i++] = ObjectIdGetDatum(query.key.role);
    nulls[i] = !visible;
    values[i++] = Int64GetDatum((int64)query.key.query_id);
    values[i++] = CStringGetTextDatum(visible ? query.text : "<insufficient privilege>");
    values[i++] = Int64GetDatum((int64)query.calls);
    for (uint64 calls : query.tiers)
        values[i++] = Int64GetDatum((int64)calls);
    values[i++] = milliseconds(query.total_time);
    values[i++] = milliseconds(query.min_time);
    values[i++] = milliseconds(query.max_time);
    values[i++] = Int64GetDatum((int64)query.rows);
    values[i++] = Int64GetDatum((int64)query.shards);
    put(fcinfo, values, nulls);
}

static void put_progress(FunctionCallInfo fcinfo, Progress *progress)
{
    uint32 pid = pg_atomic_read_u32(&progress->pid);
    uint64 started = pg_atomic_read_u64(&progress->started);
    if (pid == 0 || started == 0 || progress->database != MyDatabaseId || !may_see(progress->role))
        return;
    Datum values[6] = {
        Int32GetDatum((int32)pid),          ObjectIdGetDatum(progress->role),
        ObjectIdGetDatum(progress->server), TimestampTzGetDatum((TimestampTz)started),
        read_counter(&progress->rows),      read_counter(&progress->bytes)};
    bool nulls[6] = {};
    put(fcinfo, values, nulls);
}

} // namespace shardwise

// shardwise.shard_counters(): one row for each foreign server that this database's backends have
// used.
SHARDWISE_FUNCTION(shardwise_shard_counters)
{
    using namespace shardwise;
    InitMaterializedSRF(fcinfo, 0);
    for (ShardCounters &shard : shared_monitor->shards)
        if (shard.database == MyDatabaseId)
            put_shard(fcinfo, &shard);
    return (Datum)0;
}

// shardwise.query_counters(): one row for each normalised query and role of this database; text and
// number only for those who may see them.
SHARDWISE_FUNCTION(shardwise_query_counters)
{
    using namespace shardwise;
    InitMaterializedSRF(fcinfo, 0);
    LWLockAcquire(shared_monitor->query_lock, LW_SHARED);
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, query_counters);
    while (QueryCounters *query = static_cast<QueryCounters *>(hash_seq_search(&scan)))
        if (query->key.database == MyDatabaseId)
            put_query(fcinfo, query);
    LWLockRelease(shared_monitor->query_lock);
    return (Datum)0;
}

// shardwise.connection_progress(): one row for each connection to a shard that a statement runs on.
SHARDWISE_FUNCTION(shardwise_connection_progress)
{
    using namespace shardwise;
    InitMaterializedSRF(fcinfo, 0);
    for (int i = 0; i < shared_monitor->progress_count; i++)
        put_progress(fcinfo, &shared_monitor->progress[i]);
    return (Datum)0;
}

// shardwise.stat_reset(): sets the counters of this database to zero.
SHARDWISE_FUNCTION(shardwise_stat_reset)
{
    using namespace shardwise;
    for (ShardCounters &shard : shared_monitor->shards) {
        if (shard.database != MyDatabaseId)
            continue;
        for (pg_atomic_uint64 *counter = &shard.statements; counter <= &shard.last_error; counter++)
            if (counter != &shard.open)
                pg_atomic_write_u64(counter, 0);
    }
    reset_queries();
    PG_RETURN_VOID();
}
