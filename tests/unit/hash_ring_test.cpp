// Measures the ring: what moves when a shard joins, and how evenly the key space is spread. The
// figures are printed as well; docs/ring.md shows them.
#include "core/hash_ring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <random>
#include <set>
#include <stdexcept>

using namespace shardwise;

namespace
{

std::vector<WeightedShard> shards_of_weight_one(int count)
{
    std::vector<WeightedShard> shards;
    for (int number = 1; number <= count; number++)
        shards.push_back({number, 1});
    return shards;
}

std::vector<int64_t> lowers_of(const std::vector<HashRange> &ranges)
{
    std::vector<int64_t> lowers;
    for (const HashRange &range : ranges)
        lowers.push_back(range.lower);
    return lowers;
}

// Shares of the hash space by owner, as fractions.
std::map<int32_t, double> shares_of(const std::vector<HashRange> &ranges)
{
    std::map<int32_t, double> shares;
    for (size_t i = 0; i < ranges.size(); i++)
        shares[ranges[i].owner] += std::ldexp(static_cast<double>(range_length(ranges, i)), -64);
    return shares;
}

struct Movement {
    double to_newcomer = 0;
    double between_others = 0;
};

// Compares two maps range by range over the union of their boundaries.
Movement movement(const std::vector<HashRange> &before, const std::vector<HashRange> &after,
                  int32_t newcomer)
{
    std::set<int64_t> cuts;
    for (int64_t lower : lowers_of(before))
        cuts.insert(lower);
    for (int64_t lower : lowers_of(after))
        cuts.insert(lower);

    const std::vector<int64_t> old_lowers = lowers_of(before), new_lowers = lowers_of(after);
    Movement moved;
    for (auto cut = cuts.begin(); cut != cuts.end(); ++cut) {
        auto next = std::next(cut);
        HashLength upper = next == cuts.end() ? static_cast<HashLength>(highest_hash) + 1 : *next;
        int32_t from = before[find_hash_range(old_lowers.data(), old_lowers.size(), *cut)].owner;
        int32_t to = after[find_hash_range(new_lowers.data(), new_lowers.size(), *cut)].owner;
        if (from != to)
            (to == newcomer ? moved.to_newcomer : moved.between_others) +=
                std::ldexp(static_cast<double>(upper - *cut), -64);
    }
    return moved;
}

// The same with keys instead of lengths.
Movement sampled_movement(const std::vector<HashRange> &before, const std::vector<HashRange> &after,
                          int32_t newcomer)
{
    constexpr int keys = 200'000;
    const std::vector<int64_t> old_lowers = lowers_of(before), new_lowers = lowers_of(after);
    std::mt19937_64 random(42);
    Movement moved;
    for (int i = 0; i < keys; i++) {
        int64_t hash = static_cast<int64_t>(random());
        int32_t from = before[find_hash_range(old_lowers.data(), old_lowers.size(), hash)].owner;
        int32_t to = after[find_hash_range(new_lowers.data(), new_lowers.size(), hash)].owner;
        if (from != to)
            (to == newcomer ? moved.to_newcomer : moved.between_others) += 1.0 / keys;
    }
    return moved;
}

struct Spread {
    double highest = 0; // share / mean share
    double lowest = 1e9;
    double deviation = 0;
};

Spread spread_of(const std::vector<HashRange> &ranges, int shards)
{
    std::map<int32_t, double> shares = shares_of(ranges);
    Spread spread;
    double squares = 0;
    for (int number = 1; number <= shards; number++) {
        double load = shares[number] * shards;
        spread.highest = std::max(spread.highest, load);
        spread.lowest = std::min(spread.lowest, load);
        squares += (load - 1) * (load - 1);
    }
    spread.deviation = std::sqrt(squares / shards);
    return spread;
}

// The textbook ring, one hashed point a virtual node: what the figures are compared with.
std::vector<HashRange> make_plain_ring(int shards, int virtual_nodes)
{
    std::map<int64_t, int32_t> points;
    for (int number = 1; number <= shards; number++)
        for (int node = 0; node < virtual_nodes; node++)
            points[static_cast<int64_t>(mix64(mix64(number) + node))] = number;
    std::vector<HashRange> ranges = {{lowest_hash, points.rbegin()->second}};
    for (auto [lower, owner] : points)
        ranges.push_back({lower, owner});
    merge_neighbours(ranges);
    return ranges;
}

} // namespace

TEST(HashRing, MovesAtMostTheNewcomersShare)
{
    std::printf("    n  moved * (n+1), of the hash space  of sampled keys  plain ring\n");
    for (int n = 1; n <= 20; n++) {
        auto before = make_ring(shards_of_weight_one(n), default_virtual_nodes);
        auto after = make_ring(shards_of_weight_one(n + 1), default_virtual_nodes);
        Movement moved = movement(before, after, n + 1);
        Movement sampled = sampled_movement(before, after, n + 1);
        Movement plain = movement(make_plain_ring(n, default_virtual_nodes),
                                  make_plain_ring(n + 1, default_virtual_nodes), n + 1);
        std::printf("  %3d  %31.3f  %15.3f  %10.3f\n", n, moved.to_newcomer * (n + 1),
                    sampled.to_newcomer * (n + 1), plain.to_newcomer * (n + 1));

        EXPECT_EQ(moved.between_others, 0) << "n = " << n;
        EXPECT_EQ(sampled.between_others, 0) << "n = " << n;
        EXPECT_LE(moved.to_newcomer, 1.15 / (n + 1)) << "n = " << n;
        EXPECT_LE(sampled.to_newcomer, 1.15 / (n + 1)) << "n = " << n;
        EXPECT_GE(moved.to_newcomer, 0.9 / (n + 1)) << "n = " << n;
    }
}

TEST(HashRing, JoiningAnExistingMapEqualsMakingItAnew)
{
    auto ring = make_ring(shards_of_weight_one(1), default_virtual_nodes);
    for (int n = 1; n < 12; n++) {
        join_ring(ring, shards_of_weight_one(n), {n + 1, 1}, default_virtual_nodes);
        EXPECT_EQ(ring, make_ring(shards_of_weight_one(n + 1), default_virtual_nodes));
    }
}

TEST(HashRing, JoinsAMapThatWasChangedByHand)
{
    auto ring = make_ring(shards_of_weight_one(4), default_virtual_nodes);
    for (size_t i = 0; i < ring.size(); i++) // shard 3 was emptied into shard 1
        if (ring[i].owner == 3)
            ring[i].owner = 1;
    merge_neighbours(ring);
    auto before = ring;
    join_ring(ring, {{1, 1}, {2, 1}, {4, 1}}, {5, 1}, default_virtual_nodes);

    Movement moved = movement(before, ring, 5);
    EXPECT_EQ(moved.between_others, 0);
    EXPECT_LE(moved.to_newcomer, 1.15 / 4);
    auto shares = shares_of(ring);
    EXPECT_NEAR(shares[1], 0.25, 0.02); // the overloaded shard gave nearly all of it
    EXPECT_NEAR(shares[5], 0.25, 0.02);
}

TEST(HashRing, SpreadsTheLoad)
{
    std::printf(
        "  nodes  shards  max/mean  min/mean  deviation  ranges   plain max/mean  deviation\n");
    for (int nodes : {50, 100, 150, 500}) {
        for (int shards : {3, 10, 100}) {
            auto ring = make_ring(shards_of_weight_one(shards), nodes);
            Spread spread = spread_of(ring, shards);
            Spread plain = spread_of(make_plain_ring(shards, nodes), shards);
            std::printf("  %5d  %6d  %8.3f  %8.3f  %9.4f  %6zu  %15.3f  %9.4f\n", nodes, shards,
                        spread.highest, spread.lowest, spread.deviation, ring.size(), plain.highest,
                        plain.deviation);

            EXPECT_LE(spread.highest, 1.10) << nodes << " nodes, " << shards << " shards";
            EXPECT_GE(spread.lowest, 0.85) << nodes << " nodes, " << shards << " shards";
            EXPECT_LE(spread.deviation, 0.05) << nodes << " nodes, " << shards << " shards";
            EXPECT_LT(spread.deviation, plain.deviation);
            EXPECT_GE(ring.size(), static_cast<size_t>(nodes) * shards / 2);
            EXPECT_LE(ring.size(), static_cast<size_t>(nodes) * shards * 2);
        }
    }
}

TEST(HashRing, FollowsTheWeights)
{
    const std::vector<WeightedShard> shards = {{1, 1}, {2, 2}, {3, 0.5}, {7, 4}, {9, 0.25}};
    auto shares = shares_of(make_ring(shards, default_virtual_nodes));
    for (const WeightedShard &shard : shards)
        EXPECT_NEAR(shares[shard.number], shard.weight / 7.75, 0.1 * shard.weight / 7.75)
            << "shard " << shard.number;
}

TEST(HashRing, NeedsOnlyRatiosOfWeights)
{
    for (double weight : {0.01, 100.0}) {
        auto spread = spread_of(make_ring({{1, weight}, {2, weight}}, default_virtual_nodes), 2);
        EXPECT_LE(spread.highest, 1.15) << "weight " << weight;
    }
    auto shares = shares_of(make_ring({{1, 1}, {2, 50}}, default_virtual_nodes));
    EXPECT_GE(shares[2], 0.9); // of 0.98: most candidates of a heavy newcomer hit its own ranges
}

TEST(HashRing, HasNoGapAndNoEqualNeighbours)
{
    for (int shards : {1, 2, 3, 17, 64}) {
        for (int nodes : {1, 2, 7, 150}) {
            auto ring = make_ring(shards_of_weight_one(shards), nodes);
            EXPECT_TRUE(is_gapless(ring));
            for (size_t i = 1; i < ring.size(); i++)
                EXPECT_NE(ring[i - 1].owner, ring[i].owner);
            HashLength total = 0;
            for (size_t i = 0; i < ring.size(); i++)
                total += range_length(ring, i);
            EXPECT_TRUE(total == hash_space);
        }
    }
    auto alone = make_ring({{5, 1}}, default_virtual_nodes);
    ASSERT_EQ(alone.size(), 1u);
    EXPECT_EQ(alone[0], (HashRange{lowest_hash, 5}));
}

TEST(HashRing, DoesNotDependOnTheOrderOfItsShards)
{
    EXPECT_EQ(make_ring({{3, 1}, {1, 2}, {2, 1}}, 150), make_ring({{1, 2}, {2, 1}, {3, 1}}, 150));
}

TEST(HashRing, RefusesWhatMakesNoRing)
{
    EXPECT_THROW(make_ring({}, 150), std::invalid_argument);
    EXPECT_THROW(make_ring({{1, 1}, {1, 1}}, 150), std::invalid_argument);
    EXPECT_THROW(make_ring({{1, 1}}, 0), std::invalid_argument);
    EXPECT_THROW(make_ring({{1, 1}}, 100'001), std::invalid_argument);
    EXPECT_THROW(make_ring({{1, 1}, {2, 0}}, 150), std::invalid_argument);
    EXPECT_THROW(make_ring({{1, 1}, {2, -1}}, 150), std::invalid_argument);
    EXPECT_THROW(make_ring({{1, 1}, {2, std::nan("")}}, 150), std::invalid_argument);
    EXPECT_THROW(make_ring({{1, 1}, {2, 1e5}}, 150), std::invalid_argument);

    std::vector<HashRange> gap = {{0, 1}};
    EXPECT_THROW(join_ring(gap, {{1, 1}}, {2, 1}, 150), std::invalid_argument);
    std::vector<HashRange> whole = {{lowest_hash, 1}};
    EXPECT_THROW(join_ring(whole, {{1, 1}}, {1, 1}, 150), std::invalid_argument);
}

// The map is stored, and made again on other machines and by later versions: it must never change.
TEST(HashRing, GivesTheSameMapForEver)
{
    EXPECT_EQ(mix64(0), 0xe220a8397b1dcdaf); // first output of splitmix64 seeded with 0
    EXPECT_EQ(mix64(1), 0x910a2dec89025cc1); // of splitmix64 seeded with 1

    auto ring = make_ring(shards_of_weight_one(3), default_virtual_nodes);
    uint64_t digest = 0;
    for (const HashRange &range : ring)
        digest = mix64(digest ^ static_cast<uint64_t>(range.lower)) + range.owner;
    EXPECT_EQ(ring.size(), 433u);
    EXPECT_EQ(digest, 0xd6e9265bf3470a1e);
    EXPECT_EQ(ring[0], (HashRange{lowest_hash, 1}));
    EXPECT_EQ(ring[1], (HashRange{-9202262628346570408, 3}));
    EXPECT_EQ(ring.back(), (HashRange{9179151591255949068, 3}));
}
