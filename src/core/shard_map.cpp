#include "core/shard_map.hpp"

#include <cmath>
#include <stdexcept>

#include "core/no_postgres.hpp"

namespace shardwise
{

namespace
{

// Weights are compared in millionths; the largest total keeps 2^64 * units inside 127 bits.
constexpr double units_per_weight = 1e6;
constexpr double highest_weight = 1e6;

HashLength weight_units(double weight)
{
    if (!(weight > 0) || weight > highest_weight)
        throw std::invalid_argument("weight of a shard must be positive and at most 1000000");
    return static_cast<HashLength>(std::fmax(1, std::round(weight * units_per_weight)));
}

HashLength total_units(const std::vector<WeightedShard> &shards)
{
    HashLength total = 0;
    for (const WeightedShard &shard : shards)
        total += weight_units(shard.weight);
    return total;
}

} // namespace

HashLength share_of(double weight, const std::vector<WeightedShard> &all)
{
    return hash_space * weight_units(weight) / total_units(all);
}

std::vector<HashRange> make_slices(const std::vector<WeightedShard> &shards)
{
    if (shards.empty())
        throw std::invalid_argument("a shard map needs at least one shard");

    const HashLength total = total_units(shards);
    std::vector<HashRange> ranges;
    HashLength before = 0;
    for (const WeightedShard &shard : shards) {
        HashLength offset = hash_space * before / total;
        ranges.push_back({static_cast<int64_t>(lowest_hash + offset), shard.number});
        before += weight_units(shard.weight);
    }
    merge_neighbours(ranges);
    return ranges;
}

bool is_gapless(const std::vector<HashRange> &ranges)
{
    if (ranges.empty() || ranges.front().lower != lowest_hash)
        return false;
    for (size_t i = 1; i < ranges.size(); i++)
        if (ranges[i].lower <= ranges[i - 1].lower)
            return false;
    return true;
}

void merge_neighbours(std::vector<HashRange> &ranges)
{
    size_t kept = 0;
    for (size_t i = 0; i < ranges.size(); i++)
        if (kept == 0 || ranges[kept - 1].owner != ranges[i].owner)
            ranges[kept++] = ranges[i];
    ranges.resize(kept);
}

HashLength range_length(const std::vector<HashRange> &ranges, size_t i)
{
    HashLength upper = i + 1 < ranges.size() ? static_cast<HashLength>(ranges[i + 1].lower)
                                             : static_cast<HashLength>(highest_hash) + 1;
    return upper - ranges[i].lower;
}

} // namespace shardwise
