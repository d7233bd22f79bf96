// Commands that run on their own: run_command() and the end of transactions.
#include "remote/connection_internal.hpp"

namespace shardwise
{

// Sends one command by the simple protocol, after what is queued.
static void send_simple(Connection *c, const char *sql)
{
    begin_exchange(c, false);
    if (PQsendQuery(c->pg, sql) == 0)
        send_failed(c);
    end_sending(c);
}

void send_command(Connection *c, const char *sql)
{
    make_available(c);
    sync_settings(c);
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

void send_commit(Connection *c)
{
    drop_queue(c, 0); // savepoints and their releases end with the transaction
    make_available(c);
    send_simple(c, "COMMIT");
    c->committing = true;
}

static bool is_rollback(const PGresult *result)
{
    return strcmp(PQcmdStatus(const_cast<PGresult *>(result)), "COMMIT") != 0;
}

void finish_commit(Connection *c)
{
    bool rolled_back = false;
    while (PGresult *result = next_result(c)) {
        rolled_back = is_rollback(result);
        PQclear(result);
    }
    if (c->error != nullptr || c->lost)
        raise_exchange_error(c);
    c->committing = false;
    if (rolled_back)
        ereport(ERROR,
                (errcode(ERRCODE_TRANSACTION_ROLLBACK),
                 errmsg("shard \"%s\" rolled the transaction back", NameStr(c->shard_name))));
    c->settings_in_transaction = false;
}

} // namespace shardwise
