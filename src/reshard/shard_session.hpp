// A mover's own connections to shards. Unlike those of transactions they belong to one task, run
// under fixed settings and raise every error at once, with the shard's name.
#pragma once

#include "pg/pg.hpp"
#include "remote/session.hpp"

namespace shardwise
{

struct ShardSession {
    PGconn *conn;
    NameData shard_name;
    Session *session;
};

// All rows of a result as text; entries are nullptr for NULL.
struct Rows {
    int count;
    int columns;
    char ***values;
    uint64 affected;
};

// Opens a session as the router's superuser (its user mapping, or that FOR PUBLIC); it ends with
// the current memory context. `replication`: for the commands of a walsender alone. Errors: 08001.
ShardSession *open_shard_session(int32 shard_id, bool replication = false);

// Ends it ahead of that.
void close_shard_session(ShardSession *);

// Runs SQL and waits; several commands, separated by semicolons, return the last one's rows.
// Raises the shard's error with its SQLSTATE.
Rows run(ShardSession *, const char *sql);
Rows runf(ShardSession *, const char *format, ...) pg_attribute_printf(2, 3);

// The same for SQL with passwords in it, which stays out of the shard's log. Needs a superuser
// there.
Rows run_unlogged(ShardSession *, const char *sql);

// The settings for that, in a session of its own.
extern const char *const log_nothing_sql;

// The first value of the first row, nullptr where there is none.
char *run_value(ShardSession *, const char *sql);
char *run_valuef(ShardSession *, const char *format, ...) pg_attribute_printf(2, 3);

// Sends SQL without waiting; receive() waits for what was sent.
void send(ShardSession *, const char *sql);
Rows receive(ShardSession *);

// Raises what libpq or the shard said last on this connection; frees `result`, which may be null.
[[noreturn]] void raise_shard_error(ShardSession *, PGresult *result);

// How a replication connection is written for another shard to use: a libpq connection string of a
// shard, with its secrets. `connect_timeout`, in seconds: where the shard has none; 0: none.
char *shard_conninfo(int32 shard_id, int connect_timeout = 0);

// Runs `body` in a transaction, a new one where there is none. What it allocates belongs to the
// caller's memory context.
template <typename Body> void in_transaction(Body &&body)
{
    MemoryContext caller = CurrentMemoryContext;
    bool own = !IsTransactionState();
    if (own)
        StartTransactionCommand();
    MemoryContextSwitchTo(caller);
    PushActiveSnapshot(GetTransactionSnapshot());
    body();
    PopActiveSnapshot();
    if (own)
        CommitTransactionCommand();
    MemoryContextSwitchTo(caller);
}

// psprintf() for SQL.
char *format_sql(const char *format, ...) pg_attribute_printf(1, 2);
char *vformat_sql(const char *format, va_list arguments);

} // namespace shardwise
