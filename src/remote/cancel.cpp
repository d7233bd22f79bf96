// Stopping what a shard does for us, in bounded time and without raising errors.
#include "remote/connection_internal.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

extern "C" {
#include "port/pg_bswap.h"
}

namespace shardwise
{

static constexpr double answer_seconds = 3; // for a postmaster to answer
static constexpr double drain_seconds = 5;  // for a cancelled statement to end
static constexpr double end_seconds = 10;   // for ROLLBACK

static bool wait_for_fd(int fd, short events, TimestampTz deadline)
{
    for (;;) {
        long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
        struct pollfd p = {fd, events, 0};
        int n = poll(&p, 1, static_cast<int>(left));
        if (n > 0)
            return true;
        if (left <= 0 || (n < 0 && errno != EINTR))
            return false;
    }
}

// Sends the request whether TLS is possible, and waits for the answer of one byte.
static bool ask_for_tls(int fd, const struct sockaddr *address, socklen_t length,
                        TimestampTz deadline)
{
    if (connect(fd, address, length) != 0 && errno != EINPROGRESS)
        return false;
    if (!wait_for_fd(fd, POLLOUT, deadline))
        return false;
    uint32 request[2] = {pg_hton32(8), pg_hton32(80877103)};
    if (send(fd, request, sizeof(request), MSG_NOSIGNAL) != sizeof(request))
        return false;
    char answer;
    return wait_for_fd(fd, POLLIN, deadline) && recv(fd, &answer, 1, 0) == 1;
}

// PQcancel() connects and waits without limit. A server that has just answered a harmless question
// at the same address will not keep it waiting.
static bool server_answers(PGconn *conn)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    struct sockaddr *peer = reinterpret_cast<struct sockaddr *>(&address);
    if (getpeername(PQsocket(conn), peer, &length) != 0)
        return false;
    int fd = socket(peer->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool answered = ask_for_tls(fd, peer, length, seconds_from_now(answer_seconds));
    close(fd);
    return answered;
}

bool request_cancel(PGconn *conn)
{
    if (PQsocket(conn) < 0 || !server_answers(conn))
        return false;
    PGcancel *cancel = PQgetCancel(conn);
    if (cancel == nullptr)
        return false;
    char message[256];
    bool sent = PQcancel(cancel, message, sizeof(message)) != 0;
    PQfreeCancel(cancel);
    return sent;
}

static bool skip_copy_data(Connection *c, TimestampTz deadline)
{
    for (;;) {
        char *buffer = nullptr;
        int length = PQgetCopyData(c->pg, &buffer, 1);
        if (buffer != nullptr)
            PQfreemem(buffer);
        if (length < 0)
            return true;
        if (length == 0 &&
            (!wait_for_fd(PQsocket(c->pg), POLLIN, deadline) || PQconsumeInput(c->pg) == 0))
            return false;
        if (GetCurrentTimestamp() > deadline)
            return false;
    }
}

bool drain_quietly(Connection *c, TimestampTz deadline)
{
    while (c->busy) {
        PGresult *result = next_result(c, deadline);
        if (result == nullptr)
            break;
        ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        if (status == PGRES_COPY_IN && PQputCopyEnd(c->pg, "COPY was abandoned") <= 0)
            return false;
        if (status == PGRES_COPY_OUT && !skip_copy_data(c, deadline))
            return false;
    }
    return !c->busy;
}

void clear_outcome(Connection *c)
{
    PQclear(c->error);
    c->error = nullptr;
    drop_notices(c);
}

// What has been read, or has arrived, may be all there is.
static bool has_ended(Connection *c)
{
    TimestampTz now = GetCurrentTimestamp();
    if (c->copying_in)
        return false;
    return drain_quietly(c, now) || (PQconsumeInput(c->pg) != 0 && drain_quietly(c, now));
}

void abandon_exchange(Connection *c)
{
    detach_query(c);
    if (c->pg == nullptr || c->lost)
        return;
    if (c->busy) {
        bool ended = has_ended(c);
        if (!ended && !c->copying_in && !c->lost && !request_cancel(c->pg))
            c->lost = true;
        if (!ended && !c->lost && !drain_quietly(c, seconds_from_now(drain_seconds)))
            c->lost = true;
        c->copying_in = false;
    }
    clear_outcome(c);
    if (PQstatus(c->pg) != CONNECTION_OK)
        c->lost = true;
}

// Runs a command while nothing else is under way; false when it failed or took too long, with
// its error in `error`.
static bool run_quietly(Connection *c, const char *sql, double seconds)
{
    c->busy = true;
    c->pipelined = c->cancel_sent = false;
    c->leading = 0;
    if (PQsendQuery(c->pg, sql) == 0) {
        c->busy = false;
        return false;
    }
    return drain_quietly(c, seconds_from_now(seconds)) && c->error == nullptr && !c->lost;
}

void undo_read(Connection *c)
{
    detach_query(c);
    bool ended = !c->busy || has_ended(c);
    if (!ended)
        await_read_savepoint(c); // what is cancelled before fails the transaction
    // A request that does not get through, or is late, leaves all rows to be read.
    if (!ended && c->busy && c->error == nullptr)
        (void)request_cancel(c->pg);
    read_to_end(c);
    if (c->lost)
        raise_exchange_error(c);
    clear_outcome(c);
    // One that was over when the request arrived has released its savepoint itself.
    if (PQtransactionStatus(c->pg) != PQTRANS_INERROR)
        return;
    send_simple(c, psprintf("%s; %s", read_rollback, read_release));
    drain_exchange(c);
}

void rollback_to_savepoint(Connection *c, int level)
{
    if (c->settings_in_transaction)
        forget_settings(c);
    drop_queue(c, level);
    if (c->pg == nullptr || c->lost || c->savepoint < level)
        return;

    abandon_exchange(c);
    char sql[96];
    snprintf(sql, sizeof(sql), "ROLLBACK TO SAVEPOINT s%d; RELEASE SAVEPOINT s%d", level, level);
    if (c->lost || !run_quietly(c, sql, end_seconds))
        c->lost = true; // its transaction cannot go on
    clear_outcome(c);
    c->savepoint = level - 1;
}

void abandon_level(Connection *c, int level)
{
    if (c->queue != nullptr)
        forget_settings(c);
    drop_queue(c, level);
    if (c->busy && c->exchange_level >= level)
        abandon_exchange(c);
}

void rollback_quietly(Connection *c)
{
    if (c->settings_in_transaction)
        forget_settings(c);
    c->settings_in_transaction = false;
    c->wants_snapshot = false;
    drop_queue(c, 0);
    abandon_exchange(c);
    if (c->pg != nullptr && !c->lost) {
        PGTransactionStatusType status = PQtransactionStatus(c->pg);
        bool in_block = status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
        if (in_block ? !run_quietly(c, "ROLLBACK", end_seconds) : status != PQTRANS_IDLE)
            c->lost = true;
        clear_outcome(c);
    }
    if (c->lost)
        close_connection(c);
    c->committing = false;
    c->savepoint = 0;
    c->scope = Scope::Idle;
}

} // namespace shardwise
