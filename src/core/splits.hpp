// Splits: which shard owns the ranges (strategy range) or the keys (strategy list) that the user
// named, and whether they are in order.
//
// The checks are templates over a comparator, which in the backend is PostgreSQL's own comparison
// and may leave by longjmp: no local has a destructor. Positions are counted from 1, as shown to
// the user.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace shardwise
{

// Assigns the ranges that `splits` split points make: owners of the splits + 1 ranges, in order.
// Without a default shard the ranges go to the shards in turn, so to shards[i] when just as many
// were given. With one, the range below the first and the range above the last split are its, and
// the inner ones go to the shards in turn. Throws std::invalid_argument when a range has no owner.
std::vector<int32_t> assign_ranges(size_t splits, const std::vector<int32_t> &shards,
                                   std::optional<int32_t> default_shard);

// Assigns the keys of a list to the shards in turn: key i to shards[i] when as many were given.
// Throws std::invalid_argument without a shard.
std::vector<int32_t> assign_keys(size_t keys, const std::vector<int32_t> &shards);

// Finds the first split that is not above the one before it. `compare(i, j)` compares the splits
// with index i and j (from 0). Returns its position, or 0 where all increase strictly.
template <typename Compare> size_t find_unordered_split(size_t count, Compare &&compare)
{
    for (size_t i = 1; i < count; i++)
        if (compare(i - 1, i) >= 0)
            return i + 1;
    return 0;
}

struct RepeatedKey {
    size_t first;  // position of the key
    size_t second; // position of its repetition, 0 where all keys are distinct
};

// Finds a key that stands twice in a list. `scratch` has room for 2 * count numbers; afterwards its
// first half holds the indexes (from 0) in the order of their keys. Merge sort: equal keys keep
// their order, and a comparator that contradicts itself cannot run off the array.
template <typename Compare>
RepeatedKey find_repeated_key(size_t count, uint32_t *scratch, Compare &&compare)
{
    uint32_t *order = scratch;
    uint32_t *merged = scratch + count;
    for (size_t i = 0; i < count; i++)
        order[i] = static_cast<uint32_t>(i);
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            size_t middle = start + width < count ? start + width : count;
            size_t end = start + 2 * width < count ? start + 2 * width : count;
            size_t left = start, right = middle;
            for (size_t out = start; out < end; out++) {
                bool take_left =
                    left < middle && (right == end || compare(order[left], order[right]) <= 0);
                merged[out] = take_left ? order[left++] : order[right++];
            }
        }
        for (size_t i = 0; i < count; i++)
            order[i] = merged[i];
    }
    for (size_t i = 1; i < count; i++)
        if (compare(order[i - 1], order[i]) == 0)
            return {order[i - 1] + size_t{1}, order[i] + size_t{1}};
    return {0, 0};
}

} // namespace shardwise
