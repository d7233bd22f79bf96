// The states of a move and which may follow which. Every change of a state is one row change and
// one commit in the catalog, so that a crash finds the move in a state from which it goes on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shardwise
{

enum class MoveState : uint8_t {
    Planned,
    Copying,    // rows as of a snapshot go to the target
    CatchingUp, // changes since the snapshot are applied there
    Verifying,  // both sides are compared
    Verified,   // equal; changes are still applied
    Swapping,   // writers of the moving keys wait
    Swapped,    // the target owns the ranges; changes flow back, so that a rollback loses nothing
    Cleaning,   // the source's rows are deleted
    Done,
    Failed,    // needs the operator; the source still owns the ranges
    Cancelled, // before the swap, without a trace
    RolledBack // after the swap: the source owns the ranges again
};

constexpr size_t move_state_count = 12;

// The name in the catalog.
const char *move_state_name(MoveState);

// Finds a state by its name; false if there is none.
bool find_move_state(const char *name, MoveState *);

// True if a move may go from one state straight to the other. A state does not follow itself.
bool may_follow(MoveState from, MoveState to);

// Done, Cancelled, RolledBack: nothing follows.
bool is_final(MoveState);

// True from the swap on: the target owns the ranges.
bool target_owns(MoveState);

// True while the move may have rows, slots or other objects on its shards.
bool is_active(MoveState);

} // namespace shardwise
