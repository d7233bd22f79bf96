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

constexpr int warm_up_ms = 300;
constexpr int pace_ms = 250;
constexpr int standby_ms = 1000;
constexpr uint64 enough_statements = 10; // for a mean that says something
constexpr double unfelt_us = 500;        // nobody notices so much more

double seconds_between(TimestampTz from, TimestampTz to)
{
    return static_cast<double>(to - from) / USECS_PER_SEC;
}

// The mean of what statements took since `latency` was last looked at; false where they are too few
// to tell.
bool mean_since(const Latency *latency, const ResponseTimes &now, double *mean)
{
    uint64 statements = now.statements - latency->seen.statements;
    // stat_reset() sets counters back.
    if (now.statements < latency->seen.statements || statements < enough_statements ||
        now.microseconds < latency->seen.microseconds)
        return false;
    *mean = static_cast<double>(now.microseconds - latency->seen.microseconds) /
            static_cast<double>(statements);
    return true;
}

enum class Verdict { Unknown, Bearable, TooSlow };

Verdict judge(Latency *latency, TimestampTz now)
{
    constexpr double patience_s = 2; // what is older says nothing about now
    ResponseTimes times = read_response_times(latency->server);
    double mean;
    if (!mean_since(latency, times, &mean)) {
        if (times.statements >= latency->seen.statements &&
            seconds_between(latency->seen_at, now) < patience_s)
            return Verdict::Unknown;
        latency->seen = times;
        latency->seen_at = now;
        return Verdict::Bearable;
    }
    latency->seen = times;
    latency->seen_at = now;
    if (!latency->measured && (latency->usual <= 0 || mean < latency->usual))
        latency->usual = mean;
    bool slow = mean > latency->usual * move_max_slowdown && mean > latency->usual + unfelt_us;
    return slow ? Verdict::TooSlow : Verdict::Bearable;
}

void pace(Throttle *throttle, TimestampTz now)
{
    double seconds = seconds_between(throttle->paced_at, now);
    if (move_max_slowdown <= 0) {
        throttle->pace = {};
    } else if (seconds * 1000 < pace_ms) {
        return;
    } else {
        Verdict source = judge(&throttle->latencies[0], now);
        Verdict target = judge(&throttle->latencies[1], now);
        if (source == Verdict::Unknown && target == Verdict::Unknown)
            return;
        adjust_pace(&throttle->pace, static_cast<double>(throttle->bytes) / seconds,
                    source == Verdict::TooSlow || target == Verdict::TooSlow);
    }
    throttle->bytes = 0;
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

// Bytes a second that may pass now; 0: any number.
double allowed_rate(const Throttle *throttle)
{
    double limit = move_rate_limit * 1024.0, bearable = throttle->pace.limit;
    return limit > 0 && bearable > 0 ? std::min(limit, bearable) : std::max(limit, bearable);
}

void look_around(Throttle *throttle, TimestampTz now)
{
    pace(throttle, now);
    throttle->looked = seconds_between(throttle->looked_at, now) * 1000 >= standby_ms;
    if (!throttle->looked)
        return;
    throttle->looked_at = now;
    look_at_standbys(throttle);
    double rate = allowed_rate(throttle);
    tell(throttle, throttle->standby_behind                   ? "replica lag"
                   : rate > 0 && rate == throttle->pace.limit ? "latency"
                   : rate > 0                                 ? "rate limit"
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
        move->latencies[i].seen = read_response_times(move->latencies[i].server);
        move->latencies[i].seen_at = GetCurrentTimestamp();
    }
}

Throttle begin_throttle(const RunningMove *move)
{
    Throttle throttle = {};
    throttle.move = move;
    for (int i = 0; i < 2; i++) {
        Latency *latency = &throttle.latencies[i];
        *latency = move->latencies[i];
        long left =
            warm_up_ms - TimestampDifferenceMilliseconds(latency->seen_at, GetCurrentTimestamp());
        if (left > 0 && move_max_slowdown > 0)
            pause_for(left);
        ResponseTimes now = read_response_times(latency->server);
        double mean;
        latency->measured = mean_since(latency, now, &mean);
        latency->usual = latency->measured ? mean : 0;
        latency->seen = now;
        latency->seen_at = GetCurrentTimestamp();
    }
    throttle.filled_at = throttle.paced_at = GetCurrentTimestamp();
    return throttle;
}

void throttle_bytes(Throttle *throttle, uint64 bytes)
{
    throttle->tokens -= static_cast<double>(bytes);
    throttle->bytes += bytes;
}

long throttle_pause(Throttle *throttle)
{
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
    }
    TimestampTz now = GetCurrentTimestamp();
    look_around(throttle, now);
    if (throttle->standby_behind) {
        throttle->filled_at = now;
        return pace_ms;
    }
    double rate = allowed_rate(throttle);
    if (rate <= 0) {
        throttle->tokens = 0;
        throttle->filled_at = now;
        return 0;
    }
    double seconds = seconds_between(throttle->filled_at, now);
    throttle->tokens = std::min(throttle->tokens + seconds * rate, rate / 10);
    throttle->filled_at = now;
    if (throttle->tokens >= 0)
        return 0;
    return std::clamp(static_cast<long>(-throttle->tokens / rate * 1000), 1L, 1000L);
}

void end_throttle(Throttle *throttle)
{
    tell(throttle, nullptr);
}

} // namespace shardwise
