#include "core/splits.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

using namespace shardwise;

using Owners = std::vector<int32_t>;

TEST(AssignRanges, GivesOneRangeToEachShard)
{
    EXPECT_EQ(assign_ranges(2, {7, 8, 9}, std::nullopt), (Owners{7, 8, 9}));
    EXPECT_EQ(assign_ranges(0, {7}, std::nullopt), (Owners{7}));
}

TEST(AssignRanges, GoesRoundWhenCountsDiffer)
{
    EXPECT_EQ(assign_ranges(4, {7, 8}, std::nullopt), (Owners{7, 8, 7, 8, 7}));
    EXPECT_EQ(assign_ranges(1, {7, 8, 9}, std::nullopt), (Owners{7, 8}));
}

TEST(AssignRanges, PutsBothEndsOnTheDefaultShard)
{
    EXPECT_EQ(assign_ranges(3, {7, 8}, 1), (Owners{1, 7, 8, 1}));
    EXPECT_EQ(assign_ranges(5, {7, 8}, 1), (Owners{1, 7, 8, 7, 8, 1}));
    EXPECT_EQ(assign_ranges(1, {7, 8}, 1), (Owners{1, 1}));
    EXPECT_EQ(assign_ranges(1, {}, 1), (Owners{1, 1}));
    EXPECT_EQ(assign_ranges(0, {7}, 1), (Owners{1}));
}

TEST(AssignRanges, RefusesRangesWithoutOwner)
{
    EXPECT_THROW(assign_ranges(0, {}, std::nullopt), std::invalid_argument);
    EXPECT_THROW(assign_ranges(2, {}, 1), std::invalid_argument);
}

TEST(AssignKeys, GoesToTheShardsInTurn)
{
    EXPECT_EQ(assign_keys(3, {7, 8, 9}), (Owners{7, 8, 9}));
    EXPECT_EQ(assign_keys(5, {7, 8}), (Owners{7, 8, 7, 8, 7}));
    EXPECT_EQ(assign_keys(0, {}), (Owners{}));
    EXPECT_THROW(assign_keys(1, {}), std::invalid_argument);
}

TEST(FindUnorderedSplit, NamesTheFirstOffender)
{
    auto find = [](const std::vector<int> &splits) {
        return find_unordered_split(splits.size(), [&](size_t i, size_t j) {
            return splits[i] < splits[j] ? -1 : splits[i] > splits[j];
        });
    };
    EXPECT_EQ(find({}), 0u);
    EXPECT_EQ(find({1}), 0u);
    EXPECT_EQ(find({1, 2, 3}), 0u);
    EXPECT_EQ(find({1, 1}), 2u);
    EXPECT_EQ(find({1, 3, 2, 1}), 3u);
    EXPECT_EQ(find({2, 1, 3}), 2u);
}

TEST(FindRepeatedKey, NamesBothPositionsAndSorts)
{
    std::vector<uint32_t> scratch;
    auto find = [&](const std::vector<std::string> &keys) {
        scratch.assign(2 * keys.size(), 0);
        RepeatedKey repeated =
            find_repeated_key(keys.size(), scratch.data(),
                              [&](size_t i, size_t j) { return keys[i].compare(keys[j]); });
        return std::pair(repeated.first, repeated.second);
    };
    using Positions = std::pair<size_t, size_t>;
    EXPECT_EQ(find({}), Positions(0, 0));
    EXPECT_EQ(find({"a"}), Positions(0, 0));
    EXPECT_EQ(find({"c", "a", "d", "b", "e"}), Positions(0, 0));
    EXPECT_EQ(std::vector<uint32_t>(scratch.begin(), scratch.begin() + 5),
              (std::vector<uint32_t>{1, 3, 0, 2, 4}));
    EXPECT_EQ(find({"c", "a", "c"}), Positions(1, 3));
    EXPECT_EQ(find({"b", "a", "a", "b"}), Positions(2, 3));
}

TEST(FindRepeatedKey, SortsManyKeys)
{
    for (size_t count : {2u, 3u, 31u, 32u, 33u, 1000u}) {
        std::vector<uint32_t> scratch(2 * count);
        auto key = [&](size_t i) { return (i * 7919) % 1009; }; // distinct below 1009
        auto compare = [&](size_t i, size_t j) { return key(i) < key(j) ? -1 : key(i) > key(j); };
        EXPECT_EQ(find_repeated_key(count, scratch.data(), compare).second, 0u);
        for (size_t i = 1; i < count; i++)
            ASSERT_LT(key(scratch[i - 1]), key(scratch[i]));
    }
}
