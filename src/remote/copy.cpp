// COPY to and from a shard.
#include "remote/connection_internal.hpp"

#include <poll.h>

namespace shardwise
{

// libpq's buffer grows without limit; what is beyond this waits for the shard.
static constexpr int copy_buffer_limit = 256 * 1024;

// Waits for the shard's consent to the COPY; its refusal is raised.
static void expect_copy(Connection *c, ExecStatusType expected)
{
    PGresult *result = next_result(c);
    if (result == nullptr)
        raise_exchange_error(c);
    count_received(&c->meter, 0, 0);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status != expected)
        ereport(ERROR,
                (errcode(ERRCODE_PROTOCOL_VIOLATION),
                 errmsg("shard \"%s\" did not start the expected COPY", NameStr(c->shard_name))));
}

void start_copy_in(Connection *c, const char *sql, uint64 *rows, void (*failed)(void *),
                   void *owner)
{
    send_command(c, sql);
    start_measuring(&c->meter);
    expect_copy(c, PGRES_COPY_IN);
    c->copying_in = true;
    c->copy_unsent = 0;
    c->copy_heard = false;
    c->copy_rows = rows;
    c->copy_failed = failed;
    c->copy_owner = owner;
}

bool copy_in_is_open(const Connection *c)
{
    return c->copying_in;
}

void write_copy_data(Connection *c, const char *data, int length)
{
    CHECK_FOR_INTERRUPTS();
    int put = PQputCopyData(c->pg, data, length);
    bool waits = PQflush(c->pg) == 1;
    // libpq takes data for a connection that is gone, and drops them.
    if (put <= 0 || PQstatus(c->pg) != CONNECTION_OK) {
        c->lost = true;
        raise_exchange_error(c);
    }
    c->copy_unsent = waits ? c->copy_unsent + length : 0;
    if (c->notices != nullptr)
        emit_notices(c);
}

bool copy_is_backlogged(const Connection *c)
{
    return c->copy_unsent >= copy_buffer_limit;
}

void push_copy_data(Connection *c)
{
    if (c->copy_unsent > 0 && PQflush(c->pg) != 1)
        c->copy_unsent = 0;
}

void wait_for_copy_progress(Connection *c)
{
    push_copy_data(c);
    if (c->copy_unsent > 0)
        wait_for_traffic(c);
    push_copy_data(c);
}

// While a COPY goes in, libpq parses notices alone. Input that is none of them is the shard's
// error, or else does no harm: the caller ends the COPY and may start it again.
bool copy_was_answered(Connection *c)
{
    if (PQstatus(c->pg) != CONNECTION_OK)
        return true;
    struct pollfd fd = {PQsocket(c->pg), POLLIN, 0};
    if (!c->copy_heard && poll(&fd, 1, 0) <= 0)
        return false;
    c->copy_heard = false;
    const Notice *before = c->notices_tail;
    bool ok = PQconsumeInput(c->pg) != 0;
    (void)PQisBusy(c->pg); // parses
    return !ok || c->notices_tail == before;
}

void send_copy_end(Connection *c)
{
    c->copying_in = false;
    if (PQputCopyEnd(c->pg, nullptr) <= 0)
        c->lost = true;
    else
        (void)PQflush(c->pg);
}

bool read_copy_outcome(Connection *c)
{
    while (PGresult *result = next_result(c)) {
        uint64 rows = strtoul(PQcmdTuples(result), nullptr, 10);
        count_received(&c->meter, rows, 0);
        *c->copy_rows += rows;
        PQclear(result);
    }
    return c->error == nullptr && !c->lost;
}

void end_copy_in(Connection *c)
{
    send_copy_end(c);
    if (!read_copy_outcome(c))
        raise_exchange_error(c);
}

void make_way_for_statement(Connection *c)
{
    send_copy_end(c);
    if (read_copy_outcome(c))
        return;
    if (c->copy_failed != nullptr)
        c->copy_failed(c->copy_owner);
    raise_exchange_error(c);
}

void send_copy_out(Connection *c, const char *sql, Workers workers)
{
    send_command(c, sql, workers);
    start_measuring(&c->meter);
}

void await_copy_out(Connection *c)
{
    expect_copy(c, PGRES_COPY_OUT);
}

void start_copy_out(Connection *c, const char *sql)
{
    send_copy_out(c, sql, Workers::Own);
    await_copy_out(c);
}

int try_read_copy_data(Connection *c, const char **data)
{
    if (c->copy_buffer != nullptr)
        PQfreemem(c->copy_buffer);
    c->copy_buffer = nullptr;

    int length = PQgetCopyData(c->pg, &c->copy_buffer, 1);
    if (length >= 0) {
        *data = c->copy_buffer;
        if (length > 0)
            count_received(&c->meter, 1, length);
        return length;
    }
    drain_exchange(c);
    return -1;
}

int read_copy_data(Connection *c, const char **data)
{
    int length;
    while ((length = try_read_copy_data(c, data)) == 0)
        wait_for_input(c);
    return length;
}

} // namespace shardwise
