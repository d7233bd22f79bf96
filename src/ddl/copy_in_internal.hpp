// Inside COPY FROM: what its readers share. Each takes rows from PostgreSQL's own reader of COPY
// data, finds the owner of each and forwards its bytes.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"
#include "executor/row_stream.hpp"
#include "executor/shard_copy.hpp"

extern "C" {
#include "commands/copyfrom_internal.h"
}

namespace shardwise
{

// A column that the input does not have and whose default the router evaluates.
struct CopyDefault {
    AttrNumber column;
    ExprState *expression;
    bool is_volatile; // else its value is the same in all rows
    FmgrInfo output;  // text, or binary
    Datum value;      // of the current row
    bool isnull;
};

// Where a key column's value comes from: a field of the input, or a default.
struct CopyKey {
    AttrNumber column;
    int field;             // number in the input; -1: not there
    CopyDefault *default_; // where `field` is -1; nullptr: always NULL
    Oid type;
    int32 typmod;
    Oid io_parameter;
    FmgrInfo input; // from text, or binary
};

struct CopyIn {
    CopyFromState reader;
    Relation rel;
    const Table *table;
    const List *shards; // of a reference table
    ShardCopy *copy;    // nullptr: no row yet, or rows go through `stream`
    RowStream *stream;
    EState *estate;
    ExprContext *row; // evaluation of defaults; its memory is reset with every row
    CopyDefault *defaults;
    int ndefaults;
    bool volatile_defaults;
    CopyKey keys[max_key_columns];
    ErrorContextCallback *context; // around the command
    bool in_input;                 // an error now is the input's, not a shard's
};

// Starts forwarding: `preamble` opens every shard's stream, and has `lines` lines.
void begin_forwarding(CopyIn *in, const char *preamble, int length, uint64 lines);

// Finds the owner of the row whose key is given and forwards it; to all shards in a reference
// table. `nulls`: some part of the key is NULL, so the shard has to refuse the row.
void forward_row(CopyIn *in, const Datum *key, const bool *nulls, const char *data, int length,
                 uint32 lines);

// Evaluates defaults: the volatile ones, in the row's memory, or those that all rows share.
void evaluate_defaults(CopyIn *in, bool volatile_ones);

// The readers: forward rows to the end of the input.
void copy_lines(CopyIn *in);
void copy_tuples(CopyIn *in);

} // namespace shardwise
