// The rate at which a copy may go so that others on the same servers do not feel it: additive
// increase, multiplicative decrease (Chiu and Jain, 1989), as TCP paces itself.
#pragma once

namespace shardwise
{

struct Pace {
    double limit;   // bytes a second; 0: none
    double ceiling; // the rate that was too much when the limit was last lowered
};

// Never slower: what is slowed down has to end some day. Bytes a second.
constexpr double lowest_pace = 1024 * 1024;

// Tells what came of the pace. `done`: bytes a second since the last call; `others_suffer`: that
// was too much for them.
void adjust_pace(Pace *, double done, bool others_suffer);

} // namespace shardwise
