// Times the lookups that every routed statement makes.
#include "core/hash_ring.hpp"
#include "core/shard_map.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>

using namespace shardwise;

namespace
{

std::vector<int64_t> random_hashes(size_t count, uint64_t seed)
{
    std::mt19937_64 random(seed);
    std::vector<int64_t> hashes(count);
    for (int64_t &hash : hashes)
        hash = static_cast<int64_t>(random());
    return hashes;
}

std::vector<int64_t> random_bounds(size_t count)
{
    std::vector<int64_t> lowers = random_hashes(count, 1);
    std::sort(lowers.begin(), lowers.end());
    lowers[0] = lowest_hash;
    return lowers;
}

void find_hash(benchmark::State &state)
{
    const auto lowers = random_bounds(static_cast<size_t>(state.range(0)));
    const auto hashes = random_hashes(1 << 16, 2);
    size_t next = 0;
    for (auto _ : state)
        benchmark::DoNotOptimize(
            find_hash_range(lowers.data(), lowers.size(), hashes[next++ & 0xffff]));
}

void find_ordered(benchmark::State &state)
{
    const auto lowers = random_bounds(static_cast<size_t>(state.range(0)));
    const auto keys = random_hashes(1 << 16, 2);
    size_t next = 0;
    for (auto _ : state) {
        int64_t key = keys[next++ & 0xffff];
        benchmark::DoNotOptimize(find_ordered_range(
            lowers.size(), [&](size_t i) { return key < lowers[i] ? -1 : key > lowers[i]; }));
    }
}

void make_ring_of(benchmark::State &state)
{
    std::vector<WeightedShard> shards;
    for (int number = 1; number <= state.range(0); number++)
        shards.push_back({number, 1});
    for (auto _ : state)
        benchmark::DoNotOptimize(make_ring(shards, default_virtual_nodes));
}

} // namespace

BENCHMARK(find_hash)->Arg(3)->Arg(450)->Arg(15'000)->Arg(100'000);
BENCHMARK(find_ordered)->Arg(3)->Arg(450)->Arg(100'000);
BENCHMARK(make_ring_of)->Arg(3)->Arg(10)->Arg(100)->Unit(benchmark::kMillisecond);

BENCHMARK_MAIN();
