// Snapshots of several shards that see all or nothing of every two-phase commit.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// To be called before a statement sends its first read, where it reads more than one shard (or its
// transaction may). `shards`: what it reads; `only_scan`: by one statement to each; `is_bulk`: one
// that cannot be pipelined (COPY).
//
// Returns true if the reads are to be sent alone now, by join_shard(), and end_read() is to be
// called then: where that returns false, they have to be dropped and begun anew. Otherwise the
// shards that need it have taken part, with their snapshots, when this returns.
//
// Statements inside of a READ COMMITTED block, and of functions, get a snapshot of each shard when
// they reach it: nothing to be done.
//
// Errors: 40001 where commits disturb it again and again; those of join_shard().
bool begin_read(const List *shards, bool only_scan, bool is_bulk = false);
bool end_read();

} // namespace shardwise
