#include "core/balance.hpp"
#include "core/hash_ring.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

namespace shardwise
{
namespace
{

std::vector<SizedRange> sized(const std::vector<HashRange> &map)
{
    std::vector<SizedRange> ranges;
    for (size_t i = 0; i < map.size(); i++) {
        HashLength length = range_length(map, i);
        ranges.push_back({length, static_cast<double>(length), map[i].owner});
    }
    return ranges;
}

std::vector<BalancedShard> equal_shards(int count)
{
    std::vector<BalancedShard> shards;
    for (int i = 1; i <= count; i++)
        shards.push_back({i, 1, 0});
    return shards;
}

std::vector<WeightedShard> ring_members(int count)
{
    std::vector<WeightedShard> shards;
    for (int i = 1; i <= count; i++)
        shards.push_back({i, 1});
    return shards;
}

double size_of(const std::vector<Piece> &pieces)
{
    double size = 0;
    for (const Piece &piece : pieces)
        size += piece.size;
    return size;
}

double total_of(const std::vector<SizedRange> &ranges)
{
    double size = 0;
    for (const SizedRange &range : ranges)
        size += range.size;
    return size;
}

// Applies pieces; each must lie in a range of its source and overlap no other.
std::map<int32_t, double> loads_after(const std::vector<SizedRange> &ranges,
                                      const std::vector<Piece> &pieces)
{
    std::map<int32_t, double> loads;
    for (const SizedRange &range : ranges)
        loads[range.owner] += range.size;
    size_t range = 0;
    HashLength end = 0;
    for (const Piece &piece : pieces) {
        EXPECT_GE(piece.range, range);
        EXPECT_GE(piece.first, piece.range == range ? end : 0);
        EXPECT_LT(piece.first, piece.end);
        EXPECT_LE(piece.end, ranges[piece.range].units);
        EXPECT_EQ(piece.source, ranges[piece.range].owner);
        EXPECT_NE(piece.source, piece.target);
        range = piece.range;
        end = piece.end;
        loads[piece.source] -= piece.size;
        loads[piece.target] += piece.size;
    }
    return loads;
}

TEST(PlanJoin, HashSlicesMoveNoMoreThanTheNewcomersShare)
{
    for (int n = 1; n <= 40; n++) {
        std::vector<SizedRange> ranges = sized(make_slices(ring_members(n)));
        std::vector<Piece> pieces = plan_join(ranges, equal_shards(n + 1), n + 1);
        double share = size_of(pieces) / total_of(ranges);
        EXPECT_LE(share, 1.15 / (n + 1));
        EXPECT_GE(share, 0.9 / (n + 1));
        EXPECT_LE(pieces.size(), static_cast<size_t>(n)) << "one cut a slice";
        for (const Piece &piece : pieces)
            EXPECT_EQ(piece.target, n + 1);
    }
}

TEST(PlanJoin, StaysWithinItsShareJoinAfterJoin)
{
    std::vector<SizedRange> ranges = sized(make_slices(ring_members(2)));
    for (int n = 2; n < 20; n++) {
        std::vector<Piece> pieces = plan_join(ranges, equal_shards(n + 1), n + 1);
        EXPECT_LE(size_of(pieces) / total_of(ranges), 1.15 / (n + 1));
        std::vector<SizedRange> next;
        size_t at = 0;
        for (size_t i = 0; i < ranges.size(); i++) {
            HashLength done = 0;
            auto add = [&](HashLength end, int32_t owner) {
                if (end > done)
                    next.push_back({end - done, static_cast<double>(end - done), owner});
                done = end;
            };
            for (; at < pieces.size() && pieces[at].range == i; at++) {
                add(pieces[at].first, ranges[i].owner);
                add(pieces[at].end, pieces[at].target);
            }
            add(ranges[i].units, ranges[i].owner);
        }
        ranges = next;
    }
    EXPECT_LE(ranges.size(), 200u);
}

TEST(PlanJoin, TheRingMovesNoMoreThanTheNewcomersShare)
{
    for (int n = 1; n <= 12; n++) {
        std::vector<HashRange> before = make_ring(ring_members(n), default_virtual_nodes);
        std::vector<HashRange> after = before;
        join_ring(after, ring_members(n), {n + 1, 1}, default_virtual_nodes);
        std::vector<Piece> pieces = compare_hash_maps(before, after);
        std::vector<SizedRange> ranges = sized(before);
        std::map<int32_t, double> loads = loads_after(ranges, pieces);
        EXPECT_LE(size_of(pieces) / total_of(ranges), 1.15 / (n + 1));
        EXPECT_NEAR(loads[n + 1] / total_of(ranges), 1.0 / (n + 1), 0.02);
    }
}

TEST(PlanJoin, RangesWithoutRowsGiveNothing)
{
    std::vector<SizedRange> ranges = {{1, 0, 1}, {1, 0, 2}};
    EXPECT_TRUE(plan_join(ranges, equal_shards(3), 3).empty());
}

TEST(PlanDrain, TakesEverythingAndKeepsTheOthersEven)
{
    for (int n = 2; n <= 12; n++) {
        for (bool ring : {false, true}) {
            std::vector<SizedRange> ranges =
                sized(ring ? make_ring(ring_members(n), 150) : make_slices(ring_members(n)));
            std::vector<BalancedShard> others = equal_shards(n - 1);
            std::vector<Piece> pieces = plan_drain(ranges, others, n);
            std::map<int32_t, double> loads = loads_after(ranges, pieces);
            double total = total_of(ranges);
            EXPECT_NEAR(loads[n] / total, 0, 1e-9);
            for (const BalancedShard &shard : others)
                EXPECT_NEAR(loads[shard.number] / total, 1.0 / (n - 1), 0.1 / (n - 1));
            for (const Piece &piece : pieces)
                EXPECT_EQ(piece.source, n);
        }
    }
}

TEST(PlanDrain, FillsByCapacity)
{
    std::vector<SizedRange> ranges;
    for (int i = 0; i < 300; i++)
        ranges.push_back({1, 1, i % 3 + 1});
    std::vector<BalancedShard> others = {{1, 3, 0}, {2, 1, 0}};
    std::map<int32_t, double> loads = loads_after(ranges, plan_drain(ranges, others, 3));
    EXPECT_NEAR(loads[1], 200, 3) << "shard 2 has its 100 rows already, and weight 1 of 4";
    EXPECT_NEAR(loads[2], 100, 3);
}

TEST(PlanDrain, AlsoMovesWhatIsEmptyAndNeedsAnotherShard)
{
    std::vector<SizedRange> ranges = {{1, 0, 1}, {1, 0, 2}, {5, 0, 1}};
    EXPECT_EQ(plan_drain(ranges, {{2, 1, 0}}, 1).size(), 2u);
    EXPECT_THROW(plan_drain(ranges, {}, 1), std::invalid_argument);
}

TEST(PlanBalance, DoesNothingWithinTheThreshold)
{
    std::vector<SizedRange> ranges = {{100, 129, 1}, {100, 71, 2}};
    EXPECT_TRUE(plan_balance(ranges, equal_shards(2), Placement::MinimizeMovement, 0.3).empty());
    EXPECT_TRUE(plan_balance(ranges, equal_shards(2), Placement::Uniform, 0.3).empty());
    EXPECT_FALSE(plan_balance(ranges, equal_shards(2), Placement::Uniform, 0.2).empty());
}

TEST(PlanBalance, MovesLessThanUniform)
{
    std::vector<SizedRange> ranges;
    for (int i = 0; i < 90; i++)
        ranges.push_back({1, 10, i < 60 ? 1 : i < 80 ? 2 : 3});
    std::vector<BalancedShard> shards = equal_shards(3);
    std::vector<Piece> little = plan_balance(ranges, shards, Placement::MinimizeMovement, 0.3);
    std::vector<Piece> all = plan_balance(ranges, shards, Placement::Uniform, 0.3);
    EXPECT_LT(size_of(little), size_of(all));
    for (auto [shard, load] : loads_after(ranges, little))
        EXPECT_NEAR(load, 300, 300 * 0.3) << shard;
    for (auto [shard, load] : loads_after(ranges, all))
        EXPECT_NEAR(load, 300, 15) << shard;
}

TEST(PlanBalance, FollowsWeightsAndFixedSizes)
{
    std::vector<SizedRange> ranges;
    for (int i = 0; i < 100; i++)
        ranges.push_back({1, 1, 1});
    std::vector<BalancedShard> shards = {{1, 1, 20}, {2, 2, 0}};
    std::map<int32_t, double> loads =
        loads_after(ranges, plan_balance(ranges, shards, Placement::Uniform, 0.3));
    EXPECT_NEAR(loads[1], 20, 3) << "with the 20 that stay, a third of 120";
    EXPECT_NEAR(loads[2], 80, 3);
}

TEST(PlanBalance, CutsARangeThatIsTooLarge)
{
    std::vector<SizedRange> ranges = {{1000, 1000, 1}, {10, 10, 2}};
    std::vector<Piece> pieces = plan_balance(ranges, equal_shards(2), Placement::Uniform, 0.3);
    ASSERT_EQ(pieces.size(), 1u);
    EXPECT_EQ(pieces[0].end, 1000) << "at the end where the taker is the neighbour";
    EXPECT_NEAR(pieces[0].size, 495, 30);
}

TEST(PlanBalance, LeavesARangeThatCannotBeCutWhereItIs)
{
    std::vector<SizedRange> ranges = {{1, 1000, 1}, {1, 10, 2}};
    EXPECT_TRUE(plan_balance(ranges, equal_shards(2), Placement::Uniform, 0.3).empty());
}

// Linear in memory and n log n in time by construction; a quadratic planner would not end here.
TEST(PlanBalance, HoldsAHundredThousandRanges)
{
    constexpr int count = 100'000;
    std::vector<SizedRange> ranges;
    uint64_t random = 1;
    for (int i = 0; i < count; i++) {
        random = mix64(random);
        ranges.push_back({1 << 20, static_cast<double>(random % 1000), i % 7 == 0 ? 2 : 1});
    }
    std::vector<BalancedShard> shards = equal_shards(8);
    std::vector<Piece> pieces = plan_balance(ranges, shards, Placement::Uniform, 0.1);
    EXPECT_EQ(pieces, plan_balance(ranges, shards, Placement::Uniform, 0.1));
    for (auto [shard, load] : loads_after(ranges, pieces))
        EXPECT_NEAR(load, total_of(ranges) / 8, total_of(ranges) / 8 * 0.06) << shard;

    std::vector<Piece> drained = plan_drain(ranges, {{2, 1, 0}, {3, 1, 0}}, 1);
    std::vector<MoveGroup> groups = group_moves(drained, 1000, 1e18);
    size_t covered = 0;
    for (const MoveGroup &group : groups) {
        EXPECT_LE(group.end - group.first, 1000u);
        covered += group.end - group.first;
    }
    EXPECT_EQ(covered, drained.size());
    EXPECT_LE(groups.size(), drained.size() / 1000 + 2);
}

TEST(GroupMoves, KeepsSourcesAndTargetsApart)
{
    std::vector<Piece> pieces;
    size_t range = 0;
    for (int source : {1, 2})
        for (int target : {3, 4})
            for (int i = 0; i < 4; i++)
                pieces.push_back({range++, 0, 1, source, target, 10});
    std::vector<MoveGroup> groups = group_moves(pieces, 100, 20);
    ASSERT_EQ(groups.size(), 8u);
    for (size_t i = 0; i < groups.size(); i += 2) {
        const Piece &one = pieces[groups[i].first], &other = pieces[groups[i + 1].first];
        EXPECT_NE(one.source, other.source);
        EXPECT_NE(one.target, other.target);
    }
    for (const MoveGroup &group : groups) {
        EXPECT_EQ(group.end - group.first, 2u);
        EXPECT_LT(pieces[group.first].range, pieces[group.first + 1].range);
    }
}

TEST(CompareHashMaps, FindsWhatDiffers)
{
    std::vector<HashRange> before = {{lowest_hash, 1}, {0, 2}};
    std::vector<HashRange> after = {{lowest_hash, 1}, {-100, 3}, {50, 2}, {highest_hash, 1}};
    std::vector<Piece> pieces = compare_hash_maps(before, after);
    ASSERT_EQ(pieces.size(), 3u);
    HashLength half = hash_space / 2;
    EXPECT_EQ(pieces[0], (Piece{0, half - 100, half, 1, 3, 100}));
    EXPECT_EQ(pieces[1], (Piece{1, 0, 50, 2, 3, 50}));
    EXPECT_EQ(pieces[2], (Piece{1, half - 1, half, 2, 1, 1}));
    EXPECT_TRUE(compare_hash_maps(before, before).empty());
}

TEST(EstimateMoveSeconds, GrowsWithRowsAndBytes)
{
    EXPECT_LT(estimate_move_seconds(0, 0), 5);
    EXPECT_GT(estimate_move_seconds(1e6, 1e8), estimate_move_seconds(1e5, 1e8));
    EXPECT_GT(estimate_move_seconds(1e5, 1e11), 1000);
}

} // namespace
} // namespace shardwise
