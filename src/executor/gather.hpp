// Rows of one statement from several shards: as they come, or merged in the order that all shards
// sorted them by. Memory stays at one row a shard.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"
#include "remote/connection.hpp"

namespace shardwise
{

struct Gather;

// Takes over queries that have been started on their shards. Memory is taken from the current
// context.
Gather *make_gather(const Route *route, RemoteQuery **queries, int n, TupleDesc columns);

// The next row in a slot of the gather's own, valid until the next call; nullptr at the end. Errors
// of the shards are raised here.
TupleTableSlot *gather_row(Gather *gather);

// After the last row: the rows that the shards changed. Where all of them changed the copies of a
// reference table, that is what each did; XX001 if they differ.
uint64 gathered_changes(const Gather *gather);

// After the last row: shards without a row to change have not been written. Where one shard had all
// rows, it commits in one phase. `shards` (int) are those of the queries.
void take_back_empty_writes(const Gather *gather, const List *shards);

// The error of shards that did not change the same number of rows of a reference table.
[[noreturn]] void raise_copies_differ(uint64 one, uint64 other);

// The query on the n-th of the shards.
const RemoteQuery *gathered_query(const Gather *, int n);

// Ends all queries, those that still run included.
void end_gather(Gather *gather);

} // namespace shardwise
