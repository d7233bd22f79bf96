// A row's place over all shards in the form of a ctid: the shard's number in the bits of the offset
// that no row uses, so that PostgreSQL's operators for ctids order and compare places, within one
// shard as the shard's own.
#pragma once

#include <cstdint>

namespace shardwise
{

// A page of the usual 8 kB has at most 291 rows.
constexpr int packed_offset_bits = 9;
constexpr int highest_packed_shard = (1 << (16 - packed_offset_bits)) - 1;
constexpr uint16_t own_offset_mask = (1 << packed_offset_bits) - 1;

// True if the offset of a shard's row can be packed: numbers of shards begin with 1.
constexpr bool place_can_be_packed(uint32_t shard, uint16_t offset)
{
    return shard <= highest_packed_shard && offset <= own_offset_mask;
}

constexpr uint16_t pack_offset(uint32_t shard, uint16_t offset)
{
    return (uint16_t)(shard << packed_offset_bits | offset);
}

constexpr uint32_t shard_of_offset(uint16_t packed)
{
    return packed >> packed_offset_bits;
}

constexpr uint16_t own_offset(uint16_t packed)
{
    return packed & own_offset_mask;
}

} // namespace shardwise
