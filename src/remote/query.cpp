// Statements and their rows.
#include "remote/query_internal.hpp"

namespace shardwise
{

// A session that was dead before its statement came shows within this time.
static bool may_always()
{
    return true;
}
bool (*may_send_read_again)() = may_always;

static constexpr TimestampTz stale_session_time = 200 * 1000;

// The query's memory goes away. Its result may still be on its way: whoever needs the connection
// next drops it.
extern "C" {
static void query_reset(void *argument)
{
    RemoteQuery *q = static_cast<RemoteQuery *>(argument);
    PQclear(q->result);
    PQclear(q->incoming);
    PQfreemem(q->message);
    if (q->stored != nullptr)
        PQclear(q->stored->shape);
    if (!q->finished && q->connection->query == q)
        q->connection->query = nullptr;
}
}

void detach_query(Connection *c)
{
    if (c->query != nullptr) {
        c->query->finished = true;
        c->query->abandoned = true;
        c->query = nullptr;
    }
}

// Copies what a second attempt needs: the caller's values may be gone by then.
static void copy_statement(RemoteQuery *q)
{
    MemoryContext old = MemoryContextSwitchTo(q->context);
    int n = q->statement.nparams;
    q->statement.sql = pstrdup(q->statement.sql);
    if (n > 0) {
        if (q->statement.param_types != nullptr) {
            Oid *types = static_cast<Oid *>(palloc(n * sizeof(Oid)));
            memcpy(types, q->statement.param_types, n * sizeof(Oid));
            q->statement.param_types = types;
        }
        char **values = static_cast<char **>(palloc0(n * sizeof(char *)));
        int *lengths = static_cast<int *>(palloc0(n * sizeof(int)));
        int *formats = static_cast<int *>(palloc0(n * sizeof(int)));
        for (int i = 0; i < n; i++) {
            const char *value = q->values.values[i];
            formats[i] = q->values.formats != nullptr ? q->values.formats[i] : 0;
            if (value == nullptr)
                continue;
            lengths[i] = formats[i] == 1 ? q->values.lengths[i] : static_cast<int>(strlen(value));
            values[i] = static_cast<char *>(palloc(lengths[i] + 1));
            memcpy(values[i], value, lengths[i]);
            values[i][lengths[i]] = '\0';
        }
        q->values = {values, lengths, formats};
    }
    MemoryContextSwitchTo(old);
}

// Sends queue and statement. One that is prepared already, with nothing queued, costs least: no
// pipeline mode, one message group, one write.
static void send_query(RemoteQuery *q)
{
    Connection *c = q->connection;
    const RemoteStatement *s = &q->statement;
    const RemoteValues *v = &q->values;

    sync_settings(c, s->workers);
    // A cancelled statement fails its transaction, unless that can go back to before it.
    q->can_be_undone = s->may_end_early && c->scope == Scope::Transaction;
    if (s->is_bulk) {
        send_bulk(q);
        return;
    }
    bool keep = s->id != 0 && !c->pooled && max_prepared_statements > 0;
    RemotePrepared *prepared = keep ? find_prepared(c, s->id) : nullptr;
    if (c->stale_names != NIL)
        queue_deallocations(c);

    bool parse = prepared != nullptr && !prepared->ready;
    bool snapshot = c->wants_snapshot;
    begin_exchange(c, c->queue != nullptr || parse || snapshot || q->can_be_undone);
    // Ahead of all that needs a snapshot. The transaction that it is for ends with the exchange.
    if (snapshot && c->scope == Scope::LoneRead)
        send_ahead(c, "SET transaction_isolation = 'repeatable read'");
    send_queue(c);
    if (snapshot)
        send_snapshot(c);
    if (q->can_be_undone)
        send_read_savepoint(c);
    if (parse) {
        if (PQsendPrepare(c->pg, prepared->name, s->sql, s->nparams, s->param_types) == 0)
            send_failed(c);
        c->leading++;
        c->after_snapshot = c->after_savepoint = 1;
        c->preparing = prepared;
    }

    int format = s->binary_results ? 1 : 0;
    int sent = prepared != nullptr ? PQsendQueryPrepared(c->pg, prepared->name, s->nparams,
                                                         v->values, v->lengths, v->formats, format)
                                   : PQsendQueryParams(c->pg, s->sql, s->nparams, s->param_types,
                                                       v->values, v->lengths, v->formats, format);
    if (sent == 0)
        send_failed(c);
    if (q->can_be_undone)
        send_behind(c, read_release);
    c->query = q;
    c->one_result = s->few_rows;
    if (!c->pipelined && !c->one_result)
        PQsetSingleRowMode(c->pg);
    start_measuring(&c->meter);
    end_sending(c);
}

RemoteQuery *start_query(Connection *c, const RemoteStatement *statement,
                         const RemoteValues *values, MemoryContext context)
{
    make_available(c);

    RemoteQuery *q =
        static_cast<RemoteQuery *>(MemoryContextAllocZero(context, sizeof(RemoteQuery)));
    q->connection = c;
    q->context = context;
    q->owner = CurrentResourceOwner;
    q->statement = *statement;
    if (values != nullptr)
        q->values = *values;
    q->on_reset.func = query_reset;
    q->on_reset.arg = q;
    MemoryContextRegisterResetCallback(context, &q->on_reset);

    if (c->scope != Scope::Transaction && !statement->lasts)
        copy_statement(q);
    send_query(q);
    return q;
}

QueryMeasure measure_query(const RemoteQuery *q)
{
    const Connection *c = q->connection;
    if (q->finished || c->query != q)
        return q->measure;
    const Meter *meter = &c->meter;
    return {meter->rows, meter->bytes, meter->response_time, microseconds_since(meter->started)};
}

// True for an error that a fresh Parse cures: the session lost the statement, or the statement's
// result type changed.
static bool is_stale_statement(const PGresult *error)
{
    if (error_has_sqlstate(error, "26000"))
        return true;
    const char *function = PQresultErrorField(error, PG_DIAG_SOURCE_FUNCTION);
    return error_has_sqlstate(error, "0A000") && function != nullptr &&
           strcmp(function, "RevalidateCachedQuery") == 0;
}

// Prepares for a second attempt where the first certainly left nothing behind: outside of a
// transaction a failed statement is undone, and a read that was lost has done nothing.
static bool may_send_again(RemoteQuery *q)
{
    Connection *c = q->connection;
    bool stale =
        c->error != nullptr && !c->lost && q->statement.id != 0 && is_stale_statement(c->error);
    if (stale) {
        if (error_has_sqlstate(c->error, "26000"))
            forget_all_prepared(c);
        else
            forget_prepared(c, q->statement.id);
    }
    if (q->sent_again || q->row_seen || c->scope == Scope::Transaction || !(*may_send_read_again)())
        return false;
    if (!c->lost)
        return stale;

    // A session that dies later may have been ended by an administrator who wants the statement
    // gone.
    return c->scope == Scope::LoneRead &&
           GetCurrentTimestamp() - GetCurrentStatementStartTimestamp() < stale_session_time;
}

static void send_again(RemoteQuery *q)
{
    Connection *c = q->connection;
    q->sent_again = true;
    PQclear(c->error);
    c->error = nullptr;
    if (c->lost)
        reopen_connection(c);
    send_query(q);
}

// The exchange is over: raises its error, or sends it again (then returns false).
bool finish_query(RemoteQuery *q)
{
    Connection *c = q->connection;
    q->measure = measure_query(q);
    c->query = nullptr;
    if (c->error != nullptr || c->lost) {
        if (may_send_again(q)) {
            send_again(q);
            return false;
        }
        q->finished = q->abandoned = true; // also for who goes on after the error
        raise_exchange_error(c, &q->statement);
    }
    q->finished = true;
    if (c->scope == Scope::LoneWrite)
        count_commit(&c->meter, false);
    if (q->sent_again && !(*may_send_read_again)())
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("the snapshot on shard \"%s\" was lost", NameStr(c->shard_name)),
                        errhint("Retry the transaction.")));
    return true;
}

// Notes the number of rows that a command reports.
static void note_command(RemoteQuery *q, PGresult *result)
{
    Meter *meter = &q->connection->meter;
    const char *count = PQcmdTuples(result);
    if (count[0] != '\0')
        q->affected = strtoul(count, nullptr, 10);
    if (q->affected > meter->rows) // rows that were changed and not returned
        count_received(meter, q->affected - meter->rows, 0);
}

static void note_rows(RemoteQuery *q, const PGresult *result)
{
    uint64 bytes = 0;
    int rows = PQntuples(result);
    int columns = PQnfields(result);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            bytes += PQgetlength(result, row, column);
    count_received(&q->connection->meter, rows, bytes);
    q->row_seen = true;
}

// The spill file must outlive the subtransaction at hand.
void start_storing(RemoteQuery *q)
{
    MemoryContext old = MemoryContextSwitchTo(q->context);
    ResourceOwner old_owner = CurrentResourceOwner;
    StoredRows *stored = static_cast<StoredRows *>(palloc0(sizeof(StoredRows)));
    TupleDesc desc = CreateTemplateTupleDesc(1);
    TupleDescInitEntry(desc, 1, "row", BYTEAOID, -1, 0);
    stored->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
    CurrentResourceOwner = q->owner;
    stored->rows = tuplestore_begin_heap(false, false, work_mem);
    CurrentResourceOwner = old_owner;
    MemoryContextSwitchTo(old);
    q->stored = stored;
}

void store_bytes(RemoteQuery *q, StringInfo bytes)
{
    SET_VARSIZE(bytes->data, bytes->len);
    Datum value = PointerGetDatum(bytes->data);
    bool is_null = false;
    tuplestore_putvalues(q->stored->rows, q->stored->slot->tts_tupleDescriptor, &value, &is_null);
}

char *read_stored_bytes(RemoteQuery *q, int *length)
{
    StoredRows *stored = q->stored;
    // The slot keeps what is read beyond the caller's own, shorter-lived context.
    MemoryContext old = MemoryContextSwitchTo(q->context);
    bool found = tuplestore_gettupleslot(stored->rows, true, false, stored->slot);
    MemoryContextSwitchTo(old);
    if (!found) {
        // A read position at the end would stay there if storing was interrupted and goes on later.
        if (!q->finished)
            tuplestore_clear(stored->rows);
        return nullptr;
    }
    bool is_null;
    char *value = DatumGetPointer(slot_getattr(stored->slot, 1, &is_null));
    *length = VARSIZE_ANY_EXHDR(value);
    return VARDATA_ANY(value);
}

static void store_row(RemoteQuery *q, const PGresult *result, int row)
{
    StringInfoData bytes;
    initStringInfo(&bytes);
    appendStringInfoSpaces(&bytes, VARHDRSZ);
    for (int column = 0; column < PQnfields(result); column++) {
        int length = PQgetisnull(result, row, column) ? -1 : PQgetlength(result, row, column);
        appendBinaryStringInfo(&bytes, reinterpret_cast<char *>(&length), sizeof(length));
        if (length > 0)
            appendBinaryStringInfo(&bytes, PQgetvalue(result, row, column), length);
    }
    store_bytes(q, &bytes);
    pfree(bytes.data);
}

static void store_result(RemoteQuery *q, const PGresult *result)
{
    if (q->stored == nullptr)
        start_storing(q);
    if (q->stored->shape == nullptr)
        q->stored->shape = PQcopyResult(result, PG_COPYRES_ATTRS);
    if (q->stored->shape == nullptr)
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
    for (int row = 0; row < PQntuples(result); row++)
        store_row(q, result, row);
}

// Reads a query to its end for a statement that needs its connection. The row that the caller is
// looking at stays where it is.
void store_remaining_rows(RemoteQuery *q)
{
    Connection *c = q->connection;
    if (q->statement.is_bulk) {
        store_remaining_bulk(q);
        return;
    }
    do {
        while ((q->incoming = next_result(c)) != nullptr) {
            if (PQntuples(q->incoming) > 0) {
                note_rows(q, q->incoming);
                store_result(q, q->incoming);
            } else {
                note_command(q, q->incoming);
            }
            PQclear(q->incoming);
        }
    } while (!finish_query(q));
}

void await_query(RemoteQuery *q)
{
    if (!q->finished && q->connection->query == q)
        store_remaining_rows(q);
}

static void set_result(RemoteQuery *q, PGresult *result)
{
    PQclear(q->result);
    q->result = result;
    q->row = -1;
    q->rows = result != nullptr ? PQntuples(result) : 0;
}

// Makes a PGresult of the next stored row; false when there is none.
static bool read_stored_row(RemoteQuery *q)
{
    StoredRows *stored = q->stored;
    int row_length;
    char *row = read_stored_bytes(q, &row_length);
    if (row == nullptr)
        return false;

    PGresult *result = PQcopyResult(stored->shape, PG_COPYRES_ATTRS);
    set_result(q, result); // owned before anything can fail
    bool ok = result != nullptr;
    for (int column = 0; ok && column < PQnfields(stored->shape); column++) {
        int length;
        memcpy(&length, row, sizeof(length));
        row += sizeof(length);
        ok = PQsetvalue(result, 0, column, length < 0 ? nullptr : row, length) != 0;
        row += std::max(length, 0);
    }
    if (!ok)
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
    q->rows = 1;
    return true;
}

void check_not_abandoned(const RemoteQuery *q)
{
    if (q->abandoned)
        ereport(ERROR, (errcode(ERRCODE_INVALID_CURSOR_STATE),
                        errmsg("the rest of the query's rows is lost"),
                        errdetail("The query on shard \"%s\" was abandoned when a subtransaction "
                                  "was rolled back.",
                                  NameStr(q->connection->shard_name))));
}

// Makes q->result hold at least one unread row; false at the end.
static bool fetch_rows(RemoteQuery *q)
{
    set_result(q, nullptr);
    if (q->stored != nullptr && read_stored_row(q))
        return true;
    check_not_abandoned(q);
    while (!q->finished) {
        PGresult *result = next_result(q->connection);
        if (result == nullptr) {
            if (finish_query(q))
                break;
            continue;
        }
        if (PQntuples(result) > 0) {
            note_rows(q, result);
            set_result(q, result);
            // The end of a lone write is its commit: once rows of it are given out, no cancel
            // request may come before that has been read.
            if (q->connection->scope == Scope::LoneWrite)
                store_remaining_rows(q);
            return true;
        }
        note_command(q, result);
        PQclear(result);
    }
    return false;
}

bool next_row(RemoteQuery *q, const PGresult **result, int *row)
{
    if (q->row + 1 >= q->rows && !fetch_rows(q))
        return false;
    q->row++;
    *result = q->result;
    *row = q->row;
    return true;
}

uint64 affected_rows(const RemoteQuery *q)
{
    return q->affected;
}

void end_query(RemoteQuery *q)
{
    Connection *c = q->connection;
    set_result(q, nullptr);
    PQfreemem(q->message);
    q->message = nullptr;
    if (q->stored != nullptr) {
        PQclear(q->stored->shape);
        ExecDropSingleTupleTableSlot(q->stored->slot);
        tuplestore_end(q->stored->rows);
        q->stored = nullptr;
    }
    if (q->finished)
        return;
    q->finished = true;
    if (c->query != q)
        return;
    c->query = nullptr;

    // A cancelled statement fails the transaction that it is part of.
    if (c->scope == Scope::LoneRead)
        abandon_exchange(c);
    else if (q->can_be_undone)
        undo_read(c);
    else
        drain_exchange(c);
}

} // namespace shardwise
