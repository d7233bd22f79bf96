#include "core/packed_place.hpp"

#include <gtest/gtest.h>

namespace shardwise
{
namespace
{

TEST(PackedPlace, KeepsShardAndOffsetApart)
{
    for (uint32_t shard : {1, 2, highest_packed_shard})
        for (uint16_t offset : {(uint16_t)1, (uint16_t)291, own_offset_mask}) {
            ASSERT_TRUE(place_can_be_packed(shard, offset));
            uint16_t packed = pack_offset(shard, offset);
            EXPECT_EQ(shard_of_offset(packed), shard);
            EXPECT_EQ(own_offset(packed), offset);
        }
    EXPECT_FALSE(place_can_be_packed(highest_packed_shard + 1, 1));
    EXPECT_FALSE(place_can_be_packed(1, own_offset_mask + 1));
}

TEST(PackedPlace, OrdersRowsOfAShardAsItDoes)
{
    EXPECT_LT(pack_offset(3, 1), pack_offset(3, 2));
    EXPECT_EQ(shard_of_offset(17), 0U); // an offset that is none of a shard's
}

} // namespace
} // namespace shardwise
