#include "core/hash_ring.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

#include "core/no_postgres.hpp"

namespace shardwise
{

namespace
{

constexpr int candidates_per_node = 16;
constexpr int highest_virtual_nodes = 100'000;

// A newcomer that outweighs all others together finds few candidates outside its own ranges.
constexpr int tries_per_node = 64 * candidates_per_node;

int64_t candidate_point(int32_t shard, int node, int candidate)
{
    uint64_t value = mix64(static_cast<uint32_t>(shard));
    value = mix64(value + static_cast<uint64_t>(node));
    value = mix64(value + static_cast<uint64_t>(candidate));
    return static_cast<int64_t>(value);
}

int node_count(const WeightedShard &shard, int virtual_nodes)
{
    double count = std::fmax(1, std::round(shard.weight * virtual_nodes));
    if (count > highest_virtual_nodes)
        throw std::invalid_argument("weight times virtual nodes must be at most 100000");
    return static_cast<int>(count);
}

void check_members(const std::vector<WeightedShard> &members, int virtual_nodes)
{
    if (virtual_nodes < 1 || virtual_nodes > highest_virtual_nodes)
        throw std::invalid_argument("virtual nodes must be between 1 and 100000");
    if (members.empty())
        throw std::invalid_argument("a shard map needs at least one shard");
    for (size_t i = 1; i < members.size(); i++)
        if (members[i].number == members[i - 1].number)
            throw std::invalid_argument("a shard can be on the ring only once");
}

// One join under way: the boundaries, and what each member may still give away.
class Join
{
public:
    Join(const std::vector<HashRange> &ranges, const std::vector<WeightedShard> &all,
         const WeightedShard &newcomer, int virtual_nodes);

    void place_nodes();
    std::vector<HashRange> take_ranges() const;

private:
    struct Slice {
        int64_t lower;
        HashLength upper; // exclusive
        int32_t owner;
    };

    Slice slice_from(int64_t point) const;
    bool choose_slice(int node, HashLength fair_length, Slice &chosen) const;
    void take_slice(const Slice &slice);

    std::map<int64_t, int32_t> owner_by_lower;
    std::map<int32_t, HashLength> excess; // share beyond what the weight will ask for
    int32_t newcomer;
    int nodes;
    HashLength missing;    // what the newcomer has still to take
    HashLength mark_space; // see slice_from
};

Join::Join(const std::vector<HashRange> &ranges, const std::vector<WeightedShard> &all,
           const WeightedShard &joining, int virtual_nodes)
    : newcomer(joining.number), nodes(node_count(joining, virtual_nodes)),
      missing(share_of(joining.weight, all)),
      mark_space(2 * missing / nodes + 1) // rounded up: no sliver is left at the end
{
    for (size_t i = 0; i < ranges.size(); i++) {
        owner_by_lower.emplace(ranges[i].lower, ranges[i].owner);
        excess[ranges[i].owner] += range_length(ranges, i);
    }
    for (const WeightedShard &shard : all)
        excess[shard.number] -= share_of(shard.weight, all);
}

// Cuts what a virtual node at `point` takes: up to the next boundary, or to the next of the evenly
// spaced marks, which keep one node from taking a huge range (the first shard's, say) whole.
Join::Slice Join::slice_from(int64_t point) const
{
    auto next = owner_by_lower.upper_bound(point);
    HashLength boundary = next == owner_by_lower.end() ? static_cast<HashLength>(highest_hash) + 1
                                                       : static_cast<HashLength>(next->first);
    HashLength offset = static_cast<HashLength>(point) - lowest_hash;
    HashLength mark = lowest_hash + (offset / mark_space + 1) * mark_space;
    return {point, std::min(boundary, mark), std::prev(next)->second};
}

bool Join::choose_slice(int node, HashLength fair_length, Slice &chosen) const
{
    HashLength lowest_cost = -1;
    int seen = 0;
    for (int i = 0; i < tries_per_node && seen < candidates_per_node; i++) {
        Slice slice = slice_from(candidate_point(newcomer, node, i));
        if (slice.owner == newcomer)
            continue;
        seen++;
        HashLength length = slice.upper - slice.lower;
        HashLength cost = length > fair_length ? length - fair_length : fair_length - length;
        // Taking more than the giver can spare counts half: later joins take less from it, while a
        // newcomer that shrinks back from it would stay small.
        cost += std::max<HashLength>(0, length - excess.at(slice.owner)) / 2;
        if (lowest_cost < 0 || cost < lowest_cost) {
            lowest_cost = cost;
            chosen = slice;
        }
    }
    return lowest_cost >= 0;
}

void Join::take_slice(const Slice &slice)
{
    if (slice.upper <= highest_hash)
        owner_by_lower.emplace(static_cast<int64_t>(slice.upper), slice.owner);
    owner_by_lower[slice.lower] = newcomer;
    excess[slice.owner] -= slice.upper - slice.lower;
    missing -= slice.upper - slice.lower;
}

void Join::place_nodes()
{
    for (int node = 0; node < nodes && missing > 0; node++) {
        Slice slice;
        if (choose_slice(node, missing / (nodes - node), slice))
            take_slice(slice);
    }
}

std::vector<HashRange> Join::take_ranges() const
{
    std::vector<HashRange> ranges;
    for (const auto &[lower, owner] : owner_by_lower)
        ranges.push_back({lower, owner});
    merge_neighbours(ranges);
    return ranges;
}

} // namespace

uint64_t mix64(uint64_t value)
{
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

void join_ring(std::vector<HashRange> &ranges, const std::vector<WeightedShard> &members,
               const WeightedShard &newcomer, int virtual_nodes)
{
    std::vector<WeightedShard> all = members;
    all.push_back(newcomer);
    std::sort(all.begin(), all.end(),
              [](const auto &a, const auto &b) { return a.number < b.number; });
    check_members(all, virtual_nodes);
    if (!is_gapless(ranges))
        throw std::invalid_argument("the ranges of a shard map must be sorted and without gaps");

    Join join(ranges, all, newcomer, virtual_nodes);
    join.place_nodes();
    ranges = join.take_ranges();
}

std::vector<HashRange> make_ring(std::vector<WeightedShard> shards, int virtual_nodes)
{
    std::sort(shards.begin(), shards.end(),
              [](const auto &a, const auto &b) { return a.number < b.number; });
    check_members(shards, virtual_nodes);

    std::vector<HashRange> ranges = {{lowest_hash, shards.front().number}};
    std::vector<WeightedShard> members = {shards.front()};
    node_count(shards.front(), virtual_nodes); // its limits hold for the first shard too
    for (size_t i = 1; i < shards.size(); i++) {
        join_ring(ranges, members, shards[i], virtual_nodes);
        members.push_back(shards[i]);
    }
    return ranges;
}

} // namespace shardwise
