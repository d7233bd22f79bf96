// Reading many rows: COPY in binary costs half of what rows in messages of their own cost, since no
// PGresult is made of each.
#include "remote/query_internal.hpp"

extern "C" {
#include "port/pg_bswap.h"
}

namespace shardwise
{

static constexpr int header_length = 19; // signature, flags, length of no extension
static constexpr int fields_length = 2;  // number of fields, -1 in the trailer

void send_bulk(RemoteQuery *q)
{
    Connection *c = q->connection;
    StringInfoData commands;
    initStringInfo(&commands);
    q->copying = q->header_is_read = false;
    // A COPY cannot be pipelined: what is queued goes ahead in the same message.
    for (const QueuedCommand *command = c->queue; command != nullptr; command = command->next) {
        appendStringInfo(&commands, "%s; ", command->sql);
        if (command->is_savepoint)
            c->savepoint = command->level;
    }
    if (q->can_be_undone)
        appendStringInfo(&commands, "%s; %s; %s", read_savepoint, q->statement.sql, read_release);
    else
        appendStringInfoString(&commands, q->statement.sql);
    drop_queue(c, 0);
    send_simple(c, commands.data);
    c->query = q;
    start_measuring(&c->meter);
    pfree(commands.data);
}

// Reads a message of the COPY into q->message without waiting: its length, 0 if none has arrived,
// -1 at the end.
static int read_message(RemoteQuery *q)
{
    Connection *c = q->connection;
    PQfreemem(q->message);
    q->message = nullptr;
    int length = PQgetCopyData(c->pg, &q->message, 1);
    if (length == 0 && PQconsumeInput(c->pg) != 0)
        length = PQgetCopyData(c->pg, &q->message, 1);
    return length;
}

// Finds the fields of a row in the message at hand; false if it has none.
static bool find_fields(RemoteQuery *q, int message_length, char **fields, int *length)
{
    int start = 0;
    if (!q->header_is_read) {
        start = header_length;
        q->header_is_read = true;
    }
    if (message_length < start + fields_length)
        return false; // the header alone
    uint16 count;
    memcpy(&count, q->message + start, sizeof(count));
    if (count == 0xffff)
        return false; // the trailer
    *fields = q->message + start + fields_length;
    *length = message_length - start - fields_length;
    return true;
}

// Waits for the COPY to begin; false when the statement is over without one.
static bool begin_copying(RemoteQuery *q)
{
    while (!q->copying) {
        PGresult *result = next_result(q->connection);
        if (result == nullptr) {
            if (finish_query(q))
                return false;
            continue;
        }
        q->copying = PQresultStatus(result) == PGRES_COPY_OUT;
        PQclear(result);
    }
    return true;
}

// Reads the next row from the socket; false at the end. Without `wait`, *fields may be nullptr:
// none has arrived yet.
static bool read_fields(RemoteQuery *q, bool wait, char **fields, int *length)
{
    Connection *c = q->connection;
    *fields = nullptr;
    while (!q->finished) {
        if (!q->copying) {
            if (!wait && PQisBusy(c->pg) && PQconsumeInput(c->pg) != 0 && PQisBusy(c->pg))
                return true;
            if (!begin_copying(q))
                break;
        }
        int message_length = read_message(q);
        if (message_length == 0 && !wait)
            return true;
        if (message_length == 0) {
            if (c->notices != nullptr)
                emit_notices(c);
            wait_for_input(c);
        } else if (message_length < 0) {
            q->copying = false; // what comes next is the outcome
        } else if (find_fields(q, message_length, fields, length)) {
            q->row_seen = true;
            count_received(&c->meter, 1, *length);
            return true;
        }
    }
    return false;
}

bool next_fields(RemoteQuery *q, bool wait, char **fields, int *length)
{
    if (q->stored != nullptr && (*fields = read_stored_bytes(q, length)) != nullptr) {
        (*length)--; // the NUL
        return true;
    }
    check_not_abandoned(q);
    return read_fields(q, wait, fields, length);
}

void store_remaining_bulk(RemoteQuery *q)
{
    char *current = q->message; // the caller is looking at it
    q->message = nullptr;
    char *fields;
    int length;
    if (q->stored == nullptr)
        start_storing(q);
    while (read_fields(q, true, &fields, &length)) {
        StringInfoData bytes;
        initStringInfo(&bytes);
        appendStringInfoSpaces(&bytes, VARHDRSZ);
        appendBinaryStringInfo(&bytes, fields, length);
        appendStringInfoChar(&bytes, '\0'); // as in libpq's buffer, for who reads the last field
        store_bytes(q, &bytes);
        pfree(bytes.data);
    }
    PQfreemem(q->message);
    q->message = current;
}

void drop_copy_data(Connection *c)
{
    for (;;) {
        char *buffer = nullptr;
        int length = PQgetCopyData(c->pg, &buffer, 1);
        PQfreemem(buffer);
        if (length < 0)
            return;
        if (length == 0)
            wait_for_input(c);
    }
}

} // namespace shardwise
