// Snapshots of several shards that see all or nothing of every two-phase commit.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// How a scan is sent to its shards.
enum class Sending {
    Pipelined,
    Bulk,         // by COPY, which cannot be pipelined
    InTransaction // by the caller, into a transaction
};

// A scan of a statement that reads.
struct Read {
    uint64 execution; // of the statement: its scans share their snapshots
    bool only_scan;   // nothing else of the statement goes to shards, and this once
    Sending sending;
    bool is_pure; // the statement leaves nothing behind that goes with the transaction
};

// To be called before and after a scan is sent to `shards` by join_shard(), also where it is one
// that needs no snapshot shared with others. Where end_read() returns false, commits came between:
// what was sent has to be dropped, and begun anew.
//
// Where each statement has a snapshot of its own (READ COMMITTED), and the transaction has not used
// shards otherwise, these get parts in transactions that end with the statement, or none at all.
// A statement behind writes of its transaction takes part there, and gets a snapshot of each shard
// when it reaches it.
//
// Errors: 40001 where commits disturb it again and again; those of join_shard().
void begin_read(const List *shards, const Read &read);
bool end_read();

// Drops what such a scan has on its shards, before it begins anew on others: rows have moved since
// the shards were chosen.
void give_up_read();

// Where the isolation level keeps one snapshot for the whole transaction, takes it on all shards
// ahead of their first statement; a shard that was not reached then cannot join later. Reads that
// choose their shards then do it by the map that goes with it. Errors: those of begin_read().
void begin_block_snapshots();

// To be called when an execution has ended (0: none): the transactions that shards began for it
// alone end.
void end_reads(uint64 execution);

} // namespace shardwise
