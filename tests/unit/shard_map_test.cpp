#include "core/shard_map.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>

using namespace shardwise;

TEST(FindHashRange, FindsTheBoundaries)
{
    const std::vector<int64_t> lowers = {lowest_hash, -10, 0, 1, highest_hash};
    auto find = [&](int64_t hash) { return find_hash_range(lowers.data(), lowers.size(), hash); };

    EXPECT_EQ(find(lowest_hash), 0u);
    EXPECT_EQ(find(lowest_hash + 1), 0u);
    EXPECT_EQ(find(-11), 0u);
    EXPECT_EQ(find(-10), 1u);
    EXPECT_EQ(find(-1), 1u);
    EXPECT_EQ(find(0), 2u);
    EXPECT_EQ(find(1), 3u);
    EXPECT_EQ(find(highest_hash - 1), 3u);
    EXPECT_EQ(find(highest_hash), 4u);
}

TEST(FindHashRange, AgreesWithALinearSearch)
{
    std::mt19937_64 random(7);
    for (size_t count = 1; count <= 70; count++) {
        std::vector<int64_t> lowers = {lowest_hash};
        while (lowers.size() < count)
            lowers.push_back(static_cast<int64_t>(random()) / 4);
        std::sort(lowers.begin(), lowers.end());
        for (int i = 0; i < 200; i++) {
            int64_t hash = i % 3 == 0 ? lowers[random() % count] : static_cast<int64_t>(random());
            size_t expected = 0;
            while (expected + 1 < count && lowers[expected + 1] <= hash)
                expected++;
            ASSERT_EQ(find_hash_range(lowers.data(), count, hash), expected) << count << " ranges";
        }
    }
}

TEST(FindOrderedRange, AgreesWithALinearSearchAndNeverAsksForTheFirst)
{
    for (size_t count = 1; count <= 40; count++) {
        std::vector<std::string> lowers = {""};
        while (lowers.size() < count)
            lowers.push_back("key " + std::to_string(1000 + 2 * lowers.size()));
        for (int number = 1000; number < 1090; number++) {
            std::string key = "key " + std::to_string(number);
            size_t expected = 0;
            while (expected + 1 < count && lowers[expected + 1] <= key)
                expected++;
            size_t found = find_ordered_range(count, [&](size_t i) {
                EXPECT_NE(i, 0u);
                return key.compare(lowers[i]);
            });
            ASSERT_EQ(found, expected) << key << " in " << count << " ranges";
        }
    }
}

TEST(MakeSlices, AreEqual)
{
    for (int count = 1; count <= 100; count++) {
        std::vector<WeightedShard> shards;
        for (int i = 0; i < count; i++)
            shards.push_back({i + 1, 1});
        auto slices = make_slices(shards);
        ASSERT_EQ(slices.size(), static_cast<size_t>(count));
        EXPECT_TRUE(is_gapless(slices));
        for (int i = 0; i < count; i++) {
            EXPECT_EQ(slices[i].owner, i + 1);
            HashLength difference = range_length(slices, i) - hash_space / count;
            EXPECT_TRUE(difference >= -1 && difference <= 1) << "slice " << i << " of " << count;
        }
    }
}

TEST(MakeSlices, StartAtKnownHashes)
{
    EXPECT_EQ(make_slices({{9, 1}}), (std::vector<HashRange>{{lowest_hash, 9}}));
    EXPECT_EQ(make_slices({{1, 1}, {2, 1}}), (std::vector<HashRange>{{lowest_hash, 1}, {0, 2}}));
    EXPECT_EQ(make_slices({{1, 3}, {2, 1}}),
              (std::vector<HashRange>{{lowest_hash, 1}, {int64_t{1} << 62, 2}}));
}

TEST(MakeSlices, RefusesNoShardAndBadWeights)
{
    EXPECT_THROW(make_slices({}), std::invalid_argument);
    EXPECT_THROW(make_slices({{1, 0}}), std::invalid_argument);
    EXPECT_THROW(make_slices({{1, -1}}), std::invalid_argument);
    EXPECT_THROW(make_slices({{1, 1e300}}), std::invalid_argument);
}

TEST(IsGapless, SeesWhatIsWrong)
{
    EXPECT_FALSE(is_gapless({}));
    EXPECT_FALSE(is_gapless({{0, 1}}));
    EXPECT_FALSE(is_gapless({{lowest_hash, 1}, {5, 2}, {5, 3}}));
    EXPECT_FALSE(is_gapless({{lowest_hash, 1}, {5, 2}, {4, 3}}));
    EXPECT_TRUE(is_gapless({{lowest_hash, 1}, {4, 2}, {5, 3}}));
}

TEST(MergeNeighbours, KeepsTheFirstOfEachOwner)
{
    std::vector<HashRange> ranges = {{lowest_hash, 1}, {1, 1}, {2, 2}, {3, 2}, {4, 1}};
    merge_neighbours(ranges);
    EXPECT_EQ(ranges, (std::vector<HashRange>{{lowest_hash, 1}, {2, 2}, {4, 1}}));
}
