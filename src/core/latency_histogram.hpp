// How long statements take, as counts in buckets that grow with the time: four to each doubling,
// so that a percentile is known to a fifth of itself (log-linear buckets, as in Tene's
// HdrHistogram). Times are in microseconds.
#pragma once

#include <array>
#include <cstdint>

namespace shardwise
{

// The first bucket holds all that is below 64 us, the last one all from 3.7 s.
constexpr int latency_buckets = 65;

// The bucket in which a time is counted.
int latency_bucket(uint64_t microseconds);

// The first time that is above the bucket's.
uint64_t latency_bucket_end(int bucket);

struct LatencyHistogram {
    std::array<uint64_t, latency_buckets> counts;

    uint64_t total() const;

    // The time that a share of all, above 0 and at most 1, does not reach; 0 of none.
    uint64_t percentile(double share) const;

    // Of how many it is certain that they took longer.
    uint64_t above(uint64_t microseconds) const;

    // What has been counted since an earlier look; all of it where counters were set back.
    LatencyHistogram since(const LatencyHistogram &earlier) const;
};

// Whether statements take more than `slowdown` times (and 0.5 ms more than) what they usually do,
// at the median, the 90th or the 99th percentile. Of few, as many are forgiven as chance explains.
bool is_slowed_down(const LatencyHistogram &now, const LatencyHistogram &usual, double slowdown);

} // namespace shardwise
