// Consistent hashing with weighted virtual nodes over the signed 64-bit hash space: when a shard
// joins, keys move to it and nowhere else.
//
// A virtual node is a point of the hash space; it takes the keys from there up to the next
// boundary. With points placed by hashing alone, a shard's share varies by 1/sqrt(virtual nodes), 8
// % for 150: in a row of 20 joins, one may well move more than 1.15/(n+1) of the keys. So
// every virtual node has several hashed candidates and takes the one that brings the newcomer, and
// the shard it takes from, closest to their weights' share ("the power of choices"). What moves is
// then the newcomer's share to within a fraction of a per cent, for any weights and any history of
// the map; docs/ring.md has the figures.
#pragma once

#include "core/shard_map.hpp"

#include <cstdint>
#include <vector>

namespace shardwise
{

constexpr int default_virtual_nodes = 150; // of a shard of weight 1

// Mixes 64 bits: the output function of splitmix64 (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", OOPSLA 2014; constants by Stafford, variant 13).
uint64_t mix64(uint64_t value);

// Makes the shard map of a set of shards, joining them in the order of their numbers; adjacent
// ranges of one owner are merged. The same shards, weights and virtual nodes give the same map on
// every platform. Throws std::invalid_argument: no shard, a number twice, a weight out of range,
// fewer than one or more than 100000 virtual nodes.
std::vector<HashRange> make_ring(std::vector<WeightedShard> shards, int virtual_nodes);

// Lets a shard join a map (from make_ring or changed by hand since). `members` are the shards that
// the map belongs to, with their weights, without the newcomer. Ranges change owner only to the
// newcomer. Throws as make_ring does.
void join_ring(std::vector<HashRange> &ranges, const std::vector<WeightedShard> &members,
               const WeightedShard &newcomer, int virtual_nodes);

} // namespace shardwise
