// Settings of moves. All can be changed by a reload while moves run.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

extern int max_parallel_moves;
extern int move_copy_streams;
extern int move_chunk_size;      // kB of the source's pages
extern int move_rate_limit;      // kB a second of each move; 0: no limit
extern int move_max_replica_lag; // MB of WAL that a standby may be behind; -1: any
extern double move_max_slowdown; // how many times its usual latency a statement may take; 0: any
extern int move_max_lag;         // MB of WAL that the target may be behind before the swap is tried
extern int swap_timeout;         // ms that a swap may hold writers
extern int rollback_window;      // s from the swap to the automatic end of a plan; -1: never

void define_move_settings();

} // namespace shardwise
