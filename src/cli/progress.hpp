// How far a move is, and how that looks. Plain functions of their arguments.
#pragma once

#include "cli/output.hpp"

#include <string>

namespace shardwise::cli
{

// A row of view moves. Numbers that are not known are negative.
struct MoveProgress {
    int move_id = 0;
    std::string state;
    std::string source;
    std::string target;
    double rows_total = -1;
    double rows_done = -1; // copied
    double rate = -1;      // bytes a second
    double eta_seconds = -1;
    double verified_rows = -1;
    double lag_bytes = -1;
    double retries = -1;
    double write_block_ms = -1;
    std::string throttled_by; // what holds the copy back at the moment
    std::string error;
};

MoveProgress read_progress(const Rows &moves, size_t row);

// 0 to 1. The copy is most of the work; verification follows; after the swap it is 1.
double done_part(const MoveProgress &move);

// True if the move goes on no further by itself: swapped or over.
bool has_settled(const MoveProgress &move);

// One line with a bar, as wide as the terminal at most.
std::string progress_line(const MoveProgress &move, const Terminal &terminal);

// The same as plain text, for logs: "move 3 s1 -> s2: copying 45 % ...".
std::string progress_text(const MoveProgress &move);

} // namespace shardwise::cli
