#include "pg/pg.hpp"

#include "reshard/settings.hpp"
#include "reshard/throttle.hpp"

extern "C" {
#include "postmaster/interrupt.h"
#include "utils/timestamp.h"
}

namespace shardwise
{

Throttle begin_throttle()
{
    return {0, GetCurrentTimestamp()};
}

void throttle_bytes(Throttle *throttle, uint64 bytes, uint64)
{
    throttle->tokens -= static_cast<double>(bytes);
}

long throttle_pause(Throttle *throttle)
{
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
    }
    TimestampTz now = GetCurrentTimestamp();
    double rate = move_rate_limit * 1024.0;
    if (rate <= 0) {
        *throttle = {0, now};
        return 0;
    }
    double seconds = static_cast<double>(now - throttle->filled_at) / USECS_PER_SEC;
    throttle->tokens = std::min(throttle->tokens + seconds * rate, rate / 10);
    throttle->filled_at = now;
    if (throttle->tokens >= 0)
        return 0;
    return std::clamp(static_cast<long>(-throttle->tokens / rate * 1000), 1L, 1000L);
}

} // namespace shardwise
