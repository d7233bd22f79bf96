// The swap: the moment in which the keys change their owner. Writers of these keys wait on the
// router, everybody else goes on.
#pragma once

#include "reshard/replication.hpp"

namespace shardwise
{

// Gives the move's keys to the other side of a flow, from source to target or, for a rollback,
// back. `after` is the state that is committed with the map. False, with everything as before,
// where the time limit did not suffice; *waited_ms then and otherwise tells how long writers were
// held. Raises errors after having stepped back.
bool swap_owner(RunningMove *, const Flow *flow, MoveState after, double *waited_ms);

// What makes the swap short, done before it: the way back (slot, publication) for `flow` forward,
// the fence, the cuts in the map.
void prepare_swap(RunningMove *, const Flow *flow);

// After the swap forward: ends the flow there and starts the one back.
void turn_replication(const RunningMove *);

// Takes the gate away.
void remove_gate(const RunningMove *);

} // namespace shardwise
