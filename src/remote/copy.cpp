// COPY to and from a shard.
#include "remote/connection_internal.hpp"

namespace shardwise
{

// libpq's buffer grows without limit; what is beyond this waits for the shard.
static constexpr int copy_buffer_limit = 64 * 1024;

// Waits for the shard's consent to the COPY; its refusal is raised.
static void expect_copy(Connection *c, ExecStatusType expected)
{
    PGresult *result = next_result(c);
    if (result == nullptr)
        raise_exchange_error(c);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status != expected)
        ereport(ERROR,
                (errcode(ERRCODE_PROTOCOL_VIOLATION),
                 errmsg("shard \"%s\" did not start the expected COPY", NameStr(c->shard_name))));
}

// The shard has ended the COPY before its time: the reason is its next result.
static void pg_attribute_noreturn() raise_copy_failure(Connection *c)
{
    drain_exchange(c);
    ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
                    errmsg("shard \"%s\" ended a COPY early", NameStr(c->shard_name))));
    pg_unreachable();
}

void start_copy_in(Connection *c, const char *sql)
{
    send_command(c, sql);
    expect_copy(c, PGRES_COPY_IN);
    c->copying_in = true;
    c->copy_unsent = 0;
}

void write_copy_data(Connection *c, const char *data, int length)
{
    CHECK_FOR_INTERRUPTS();
    if (PQputCopyData(c->pg, data, length) <= 0)
        raise_copy_failure(c);
    c->copy_unsent += length;
    if (c->copy_unsent >= copy_buffer_limit) {
        wait_until_sent(c);
        c->copy_unsent = 0;
    }
}

uint64 finish_copy_in(Connection *c)
{
    c->copying_in = false;
    if (PQputCopyEnd(c->pg, nullptr) <= 0)
        raise_copy_failure(c);

    uint64 rows = 0;
    while (PGresult *result = next_result(c)) {
        rows = strtoul(PQcmdTuples(result), nullptr, 10);
        PQclear(result);
    }
    if (c->error != nullptr || c->lost)
        raise_exchange_error(c);
    return rows;
}

void start_copy_out(Connection *c, const char *sql)
{
    send_command(c, sql);
    expect_copy(c, PGRES_COPY_OUT);
}

int read_copy_data(Connection *c, const char **data)
{
    if (c->copy_buffer != nullptr)
        PQfreemem(c->copy_buffer);
    c->copy_buffer = nullptr;

    int length;
    while ((length = PQgetCopyData(c->pg, &c->copy_buffer, 1)) == 0)
        wait_for_input(c);
    if (length > 0) {
        *data = c->copy_buffer;
        return length;
    }
    drain_exchange(c);
    return -1;
}

} // namespace shardwise
