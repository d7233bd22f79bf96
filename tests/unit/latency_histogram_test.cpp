#include "core/latency_histogram.hpp"

#include <gtest/gtest.h>

namespace shardwise
{
namespace
{

LatencyHistogram make_histogram(std::initializer_list<std::pair<uint64_t, uint64_t>> times)
{
    LatencyHistogram histogram = {};
    for (auto [microseconds, count] : times)
        histogram.counts[latency_bucket(microseconds)] += count;
    return histogram;
}

TEST(LatencyHistogram, PutsEachTimeIntoTheBucketThatHoldsIt)
{
    int last = 0;
    for (uint64_t time = 0; time < 3'000'000; time += 1 + time / 50) {
        int bucket = latency_bucket(time);
        EXPECT_LT(time, latency_bucket_end(bucket));
        EXPECT_TRUE(bucket == 0 || time >= latency_bucket_end(bucket - 1)) << time;
        EXPECT_GE(bucket, last);
        last = bucket;
    }
    EXPECT_EQ(latency_bucket(UINT64_MAX), latency_buckets - 1);
}

TEST(LatencyHistogram, KnowsPercentilesToAFifth)
{
    LatencyHistogram histogram = {};
    for (uint64_t time = 1; time <= 100'000; time++)
        histogram.counts[latency_bucket(time)]++;
    EXPECT_EQ(histogram.total(), 100'000u);
    for (double share : {0.1, 0.5, 0.9, 0.99}) {
        EXPECT_GE(static_cast<double>(histogram.percentile(share)), share * 100'000);
        EXPECT_LE(static_cast<double>(histogram.percentile(share)), share * 125'000);
    }
    EXPECT_EQ(LatencyHistogram{}.percentile(0.99), 0u);
}

TEST(LatencyHistogram, TellsWhatCameSince)
{
    LatencyHistogram before = make_histogram({{100, 10}, {5000, 1}});
    LatencyHistogram now = make_histogram({{100, 15}, {5000, 1}, {9000, 2}});
    LatencyHistogram between = now.since(before);
    EXPECT_EQ(between.total(), 7u);
    EXPECT_EQ(between.above(5000), 2u);
    EXPECT_EQ(before.since(now).total(), 11u); // the counters were set back
}

TEST(LatencyHistogram, FindsThatTheTailIsSlowedDown)
{
    LatencyHistogram usual = make_histogram({{400, 970}, {1500, 30}});
    EXPECT_FALSE(is_slowed_down(usual, usual, 2));
    EXPECT_FALSE(is_slowed_down(make_histogram({{400, 950}, {2500, 50}}), usual, 2));
    EXPECT_TRUE(is_slowed_down(make_histogram({{400, 980}, {6000, 20}}), usual, 2));
    EXPECT_FALSE(is_slowed_down(make_histogram({{400, 980}, {6000, 20}}), usual, 10));
}

// A report that runs for seconds does not hide that all others wait.
TEST(LatencyHistogram, FindsThatMostAreSlowedDown)
{
    LatencyHistogram usual = make_histogram({{400, 900}, {3'000'000, 100}});
    EXPECT_FALSE(is_slowed_down(make_histogram({{400, 90}, {3'000'000, 10}}), usual, 2));
    EXPECT_TRUE(is_slowed_down(make_histogram({{4000, 90}, {3'000'000, 10}}), usual, 2));
}

TEST(LatencyHistogram, ForgivesWhatChanceExplains)
{
    LatencyHistogram usual = make_histogram({{400, 1000}});
    EXPECT_FALSE(is_slowed_down(make_histogram({{400, 60}, {9000, 1}}), usual, 2));
    EXPECT_TRUE(is_slowed_down(make_histogram({{400, 60}, {9000, 3}}), usual, 2));
    EXPECT_FALSE(is_slowed_down(LatencyHistogram{}, usual, 2));
}

} // namespace
} // namespace shardwise
