#include "core/latency_histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "core/no_postgres.hpp"

namespace shardwise
{

namespace
{

constexpr int first_octave = 6; // 2^6 us and what is below share a bucket
constexpr int steps = 4;        // buckets to an octave

} // namespace

int latency_bucket(uint64_t microseconds)
{
    if (microseconds < uint64_t{1} << first_octave)
        return 0;
    int octave = std::bit_width(microseconds) - 1;
    int step = static_cast<int>((microseconds >> (octave - 2)) % steps);
    return std::min(1 + (octave - first_octave) * steps + step, latency_buckets - 1);
}

uint64_t latency_bucket_end(int bucket)
{
    if (bucket == 0)
        return uint64_t{1} << first_octave;
    int octave = first_octave + (bucket - 1) / steps;
    return static_cast<uint64_t>(steps + (bucket - 1) % steps + 1) << (octave - 2);
}

uint64_t LatencyHistogram::total() const
{
    return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

uint64_t LatencyHistogram::percentile(double share) const
{
    uint64_t all = total(), passed = 0;
    for (int bucket = 0; bucket < latency_buckets && all > 0; bucket++) {
        passed += counts[bucket];
        if (static_cast<double>(passed) >= static_cast<double>(all) * share)
            return latency_bucket_end(bucket);
    }
    return 0;
}

uint64_t LatencyHistogram::above(uint64_t microseconds) const
{
    return std::accumulate(counts.begin() + latency_bucket(microseconds) + 1, counts.end(),
                           uint64_t{0});
}

LatencyHistogram LatencyHistogram::since(const LatencyHistogram &earlier) const
{
    LatencyHistogram difference = {};
    for (int bucket = 0; bucket < latency_buckets; bucket++) {
        if (counts[bucket] < earlier.counts[bucket])
            return *this;
        difference.counts[bucket] = counts[bucket] - earlier.counts[bucket];
    }
    return difference;
}

bool is_slowed_down(const LatencyHistogram &now, const LatencyHistogram &usual, double slowdown)
{
    constexpr uint64_t unfelt_us = 500; // nobody notices so much more
    double all = static_cast<double>(now.total());
    for (double share : {0.5, 0.9, 0.99}) {
        uint64_t before = usual.percentile(share);
        uint64_t bearable = std::max(static_cast<uint64_t>(static_cast<double>(before) * slowdown),
                                     before + unfelt_us);
        double expected = all * (1 - share);
        if (static_cast<double>(now.above(bearable)) > expected + std::sqrt(expected))
            return true;
    }
    return false;
}

} // namespace shardwise
