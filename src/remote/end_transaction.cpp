// The end of a shard's transaction: COMMIT, PREPARE TRANSACTION, and what follows a PREPARE.
#include "remote/connection_internal.hpp"

namespace shardwise
{

static void send_end(Connection *c, const char *sql)
{
    drop_queue(c, 0); // savepoints and their releases end with the transaction
    make_idle(c);
    send_simple(c, sql);
}

// Reads the answer to a command that ends a transaction. A failed transaction answers ROLLBACK to
// whatever is asked.
static void finish_end(Connection *c, const char *tag)
{
    bool rolled_back = false;
    while (PGresult *result = next_result(c)) {
        rolled_back = strcmp(PQcmdStatus(result), tag) != 0;
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

void send_commit(Connection *c)
{
    send_end(c, "COMMIT");
    c->committing = true;
}

void finish_commit(Connection *c)
{
    finish_end(c, "COMMIT");
}

// A PREPARE may be cancelled: its outcome does not matter until the router decides.
void send_prepare(Connection *c, const char *gid)
{
    send_end(c, psprintf("PREPARE TRANSACTION %s", quote_literal_cstr(gid)));
}

void finish_prepare(Connection *c)
{
    finish_end(c, "PREPARE TRANSACTION");
}

int max_prepared_transactions(Connection *c)
{
    if (c->max_prepared_transactions < 0)
        c->max_prepared_transactions =
            atoi(PQgetvalue(run_command(c, "SHOW max_prepared_transactions"), 0, 0));
    return c->max_prepared_transactions;
}

bool send_quietly(Connection *c, const char *sql)
{
    if (c->pg == nullptr || c->lost || c->busy)
        return false;
    drop_queue(c, 0);
    c->busy = true;
    c->pipelined = c->cancel_sent = c->committing = false;
    c->leading = 0;
    if (PQsendQuery(c->pg, sql) != 0)
        return true;
    c->busy = false;
    c->lost = true;
    return false;
}

const char *finish_quietly(Connection *c, TimestampTz deadline, int *sqlstate)
{
    *sqlstate = ERRCODE_CONNECTION_FAILURE;
    if (c->pg == nullptr || c->lost || !c->busy)
        return "connection lost";
    const char *failure = nullptr;
    if (!drain_quietly(c, deadline)) {
        failure = "no answer in time";
        c->lost = true;
    } else if (c->error != nullptr) {
        failure = copy_message(c->error);
        *sqlstate = sqlstate_of(c->error);
    } else if (c->lost) {
        failure = "connection lost";
    } else {
        c->settings_in_transaction = false;
    }
    clear_outcome(c);
    return failure;
}

} // namespace shardwise
