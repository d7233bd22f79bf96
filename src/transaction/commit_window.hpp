// Keeps two-phase commits and snapshots of several shards apart: while the shards of a transaction
// commit, one after the other, nobody takes snapshots on more than one of them, and the other way
// round. Commits go together with commits, snapshots with snapshots; the two take turns.
//
// A shard that hangs must not stop all commits, so whoever takes snapshots may leave early; the
// count of commits then tells whether that was too early.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

enum class Party { Committers, Readers };

// Waits for the other party's turn to end. Serves interrupts, unless they are held.
void enter_window(Party);
// Leaves the window, or stops waiting for it; does nothing outside. Never raises an error.
void leave_window();

// How many commits have begun since the server's start.
uint64 count_commits();
// True while none is under way and the last was long ago: then a snapshot without entering the
// window is likely to stay undisturbed.
bool commits_are_rare();

// Its part of the shared memory (transaction/shared.cpp).
Size commit_window_size();
void make_commit_window(void *memory, bool found);

} // namespace shardwise
