// Inside room remote: a statement whose rows are being read.
#pragma once

#include "remote/connection_internal.hpp"

extern "C" {
#include "executor/tuptable.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"
}

namespace shardwise
{

// Rows that could not wait in the socket, as one bytea each: for every column its length (-1: NULL)
// and its bytes as they came. `shape` has the columns' names, types and formats. Of a bulk read,
// the fields as COPY sent them.
struct StoredRows {
    Tuplestorestate *rows;
    TupleTableSlot *slot;
    PGresult *shape;
};

struct RemoteQuery {
    Connection *connection;
    MemoryContext context;
    ResourceOwner owner; // of the temporary file, if rows are stored
    MemoryContextCallback on_reset;

    char *message; // of a bulk read: the COPY message at hand
    bool copying;  // COPY is under way
    bool header_is_read;

    PGresult *result;   // what the caller reads
    PGresult *incoming; // being stored
    int row;
    int rows;
    uint64 affected;
    QueryMeasure measure; // once it is finished
    bool finished;        // the shard has nothing more to deliver
    bool abandoned;
    bool can_be_undone; // a savepoint of its own stands before it
    bool row_seen;
    bool sent_again;
    StoredRows *stored;

    RemoteStatement statement; // copied with its values where it may have to be sent again
    RemoteValues values;
};

// query.cpp
// The exchange is over: raises its error, or sends the statement again (then returns false).
bool finish_query(RemoteQuery *);
void check_not_abandoned(const RemoteQuery *);
void start_storing(RemoteQuery *);
// Adds one row; room for the header of a bytea comes first in `bytes`.
void store_bytes(RemoteQuery *, StringInfo bytes);
// The next stored row, nullptr if there is none; valid until the next call.
char *read_stored_bytes(RemoteQuery *, int *length);

// bulk.cpp
void send_bulk(RemoteQuery *);
void store_remaining_bulk(RemoteQuery *);

} // namespace shardwise
