#include "pg/pg.hpp"

#include "reshard/settings.hpp"

namespace shardwise
{

int max_parallel_moves;
int move_copy_streams;
int move_chunk_size;
int move_rate_limit;
int move_max_replica_lag;
double move_max_slowdown;
int move_max_lag;
int swap_timeout;
int rollback_window;

static void define(const char *name, const char *description, int *variable, int value, int lowest,
                   int highest, int unit)
{
    DefineCustomIntVariable(name, description, nullptr, variable, value, lowest, highest,
                            PGC_SIGHUP, unit, nullptr, nullptr, nullptr);
}

void define_move_settings()
{
    define("shardwise.max_parallel_moves", "Moves that run at the same time.", &max_parallel_moves,
           2, 1, 64, 0);
    define("shardwise.move_copy_streams", "Streams that copy rows at the same time, each move.",
           &move_copy_streams, 2, 1, 7, 0);
    define("shardwise.move_chunk_size", "Part of a table that one transaction of a copy takes.",
           &move_chunk_size, 16 * 1024, 64, MAX_KILOBYTES, GUC_UNIT_KB);
    define("shardwise.move_rate_limit",
           "Kilobytes a second that each move copies or deletes at most; 0: no limit.",
           &move_rate_limit, 0, 0, MAX_KILOBYTES, GUC_UNIT_KB);
    define("shardwise.move_max_replica_lag",
           "WAL that a standby of a shard may be behind before a move's copy waits; -1: any.",
           &move_max_replica_lag, 256, -1, MAX_KILOBYTES, GUC_UNIT_MB);
    DefineCustomRealVariable("shardwise.move_max_slowdown",
                             "How many times their usual time the application's statements may "
                             "take on a shard before a move goes more slowly; 0: any.",
                             nullptr, &move_max_slowdown, 2, 0, 1000, PGC_SIGHUP, 0, nullptr,
                             nullptr, nullptr);
    define("shardwise.move_max_lag",
           "How far the target may be behind when a move goes on from catching up.", &move_max_lag,
           16, 0, MAX_KILOBYTES, GUC_UNIT_MB);
    define("shardwise.swap_timeout",
           "How long a swap may hold writers of the moving keys before it steps back.",
           &swap_timeout, 1000, 10, 60000, GUC_UNIT_MS);
    define("shardwise.rollback_window",
           "Time after the swap of a plan's last move until the plan is finished; -1: never.",
           &rollback_window, 24 * 60 * 60, -1, INT_MAX, GUC_UNIT_S);
}

} // namespace shardwise
