// The shard map: a sorted, gapless list of ranges of the key space, each owned by one shard. A
// range reaches from its lower bound (inclusive) up to the next one's; the first starts at the
// lowest key.
//
// The lookups here run inside the backend as well: no allocation, no exception, and no local with a
// destructor, because a comparator may leave by longjmp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace shardwise
{

constexpr int64_t lowest_hash = std::numeric_limits<int64_t>::min();
constexpr int64_t highest_hash = std::numeric_limits<int64_t>::max();

struct HashRange {
    int64_t lower; // inclusive
    int32_t owner; // number of a shard

    bool operator==(const HashRange &) const = default;
};

struct WeightedShard {
    int32_t number;
    double weight;
};

// Finds the range that holds `hash`: the last i with lowers[i] <= hash. `count` is at least 1 and
// lowers[0] is lowest_hash. The loop has no branch on the data, so nothing is mispredicted: about
// one cache miss a step at worst.
inline size_t find_hash_range(const int64_t *lowers, size_t count, int64_t hash)
{
    const int64_t *base = lowers;
    while (count > 1) {
        size_t half = count / 2;
        base += (base[half] <= hash) ? half : 0;
        count -= half;
    }
    return static_cast<size_t>(base - lowers);
}

// Finds the range that holds a key of any ordered type: the last i whose lower bound is not above
// the key. `compare_with_lower(i)` compares the key with bound i and returns <0, 0 or >0; it is
// never asked for bound 0, which stands for MINVALUE. `count` is at least 1.
template <typename CompareWithLower>
size_t find_ordered_range(size_t count, CompareWithLower &&compare_with_lower)
{
    size_t first = 0;
    while (count > 1) {
        size_t half = count / 2;
        if (compare_with_lower(first + half) >= 0)
            first += half;
        count -= half;
    }
    return first;
}

// Divides the hash space into one slice a shard, in the order given, as wide as its weight says:
// equal slices where the weights are equal. Throws std::invalid_argument without a shard and for a
// weight that is not positive.
std::vector<HashRange> make_slices(const std::vector<WeightedShard> &shards);

// True if the ranges start at lowest_hash and their lower bounds strictly increase.
bool is_gapless(const std::vector<HashRange> &ranges);

// Joins neighbours of the same owner.
void merge_neighbours(std::vector<HashRange> &ranges);

// Lengths in the hash space: all of it is 2^64, one more than 64 bits can hold.
__extension__ typedef __int128 HashLength;
constexpr HashLength hash_space = static_cast<HashLength>(1) << 64;

// Counts the hashes in range i.
HashLength range_length(const std::vector<HashRange> &ranges, size_t i);

// Divides the hash space by weight in integers, so that every platform gets the same shares.
// Returns the share of `weight` in `total`.
HashLength share_of(double weight, const std::vector<WeightedShard> &all);

} // namespace shardwise
