// The rate limit of copies and clean-up: a token bucket that holds a tenth of a second.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "datatype/timestamp.h"
}

namespace shardwise
{

struct Throttle {
    double tokens; // bytes that may pass at once; negative: a debt
    TimestampTz filled_at;
};

Throttle begin_throttle();

// Takes bytes out of the bucket.
void throttle_bytes(Throttle *, uint64 bytes, uint64 rows);

// Milliseconds to wait before more may pass, 0: none. The limit is read each time, so that a reload
// takes effect at once.
long throttle_pause(Throttle *);

} // namespace shardwise
