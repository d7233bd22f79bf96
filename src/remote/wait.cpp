// Waiting for a shard: one persistent event set per connection, every wait serves interrupts.
#include "pg/versions.hpp"
#include "remote/connection_internal.hpp"

#include <poll.h>

extern "C" {
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/proc.h"
#include "utils/wait_event.h"
}

namespace shardwise
{

static constexpr int socket_event = 2;

// How long a shard may take to answer a cancel request before its session is given up.
static constexpr double cancel_seconds = 10;

// A set is a descriptor of its own. PostgreSQL leaves a third of those that a process may have to
// sockets and the like, and calls it an internal error when there is none.
WaitEventSet *make_wait_set(MemoryContext context, int nevents)
{
    if (!AcquireExternalFD())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
                        errmsg("too many connections to shards for one process"),
                        errdetail("Each takes two file descriptors, and a third of "
                                  "max_files_per_process is available."),
                        errhint("Raise max_files_per_process and the operating system's limit "
                                "(ulimit -n) of the router.")));
    ReleaseExternalFD();
    return CreateWaitEventSet(context, nevents);
}

void create_wait_set(Connection *c)
{
    c->wait_set = make_wait_set(c->context, 3);
    AddWaitEventToSet(c->wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
    AddWaitEventToSet(c->wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
    AddWaitEventToSet(c->wait_set, WL_SOCKET_READABLE, PQsocket(c->pg), nullptr, nullptr);
    c->waiting_for = WL_SOCKET_READABLE;
}

TimestampTz seconds_from_now(double seconds)
{
    return GetCurrentTimestamp() + static_cast<TimestampTz>(seconds * USECS_PER_SEC);
}

// While a write is committing, the shard alone knows whether it happened: a cancel request is
// passed on, and what the shard then answers decides. Termination of this backend is served at
// once.
static void pass_cancel_on(Connection *c)
{
    if (!c->cancel_sent) {
        c->cancel_sent = true;
        c->cancel_deadline = seconds_from_now(cancel_seconds);
        if (!request_cancel(c->pg))
            c->cancel_deadline = GetCurrentTimestamp();
    }
    HOLD_CANCEL_INTERRUPTS();
    CHECK_FOR_INTERRUPTS();
    RESUME_CANCEL_INTERRUPTS();
}

extern "C" {
static void tell_shard(void *argument)
{
    errcontext("waiting for shard \"%s\"", NameStr(*static_cast<NameData *>(argument)));
}
}

void serve_interrupts_of(NameData *shard_name)
{
    ErrorContextCallback context = {error_context_stack, tell_shard, shard_name};
    error_context_stack = &context;
    CHECK_FOR_INTERRUPTS();
    error_context_stack = context.previous;
}

static void serve_interrupts(Connection *c)
{
    if (!InterruptPending)
        return;
    if (QueryCancelPending && (c->committing || c->scope == Scope::LoneWrite))
        pass_cancel_on(c);
    else
        serve_interrupts_of(&c->shard_name);
}

const WaitHooks *wait_hooks = nullptr;
static bool waits_long = false; // the hooks know about it

int connection_process(const Connection *c)
{
    return c->pg != nullptr && !c->pooled ? PQbackendPID(c->pg) : 0; // a pooler makes one up
}

static void end_long_wait()
{
    if (!waits_long)
        return;
    waits_long = false;
    wait_hooks->end();
}

// Waits for the socket once. Whatever happened, the caller looks again at what it waits for.
static void wait_for_socket(Connection *c, uint32 events, long timeout = -1)
{
    if (events != c->waiting_for) {
        ModifyWaitEvent(c->wait_set, socket_event, events, nullptr);
        c->waiting_for = events;
    }

    if (c->cancel_sent) {
        timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), c->cancel_deadline);
        if (timeout <= 0) {
            c->lost = true;
            raise_lost(c, ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN,
                       "The shard did not answer a cancel request in time.");
        }
    }

    bool watched = timeout < 0 && wait_hooks != nullptr;
    if (watched)
        timeout = DeadlockTimeout;
    WaitEvent event;
    if (WaitEventSetWait(c->wait_set, timeout, &event, 1, PG_WAIT_EXTENSION) == 0) {
        if (watched) {
            waits_long = true;
            wait_hooks->begin(c);
        }
        return;
    }
    if (event.events & WL_LATCH_SET)
        ResetLatch(MyLatch);
    else if (event.events & WL_SOCKET_READABLE) {
        (void)PQconsumeInput(c->pg); // a failure shows in the next result
        c->copy_heard = true;
    }
}

bool wait_for_result(Connection *c, TimestampTz deadline)
{
    while (PQisBusy(c->pg)) {
        long timeout = -1;
        if (deadline != 0) {
            timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
            if (timeout <= 0)
                return false;
        }
        if (c->notices != nullptr)
            emit_notices(c);
        serve_interrupts(c);
        uint32 events = WL_SOCKET_READABLE;
        if (PQflush(c->pg) == 1)
            events |= WL_SOCKET_WRITEABLE;
        wait_for_socket(c, events, timeout);
        if (waits_long)
            wait_hooks->check();
    }
    end_long_wait();
    return true;
}

void wait_for_input(Connection *c)
{
    serve_interrupts(c);
    wait_for_socket(c, WL_SOCKET_READABLE);
}

void wait_for_traffic(Connection *c)
{
    serve_interrupts(c);
    wait_for_socket(c, WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE);
}

struct InputWait {
    WaitEventSet *set;
    MemoryContextCallback callback;
};

extern "C" {
static void free_input_wait(void *argument)
{
    FreeWaitEventSet(static_cast<InputWait *>(argument)->set);
}
}

InputWait *make_input_wait(const List *connections)
{
    InputWait *wait = static_cast<InputWait *>(palloc0(sizeof(InputWait)));
    wait->set = make_wait_set(CurrentMemoryContext, list_length(connections) + 2);
    wait->callback = {free_input_wait, wait, nullptr};
    MemoryContextRegisterResetCallback(CurrentMemoryContext, &wait->callback);
    AddWaitEventToSet(wait->set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
    AddWaitEventToSet(wait->set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
    ListCell *cell;
    foreach (cell, connections)
        AddWaitEventToSet(wait->set, WL_SOCKET_READABLE,
                          PQsocket(static_cast<Connection *>(lfirst(cell))->pg), nullptr,
                          lfirst(cell));
    return wait;
}

void wait_for_any_input(InputWait *wait)
{
    CHECK_FOR_INTERRUPTS();
    WaitEvent events[16];
    int n = WaitEventSetWait(wait->set, -1, events, lengthof(events), PG_WAIT_EXTENSION);
    for (int i = 0; i < n; i++)
        if (events[i].events & WL_LATCH_SET)
            ResetLatch(MyLatch);
        else if (events[i].events & WL_SOCKET_READABLE)
            (void)PQconsumeInput(static_cast<Connection *>(events[i].user_data)->pg);
}

bool wait_for_result_until(Connection *c, TimestampTz deadline)
{
    while (PQisBusy(c->pg)) {
        long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
        if (left <= 0)
            return false;
        struct pollfd fd = {PQsocket(c->pg), POLLIN, 0};
        if (PQflush(c->pg) == 1)
            fd.events |= POLLOUT;
        if (poll(&fd, 1, static_cast<int>(std::min(left, 1000L))) > 0 &&
            (fd.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            (void)PQconsumeInput(c->pg);
    }
    return true;
}

} // namespace shardwise
