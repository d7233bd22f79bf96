#include "core/move_state.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace shardwise
{
namespace
{

std::vector<MoveState> all_states()
{
    std::vector<MoveState> states;
    for (size_t i = 0; i < move_state_count; i++)
        states.push_back(static_cast<MoveState>(i));
    return states;
}

std::vector<MoveState> reachable_from(MoveState start, MoveState without)
{
    std::vector<MoveState> seen = {start};
    for (size_t i = 0; i < seen.size(); i++)
        for (MoveState next : all_states())
            if (next != without && may_follow(seen[i], next) &&
                std::find(seen.begin(), seen.end(), next) == seen.end())
                seen.push_back(next);
    return seen;
}

bool contains(const std::vector<MoveState> &states, MoveState state)
{
    return std::find(states.begin(), states.end(), state) != states.end();
}

TEST(MoveState, NamesAreFoundAgain)
{
    for (MoveState state : all_states()) {
        MoveState found;
        ASSERT_TRUE(find_move_state(move_state_name(state), &found));
        EXPECT_EQ(found, state);
    }
    MoveState found;
    EXPECT_FALSE(find_move_state("", &found));
    EXPECT_FALSE(find_move_state("Planned", &found));
}

TEST(MoveState, TheWayForwardIsOpen)
{
    using enum MoveState;
    const MoveState way[] = {Planned,  Copying, CatchingUp, Verifying, Verified,
                             Swapping, Swapped, Cleaning,   Done};
    for (size_t i = 1; i < std::size(way); i++)
        EXPECT_TRUE(may_follow(way[i - 1], way[i])) << move_state_name(way[i]);
}

TEST(MoveState, NothingFollowsAFinalStateAndEveryOtherReachesOne)
{
    for (MoveState state : all_states()) {
        EXPECT_FALSE(may_follow(state, state));
        bool ends = false;
        for (MoveState reached : reachable_from(state, state))
            ends |= is_final(reached);
        EXPECT_TRUE(ends) << move_state_name(state);
        for (MoveState next : all_states())
            EXPECT_FALSE(is_final(state) && may_follow(state, next));
    }
}

// What makes moves safe.
TEST(MoveState, OwnershipChangesThroughTheSwapAlone)
{
    using enum MoveState;
    EXPECT_FALSE(contains(reachable_from(Planned, Swapping), Swapped));
    EXPECT_FALSE(may_follow(Swapped, Cancelled));
    EXPECT_FALSE(may_follow(Cleaning, RolledBack)) << "the source's rows may be gone";
    for (MoveState state : all_states())
        if (may_follow(state, Cleaning)) {
            EXPECT_TRUE(target_owns(state)) << move_state_name(state);
        }
    for (MoveState state : all_states())
        if (target_owns(state)) {
            EXPECT_FALSE(may_follow(state, Planned));
            EXPECT_FALSE(may_follow(state, Copying));
        }
}

TEST(MoveState, ActiveMovesHaveTracesOnShards)
{
    using enum MoveState;
    EXPECT_FALSE(is_active(Planned));
    EXPECT_TRUE(is_active(Copying));
    EXPECT_TRUE(is_active(Swapped));
    EXPECT_TRUE(is_active(Failed));
    EXPECT_FALSE(is_active(Done));
    EXPECT_FALSE(is_active(Cancelled));
}

} // namespace
} // namespace shardwise
