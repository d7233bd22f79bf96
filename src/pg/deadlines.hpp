// Moments until which something is waited for.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "utils/timestamp.h"
}

namespace shardwise
{

inline TimestampTz milliseconds_from_now(int64 milliseconds)
{
    return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
}

} // namespace shardwise
