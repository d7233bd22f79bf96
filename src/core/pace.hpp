// The rate at which a copy may go so that others on the same servers do not feel it, as TCP paces
// itself: a slow start, then additive increase and multiplicative decrease (Jacobson, 1988; Chiu
// and Jain, 1989).
#pragma once

namespace shardwise
{

struct Pace {
    double limit;   // bytes a second; 0: none
    double ceiling; // the rate that was too much when the limit was last lowered; 0: none yet
};

// Never slower: what is slowed down has to end some day. Bytes a second.
constexpr double lowest_pace = 1024 * 1024;

// For a copy that begins where others may be at work.
constexpr Pace careful_pace = {32.0 * 1024 * 1024, 0};

enum class Others { Absent, Content, Suffering };

// Tells what came of the pace. `done`: bytes a second since the last call.
void adjust_pace(Pace *, double done, Others);

} // namespace shardwise
