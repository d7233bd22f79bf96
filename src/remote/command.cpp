// Commands that run on their own, and the state of the transaction they are part of.
#include "remote/connection_internal.hpp"

namespace shardwise
{

// Sends one command by the simple protocol, after what is queued.
void send_simple(Connection *c, const char *sql)
{
    begin_exchange(c, false);
    if (PQsendQuery(c->pg, sql) == 0)
        send_failed(c);
    end_sending(c);
}

void send_command(Connection *c, const char *sql, Workers workers)
{
    make_available(c);
    sync_settings(c, workers);
    flush_queue(c);
    send_simple(c, sql);
}

struct ResultOwner {
    MemoryContextCallback callback;
    PGresult *result;
};

extern "C" {
static void free_result(void *argument)
{
    PQclear(static_cast<ResultOwner *>(argument)->result);
}
}

PGresult *run_command(Connection *c, const char *sql)
{
    ResultOwner *owner = static_cast<ResultOwner *>(palloc0(sizeof(ResultOwner)));
    owner->callback.func = free_result;
    owner->callback.arg = owner;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, &owner->callback);

    send_command(c, sql);
    // The command may have changed settings of the session, by itself or through a function.
    forget_settings(c);
    if (c->scope == Scope::Transaction)
        c->settings_in_transaction = true;
    while (PGresult *result = next_result(c)) {
        PQclear(owner->result);
        owner->result = result;
    }
    if (c->error != nullptr || c->lost)
        raise_exchange_error(c);
    return owner->result;
}

void set_scope(Connection *c, Scope scope)
{
    c->scope = scope;
    if (c->pooled)
        forget_settings(c);
    if (scope == Scope::Transaction) {
        c->settings_in_transaction = false;
        c->savepoint = 0;
    }
}

Scope connection_scope(const Connection *c)
{
    return c->scope;
}

bool transaction_was_sent(const Connection *c)
{
    return c->lost || c->busy || (c->pg != nullptr && PQtransactionStatus(c->pg) != PQTRANS_IDLE);
}

} // namespace shardwise
