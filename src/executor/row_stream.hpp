// Rows in bulk into a distributed or reference table, by COPY to the shards that own them, in the
// current transaction. For INSERT ... SELECT, COPY FROM and moving a table's rows out.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

namespace shardwise
{

struct RowStreamOptions {
    const List *columns;     // attribute numbers; NIL: all but the generated ones
    bool by_attribute;       // rows are given by all attributes of the table, not by `columns`
    bool management;         // see ShardCopyOptions
    const char *copied_name; // see ShardCopyOptions
    ErrorContextCallback *context; // see ShardCopyOptions; nullptr: the current one
    bool freeze;                   // COPY's option
    const List *shards;            // reference tables: of these shards; NIL: all
};

struct RowStream;

// Opens a stream. The caller holds RowExclusiveLock on the table. Nothing is sent before the first
// row. A column that is not in `columns` gets NULL, or the default of the shards, who know none
// that reads a sequence: give every row the values of its defaults.
//
// While the stream is open, other statements may read from and write to the same shards.
RowStream *open_row_stream(Relation rel, const RowStreamOptions &options);

// Sends a row. `line` is its number, for errors, counted from 1. Errors: the shards', 23502 for
// NULL in the key, 23514 where no shard owns it.
void send_row(RowStream *stream, const Datum *values, const bool *nulls, uint64 line);

// Waits until all rows are stored; returns how many (in a reference table: on each shard).
uint64 close_row_stream(RowStream *stream);

// The same after an error of the caller's own that line `line` has: raises it, or that of an
// earlier line.
void fail_row_stream(RowStream *stream, ErrorData *own, uint64 line);

// Waits for what rows into a table have to wait for, whose keys are not known beforehand: moves
// that are swapping, other writers of a reference table. Look the table up again after it.
void begin_bulk_write(const Table *table);

// The error of a key that no shard owns.
[[noreturn]] void raise_unowned_key(Relation rel, bool distributing = false);

// The error of NULL in a key column, which the shard would have raised with the whole row.
[[noreturn]] void raise_null_key(Relation rel, AttrNumber column);

// The shards (int) that have got rows so far.
List *streamed_shards(const RowStream *stream);

} // namespace shardwise
