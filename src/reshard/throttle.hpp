// What keeps a move from getting in others' way while it copies and deletes: the rate limit (a
// token bucket that holds a tenth of a second), the standbys of both shards, and the time that the
// application's statements take on them. All settings are read anew each time.
#pragma once

#include "core/pace.hpp"
#include "monitor/monitor.hpp"
#include "reshard/move.hpp"

namespace shardwise
{

// What statements of the application take on a shard, in microseconds.
struct Latency {
    Oid server;
    double usual;  // 0: not known yet
    bool measured; // before the move did anything there; otherwise the best that was seen since
    ResponseTimes seen;
    TimestampTz seen_at;
};

struct Throttle {
    const RunningMove *move;
    double tokens; // bytes that may pass at once; negative: a debt
    TimestampTz filled_at;
    uint64 bytes; // since the pace was adjusted
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

// Waits, where needed, until that is known: 0.3 s after watch_latency() at most.
Throttle begin_throttle(const RunningMove *);

// Takes bytes out of the bucket.
void throttle_bytes(Throttle *, uint64 bytes);

// Milliseconds to wait before more may pass, 0: none. Asks the shards for their standbys.
long throttle_pause(Throttle *);

// Nothing is held up any more.
void end_throttle(Throttle *);

} // namespace shardwise
