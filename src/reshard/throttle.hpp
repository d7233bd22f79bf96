// What keeps a move from getting in others' way while it copies and deletes: the rate limit (a
// token bucket that holds a tenth of a second), the standbys of both shards, and the time that the
// application's statements take on them. All settings are read anew each time.
#pragma once

#include "core/pace.hpp"
#include "monitor/monitor.hpp"
#include "reshard/move.hpp"

namespace shardwise
{

// What statements of the application take on a shard.
struct Latency {
    Oid server;
    LatencyHistogram usual; // while nothing moved; too few statements: what the first take since
    LatencyHistogram seen;
};

struct Throttle {
    const RunningMove *move;
    double tokens; // bytes that may pass at once by the rate limit; negative: a debt
    double effort; // the same by the pace
    TimestampTz filled_at;
    uint64 done; // effort since the pace was adjusted
    TimestampTz paced_at;
    Pace pace;
    Latency latencies[2]; // of source and target
    TimestampTz looked_at;
    bool looked;         // this pause began with a look at the standbys, once a second
    bool standby_behind; // nothing passes
    const char *reason;  // as the catalog has it
};

// Begins to watch how long statements take: before the move makes work for the shards.
void watch_latency(RunningMove *);

// Sets out slowly.
Throttle begin_throttle(const RunningMove *);

// The effort, in bytes, to go for at once: what the pace allows in 20 ms.
uint64 throttle_portion(const Throttle *);

// Bytes have passed, for which the shards have made some effort, in bytes, too: pages that are
// looked at count where few of their rows move.
void throttle_work(Throttle *, uint64 bytes, uint64 effort);

// Milliseconds to wait before more is begun, 0: none. Asks the shards for their standbys.
long throttle_pause(Throttle *);

// Whether what has been begun may go on.
bool throttle_passes(const Throttle *);

// Nothing is held up any more.
void end_throttle(Throttle *);

} // namespace shardwise
