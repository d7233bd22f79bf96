// Sending a group of commands and reading their results to the end.
#include "remote/connection_internal.hpp"

namespace shardwise
{

static void append_command(Connection *c, const char *sql, int level, bool is_savepoint)
{
    size_t length = strlen(sql) + 1;
    QueuedCommand *command = static_cast<QueuedCommand *>(
        MemoryContextAlloc(c->context, offsetof(QueuedCommand, sql) + length));
    command->next = nullptr;
    command->level = level;
    command->is_savepoint = is_savepoint;
    memcpy(command->sql, sql, length);
    if (c->queue_tail != nullptr)
        c->queue_tail->next = command;
    else
        c->queue = command;
    c->queue_tail = command;
}

void queue_command_at(Connection *c, const char *sql, int level)
{
    append_command(c, sql, level, false);
}

void queue_command(Connection *c, const char *sql)
{
    append_command(c, sql, GetCurrentTransactionNestLevel(), false);
}

void queue_savepoint(Connection *c, int level)
{
    append_command(c, psprintf("SAVEPOINT s%d", level), level, true);
}

// Drops commands of a nesting level and deeper; level 0 drops all.
void drop_queue(Connection *c, int from_level)
{
    QueuedCommand **link = &c->queue;
    c->queue_tail = nullptr;
    while (*link != nullptr) {
        QueuedCommand *command = *link;
        if (command->level >= from_level) {
            *link = command->next;
            pfree(command);
        } else {
            c->queue_tail = command;
            link = &command->next;
        }
    }
}

// Unsent savepoints of a level that committed are not needed; its other commands stay, as its
// parent's.
void release_savepoint(Connection *c, int level)
{
    if (c->pg == nullptr)
        return;
    QueuedCommand **link = &c->queue;
    c->queue_tail = nullptr;
    while (*link != nullptr) {
        QueuedCommand *command = *link;
        if (command->level >= level && command->is_savepoint) {
            *link = command->next;
            pfree(command);
            continue;
        }
        command->level = std::min(command->level, level - 1);
        c->queue_tail = command;
        link = &command->next;
    }
    if (c->savepoint >= level) {
        queue_command_at(c, psprintf("RELEASE SAVEPOINT s%d", level), level - 1);
        c->savepoint = level - 1;
    }
    if (c->busy)
        c->exchange_level = std::min(c->exchange_level, level - 1);
}

void begin_exchange(Connection *c, bool pipelined)
{
    c->busy = true;
    c->pipelined = pipelined;
    c->cancel_sent = false;
    c->committing = false;
    c->copying_in = false;
    c->leading = 0;
    c->preparing = nullptr;
    c->after_snapshot = 0;
    c->query = nullptr;
    c->one_result = false;
    c->exchange_level = GetCurrentTransactionNestLevel();
    if (pipelined && PQenterPipelineMode(c->pg) == 0)
        send_failed(c);
}

void send_ahead(Connection *c, const char *sql)
{
    if (PQsendQueryParams(c->pg, sql, 0, nullptr, nullptr, nullptr, nullptr, 0) == 0)
        send_failed(c);
    c->leading++;
}

void send_behind(Connection *c, const char *sql)
{
    if (PQsendQueryParams(c->pg, sql, 0, nullptr, nullptr, nullptr, nullptr, 0) == 0)
        send_failed(c);
}

// Sends the queued commands; in pipeline mode.
void send_queue(Connection *c)
{
    for (QueuedCommand *command = c->queue; command != nullptr; command = command->next) {
        send_ahead(c, command->sql);
        if (command->is_savepoint)
            c->savepoint = command->level;
    }
    drop_queue(c, 0);
}

// Completes what was sent and starts writing it out.
void end_sending(Connection *c)
{
    if (c->pipelined && PQpipelineSync(c->pg) == 0)
        send_failed(c);
    (void)PQflush(c->pg); // the rest, and errors, belong to the waits that follow
}

// libpq refused to send: nothing certain is known of the session any more.
void send_failed(Connection *c)
{
    c->lost = true;
    c->busy = false;
    raise_lost(c, ERRCODE_CONNECTION_FAILURE, pchomp(PQerrorMessage(c->pg)));
}

// Until the router's transaction ends, a cancel request would make it report a failure that did not
// happen. A request that came too late is dropped, as PostgreSQL does once a command is complete.
static bool cancel_is_held = false;

static void hold_cancel()
{
    QueryCancelPending = false;
    if (!cancel_is_held) {
        HOLD_CANCEL_INTERRUPTS();
        cancel_is_held = true;
    }
}

void release_held_cancel()
{
    if (!cancel_is_held)
        return;
    cancel_is_held = false;
    QueryCancelPending = false;
    if (QueryCancelHoldoffCount > 0) // an error has reset it
        RESUME_CANCEL_INTERRUPTS();
}

static void end_exchange(Connection *c, bool quiet)
{
    c->busy = false;
    end_measuring(&c->meter);
    discard_unprepared(c);
    if (PQstatus(c->pg) == CONNECTION_BAD || (c->error != nullptr && error_ends_session(c->error)))
        c->lost = true;
    if (c->error != nullptr || c->lost) {
        if (c->settings_in_exchange)
            forget_settings(c);
    } else if (!quiet && (c->committing || c->scope == Scope::LoneWrite)) {
        hold_cancel();
    }
    c->settings_in_exchange = false;
}

static void keep_error(Connection *c, PGresult *result)
{
    if (c->error == nullptr)
        c->error = result;
    else
        PQclear(result);
}

// The results of one command of a pipeline have all been read.
static void command_ended(Connection *c)
{
    if (c->leading == 0)
        return;
    c->leading--;
    if (c->leading > 0 || c->error != nullptr)
        return;
    if (c->preparing != nullptr)
        c->preparing->ready = true;
    if (c->query != nullptr && !c->one_result)
        PQsetSingleRowMode(c->pg);
}

// Takes what has arrived; returns it if it is the statement's.
static PGresult *take_result(Connection *c, bool quiet)
{
    PGresult *result = PQgetResult(c->pg);
    if (result == nullptr) {
        if (!c->pipelined || PQstatus(c->pg) == CONNECTION_BAD)
            end_exchange(c, quiet);
        else
            command_ended(c);
        return nullptr;
    }
    switch (PQresultStatus(result)) {
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
        keep_error(c, result);
        return nullptr;
    case PGRES_PIPELINE_SYNC:
        PQclear(result);
        if (PQexitPipelineMode(c->pg) == 0)
            c->lost = true;
        end_exchange(c, quiet);
        return nullptr;
    case PGRES_PIPELINE_ABORTED:
        PQclear(result);
        return nullptr;
    default:
        if (c->leading == 0)
            return result;
        PQclear(result); // of a queued command
        return nullptr;
    }
}

PGresult *next_result(Connection *c, TimestampTz deadline)
{
    bool quiet = deadline != 0;
    while (c->busy) {
        if (!quiet) {
            wait_for_result(c);
            if (c->notices != nullptr)
                emit_notices(c);
        } else if (!wait_for_result_until(c, deadline)) {
            return nullptr;
        }
        if (PGresult *result = take_result(c, quiet))
            return result;
    }
    return nullptr;
}

// What can be parsed needs a snapshot, and a transaction that keeps its first one has it then.
// "Flush" lets the answer come before the statement that follows has run.
void send_snapshot(Connection *c)
{
    if (PQsendPrepare(c->pg, "", "SELECT", 0, nullptr) == 0 || PQsendFlushRequest(c->pg) == 0)
        send_failed(c);
    c->leading++;
    c->after_snapshot = 0;
    c->wants_snapshot = false;
}

void want_snapshot(Connection *c)
{
    c->wants_snapshot = true;
}

void start_snapshot(Connection *c)
{
    make_available(c);
    begin_exchange(c, true);
    send_queue(c);
    send_snapshot(c);
    end_sending(c);
}

bool finish_snapshot(Connection *c, TimestampTz deadline)
{
    while (c->busy && c->error == nullptr && c->leading > c->after_snapshot) {
        if (!wait_for_result(c, deadline))
            return false;
        (void)take_result(c, false);
    }
    return true;
}

void await_first_result(Connection *c)
{
    c->after_snapshot = 0;
    (void)finish_snapshot(c, 0);
    if (c->busy && c->error == nullptr)
        (void)wait_for_result(c);
}

void send_read_savepoint(Connection *c)
{
    send_ahead(c, read_savepoint);
    if (PQsendFlushRequest(c->pg) == 0)
        send_failed(c);
    c->after_savepoint = 0;
}

void await_read_savepoint(Connection *c)
{
    constexpr double moment = 0.05;
    // Of several commands in one message nothing is heard before the first rows.
    if (!c->pipelined)
        (void)wait_for_result(c, seconds_from_now(moment));
    while (c->pipelined && c->busy && c->error == nullptr && c->leading > c->after_savepoint) {
        (void)wait_for_result(c);
        (void)take_result(c, false);
    }
}

void read_to_end(Connection *c)
{
    while (PGresult *result = next_result(c)) {
        bool copies = PQresultStatus(result) == PGRES_COPY_OUT;
        PQclear(result);
        if (copies)
            drop_copy_data(c);
    }
}

void drain_exchange(Connection *c)
{
    read_to_end(c);
    if (c->error != nullptr || c->lost)
        raise_exchange_error(c);
}

void make_idle(Connection *c)
{
    if (c->pg == nullptr || c->lost)
        raise_lost(c, ERRCODE_CONNECTION_FAILURE, nullptr);
    if (c->busy) {
        if (c->query != nullptr)
            store_remaining_rows(c->query);
        else if (c->copying_in)
            make_way_for_statement(c);
        else
            drain_exchange(c);
    }
    if (PQstatus(c->pg) != CONNECTION_OK) {
        c->lost = true;
        raise_lost(c, ERRCODE_CONNECTION_FAILURE, pchomp(PQerrorMessage(c->pg)));
    }
}

void make_available(Connection *c)
{
    make_idle(c);
    if (PQtransactionStatus(c->pg) == PQTRANS_INERROR)
        ereport(ERROR,
                (errcode(ERRCODE_IN_FAILED_SQL_TRANSACTION),
                 errmsg("the transaction on shard \"%s\" has failed", NameStr(c->shard_name)),
                 errdetail("A statement that was begun before the last savepoint, such as a "
                           "cursor, failed when its rows were fetched."),
                 errhint("ROLLBACK TO a savepoint that is older than it.")));
}

void finish_statements(Connection *c)
{
    if (c->busy)
        make_idle(c);
}

void send_queue_alone(Connection *c)
{
    begin_exchange(c, true);
    send_queue(c);
    end_sending(c);
}

void flush_queue(Connection *c)
{
    if (c->queue == nullptr)
        return;
    send_queue_alone(c);
    drain_exchange(c);
}

} // namespace shardwise
