#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "reshard/replication.hpp"
#include "reshard/settings.hpp"
#include "reshard/throttle.hpp"

extern "C" {
#include "postmaster/interrupt.h"
#include "utils/timestamp.h"
}

namespace shardwise
{

namespace
{

constexpr int pace_ms = 250;
constexpr int standby_ms = 1000;

double seconds_between(TimestampTz from, TimestampTz to)
{
    return static_cast<double>(to - from) / USECS_PER_SEC;
}

Others look_at_others(Latency *latency)
{
    constexpr uint64 enough_statements = 100; // for percentiles that say something
    LatencyHistogram all = read_response_times(latency->server).moving;
    LatencyHistogram now = all.since(latency->seen);
    bool is_known = latency->usual.total() >= enough_statements;
    if (now.total() == 0)
        return Others::Absent;
    if (!is_known && now.total() < enough_statements)
        return Others::Content;
    latency->seen = all;
    if (!is_known)
        latency->usual = now;
    return is_slowed_down(now, latency->usual, move_max_slowdown) ? Others::Suffering
                                                                  : Others::Content;
}

void pace(Throttle *throttle, TimestampTz now)
{
    double seconds = seconds_between(throttle->paced_at, now);
    if (move_max_slowdown <= 0) {
        throttle->pace = {};
    } else if (seconds * 1000 < pace_ms) {
        return;
    } else {
        Others at_source = look_at_others(&throttle->latencies[0]);
        Others at_target = look_at_others(&throttle->latencies[1]);
        adjust_pace(&throttle->pace, static_cast<double>(throttle->done) / seconds,
                    std::max(at_source, at_target));
    }
    throttle->done = 0;
    throttle->paced_at = now;
}

// Megabytes of WAL that the slowest standby of a shard has yet to apply; its name in *name.
double standby_lag(ShardSession *s, char **name)
{
    Rows rows = run(s, "SELECT r.application_name, pg_wal_lsn_diff(pg_current_wal_lsn(), "
                       "coalesce(r.replay_lsn, r.flush_lsn, r.sent_lsn)) / 1048576 "
                       "FROM pg_stat_replication r WHERE r.state IN ('streaming', 'catchup') "
                       "AND NOT EXISTS (SELECT FROM pg_replication_slots s "
                       "WHERE s.active_pid = r.pid AND s.slot_type = 'logical') "
                       "ORDER BY 2 DESC NULLS LAST LIMIT 1");
    if (rows.count == 0 || rows.values[0][1] == nullptr)
        return 0;
    *name = rows.values[0][0];
    return strtod(rows.values[0][1], nullptr);
}

bool is_behind(const Throttle *throttle, ShardSession *s)
{
    char *name = nullptr;
    double lag = standby_lag(s, &name);
    if (lag <= move_max_replica_lag)
        return false;
    if (!throttle->standby_behind)
        add_event(throttle->move, "held up",
                  psprintf("Standby \"%s\" of shard \"%s\" is %.0f MB behind.", name,
                           NameStr(s->shard_name), lag));
    return true;
}

void look_at_standbys(Throttle *throttle)
{
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "shardwise throttle", ALLOCSET_SMALL_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(scratch);
    throttle->standby_behind =
        move_max_replica_lag >= 0 && (is_behind(throttle, throttle->move->at_source) ||
                                      is_behind(throttle, throttle->move->at_target));
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(scratch);
}

void tell(Throttle *throttle, const char *reason)
{
    if (reason == throttle->reason)
        return;
    throttle->reason = reason;
    catalogf("UPDATE shardwise.move SET throttled_by = %s WHERE move_id = %d",
             reason != nullptr ? quote_literal_cstr(reason) : "NULL", throttle->move->id);
}

double rate_limit()
{
    return move_rate_limit * 1024.0;
}

constexpr double portions_a_second = 50;

// A bucket without a rate is never empty, and keeps nothing.
void fill(double *tokens, double rate, double seconds, double most)
{
    *tokens = rate > 0 ? std::min(*tokens + seconds * rate, most) : 0;
}

long wait_for_tokens(double tokens, double rate)
{
    return tokens >= 0 ? 0 : std::clamp(static_cast<long>(-tokens / rate * 1000), 1L, 1000L);
}

void look_around(Throttle *throttle, TimestampTz now)
{
    pace(throttle, now);
    throttle->looked = seconds_between(throttle->looked_at, now) * 1000 >= standby_ms;
    if (!throttle->looked)
        return;
    throttle->looked_at = now;
    look_at_standbys(throttle);
    double limit = rate_limit();
    const Pace *pace = &throttle->pace;
    bool by_pace = pace->limit > 0 && (limit <= 0 || pace->limit < limit);
    // A slow start holds nothing back for long.
    tell(throttle, throttle->standby_behind       ? "replica lag"
                   : by_pace && pace->ceiling > 0 ? "latency"
                   : limit > 0                    ? "rate limit"
                                                  : nullptr);
}

} // namespace

void watch_latency(RunningMove *move)
{
    move->latencies = (Latency *)palloc0(2 * sizeof(Latency));
    in_transaction([&] {
        move->latencies[0].server = find_shard(move->source)->server;
        move->latencies[1].server = find_shard(move->target)->server;
    });
    for (int i = 0; i < 2; i++) {
        Latency *latency = &move->latencies[i];
        ResponseTimes times = read_response_times(latency->server);
        latency->usual = times.quiet;
        latency->seen = times.moving;
        count_mover(latency->server);
    }
}

Throttle begin_throttle(const RunningMove *move)
{
    Throttle throttle = {};
    throttle.move = move;
    throttle.pace = careful_pace;
    for (int i = 0; i < 2; i++) {
        throttle.latencies[i] = move->latencies[i];
        throttle.latencies[i].seen = read_response_times(move->latencies[i].server).moving;
    }
    throttle.filled_at = throttle.paced_at = GetCurrentTimestamp();
    return throttle;
}

uint64 throttle_portion(const Throttle *throttle)
{
    double rate = throttle->pace.limit;
    return rate > 0 ? static_cast<uint64>(rate / portions_a_second) : PG_UINT64_MAX;
}

void throttle_work(Throttle *throttle, uint64 bytes, uint64 effort)
{
    throttle->tokens -= static_cast<double>(bytes);
    throttle->effort -= static_cast<double>(effort);
    throttle->done += effort;
}

long throttle_pause(Throttle *throttle)
{
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
    }
    TimestampTz now = GetCurrentTimestamp();
    look_around(throttle, now);
    double seconds = throttle->standby_behind ? 0 : seconds_between(throttle->filled_at, now);
    double limit = rate_limit(), pace = throttle->pace.limit;
    fill(&throttle->tokens, limit, seconds, limit / 10);
    fill(&throttle->effort, pace, seconds, pace / portions_a_second);
    throttle->filled_at = now;
    return throttle->standby_behind ? pace_ms
                                    : std::max(wait_for_tokens(throttle->tokens, limit),
                                               wait_for_tokens(throttle->effort, pace));
}

bool throttle_passes(const Throttle *throttle)
{
    return !throttle->standby_behind && throttle->tokens >= 0;
}

void end_throttle(Throttle *throttle)
{
    tell(throttle, nullptr);
}

} // namespace shardwise
