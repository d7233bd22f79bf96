#include "core/move_state.hpp"

#include <cstring>
#include <initializer_list>

#include "core/no_postgres.hpp"

namespace shardwise
{

namespace
{

using enum MoveState;

constexpr uint16_t bit(MoveState state)
{
    return static_cast<uint16_t>(1u << static_cast<unsigned>(state));
}

constexpr uint16_t set_of(std::initializer_list<MoveState> states)
{
    uint16_t set = 0;
    for (MoveState state : states)
        set |= bit(state);
    return set;
}

struct StateInfo {
    MoveState state;
    const char *name;
    uint16_t followers;
};

// In the order of MoveState. Back edges: a verification that is no longer fresh is repeated, a swap
// that ran into its time limit steps back, a copy whose slot is lost starts anew.
// After the swap there is no failure: clean-up is repeated until it is done.
constexpr StateInfo states[] = {
    {Planned, "planned", set_of({Copying, Failed, Cancelled})},
    {Copying, "copying", set_of({CatchingUp, Planned, Failed, Cancelled})},
    {CatchingUp, "catching_up", set_of({Verifying, Swapping, Planned, Failed, Cancelled})},
    {Verifying, "verifying", set_of({Verified, CatchingUp, Planned, Failed, Cancelled})},
    {Verified, "verified", set_of({Swapping, Verifying, CatchingUp, Planned, Failed, Cancelled})},
    {Swapping, "swapping", set_of({Swapped, Verified, CatchingUp, Failed, Cancelled})},
    {Swapped, "swapped", set_of({Cleaning, RolledBack})},
    {Cleaning, "cleaning", set_of({Done})},
    {Done, "done", 0},
    {Failed, "failed", set_of({Planned, CatchingUp, Cancelled})},
    {Cancelled, "cancelled", 0},
    {RolledBack, "rolled_back", 0},
};
static_assert(sizeof(states) / sizeof(states[0]) == move_state_count);

constexpr bool is_in_order()
{
    for (size_t i = 0; i < move_state_count; i++)
        if (states[i].state != static_cast<MoveState>(i))
            return false;
    return true;
}
static_assert(is_in_order());

const StateInfo &info(MoveState state)
{
    return states[static_cast<size_t>(state)];
}

} // namespace

const char *move_state_name(MoveState state)
{
    return info(state).name;
}

bool find_move_state(const char *name, MoveState *state)
{
    for (const StateInfo &known : states) {
        if (std::strcmp(known.name, name) != 0)
            continue;
        *state = known.state;
        return true;
    }
    return false;
}

bool may_follow(MoveState from, MoveState to)
{
    return (info(from).followers & bit(to)) != 0;
}

bool is_final(MoveState state)
{
    return info(state).followers == 0;
}

bool target_owns(MoveState state)
{
    return (set_of({Swapped, Cleaning, Done}) & bit(state)) != 0;
}

bool is_active(MoveState state)
{
    return state != Planned && !is_final(state);
}

} // namespace shardwise
