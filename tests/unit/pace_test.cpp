#include "core/pace.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace shardwise
{
namespace
{

constexpr double mb = 1024 * 1024;

TEST(Pace, StaysUnlimitedWhileNobodySuffers)
{
    Pace pace = {};
    for (double done : {0.0, mb, 500 * mb})
        adjust_pace(&pace, done, Others::Content);
    EXPECT_EQ(pace.limit, 0);
}

TEST(Pace, FallsBelowWhatWasDoneAndNeverBelowTheLowest)
{
    Pace pace = {};
    adjust_pace(&pace, 100 * mb, Others::Suffering);
    EXPECT_LT(pace.limit, 100 * mb);
    for (int i = 0; i < 100; i++) {
        double before = pace.limit;
        adjust_pace(&pace, pace.limit, Others::Suffering);
        EXPECT_LE(pace.limit, before);
    }
    EXPECT_EQ(pace.limit, lowest_pace);
    adjust_pace(&pace, 0, Others::Suffering);
    EXPECT_EQ(pace.limit, lowest_pace);
}

// Servers that bear some rate: the copy keeps near to it, and mostly below.
TEST(Pace, SettlesNearWhatOthersBear)
{
    constexpr double fastest = 200 * mb, bearable = 60 * mb;
    Pace pace = {};
    double total = 0;
    int suffered = 0;
    constexpr int looks = 1000;
    for (int i = 0; i < looks; i++) {
        double done = pace.limit > 0 ? std::min(pace.limit, fastest) : fastest;
        total += done;
        suffered += done > bearable;
        adjust_pace(&pace, done, done > bearable ? Others::Suffering : Others::Content);
    }
    EXPECT_GT(total / looks, 0.6 * bearable);
    EXPECT_LT(total / looks, 1.1 * bearable);
    EXPECT_LT(suffered, looks / 4);
}

TEST(Pace, ForgetsALimitThatLimitsNothing)
{
    Pace pace = {};
    adjust_pace(&pace, 100 * mb, Others::Suffering);
    for (int i = 0; i < 100; i++)
        adjust_pace(&pace, 50 * mb, Others::Content);
    EXPECT_EQ(pace.limit, 0);
}

TEST(Pace, StartsSlowlyAndGrowsUntilOthersSuffer)
{
    Pace pace = careful_pace;
    int looks = 0;
    for (; pace.limit < 200 * mb; looks++)
        adjust_pace(&pace, pace.limit, Others::Content);
    EXPECT_GE(looks, 4);
    EXPECT_LE(looks, 8);
    adjust_pace(&pace, 200 * mb, Others::Suffering);
    double lowered = pace.limit;
    adjust_pace(&pace, lowered, Others::Content);
    EXPECT_LT(pace.limit, 1.2 * lowered);
}

TEST(Pace, IsFreeSoonWhereNobodyElseIs)
{
    Pace pace = careful_pace;
    for (int i = 0; i < 3 && pace.limit > 0; i++)
        adjust_pace(&pace, std::min(pace.limit, 200 * mb), Others::Absent);
    EXPECT_EQ(pace.limit, 0);
}

} // namespace
} // namespace shardwise
