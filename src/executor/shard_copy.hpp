// COPY into the shards of one table: a stream for each shard that gets rows, all written from one
// loop. A slow shard holds the loop back; memory stays bounded.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

namespace shardwise
{

struct ShardCopyOptions {
    const char *command;  // COPY ... FROM STDIN, for every shard
    const char *preamble; // what every stream begins with, of so many bytes and lines
    int preamble_length;
    uint64 preamble_lines;
    // Rows that the router moves by itself: see join_shard_for_management().
    bool management;
    // The name in CONTEXT ("COPY name, line 7"), whose line numbers become the input's. nullptr:
    // the user wrote no COPY, and CONTEXT does not speak of one.
    const char *copied_name;
    // Shards' errors are reported in this context: that of the statement, not of the row.
    ErrorContextCallback *context;
};

struct ShardCopy;

// Nothing is sent before the first row. The transaction writes on the shards that get rows.
ShardCopy *begin_shard_copy(const ShardCopyOptions &options);

// Sends one row to a shard. `line` is the input's line in which the row ends, `lines` how many it
// spans. May raise any shard's error.
void copy_row(ShardCopy *copy, int32 shard_id, const char *data, int length, uint64 line,
              uint32 lines = 1);

// Makes a shard take part although it may get no row, so that triggers of the statement fire.
void open_shard_copy(ShardCopy *copy, int32 shard_id);

// Ends all streams and waits for the shards. Returns the rows that they stored; `each`: every shard
// must have stored the same, and they count once. Of several errors the one is raised whose line
// comes first.
uint64 end_shard_copy(ShardCopy *copy, bool each);

// Ends a copy that cannot go on: raises `own`, found in `line` of the input, unless a shard refuses
// a line that comes no later. Without `own` it returns if no shard refuses anything.
void fail_shard_copy(ShardCopy *copy, ErrorData *own, uint64 line);

// The shards (int) that have got rows so far.
List *copied_shards(const ShardCopy *copy);

} // namespace shardwise
