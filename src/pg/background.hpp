// Manners of processes that work in the background.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Makes this process give way as autovacuum does: who waits for one of its locks cancels what it
// does (SIGINT, after deadlock_timeout), and DROP DATABASE ends it. Until the process ends.
void give_way_like_autovacuum();

// True for a process of the server that does.
bool gives_way_like_autovacuum(int pid);

} // namespace shardwise
