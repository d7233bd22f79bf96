// Plain libpq sessions to a database, apart from the transaction's own connections: for checking a
// server that is not a shard yet, creating a database, run_on_shards(), and moves.
#pragma once

#include "pg/pg.hpp"

#include "libpq-fe.h"

namespace shardwise
{

// A connection string, split the way PostgreSQL stores it: what a server is, and who connects.
struct ConnectionOptions {
    List *server;           // of DefElem: options of the foreign server
    List *mapping;          // of DefElem: user, password and keys, options of the user mapping
    bool password_required; // the connection must not rest on the router's own identity
};

// Parses a libpq connection string or URI. Errors: 22023, without the string (it may hold a
// password); 42501 when the caller is no superuser and gives no password, or names files.
ConnectionOptions parse_conninfo(const char *conninfo);

// Reads the options of a foreign server and of the mapping that applies to `role`.
ConnectionOptions stored_options(Oid server, Oid role);

// The value of an option (DefElem) in a list; nullptr where it is not there.
const char *find_option(const List *options, const char *name);

// A session; ends with `context`, cancelling what still runs.
struct Session {
    PGconn *conn;         // nullptr: it has ended
    TimestampTz deadline; // of all answers that are waited for; 0: none
    MemoryContextCallback callback;
};

// Opens a session. Returns nullptr when the server does not answer, with libpq's message (never a
// password) in *error. Serves interrupts.
// `replication`: as a walsender of the database (replication=database).
Session *open_session(const ConnectionOptions &options, MemoryContext context, char **error,
                      bool replication = false);

// Ends a session ahead of its context.
void close_session(Session *session);

// What a command returned: the first row only, as text.
struct SessionResult {
    bool ok;
    int ncolumns;
    char **values; // first row; nullptr where there is none, entries nullptr for NULL
    char *tag;     // command tag
    char *error;   // message with DETAIL, where !ok
    char *sqlstate;
};

// Runs a command, or waits for one that start_command() sent. Commands run outside of any
// transaction block; errors are returned, not raised. A session that is late has ended.
SessionResult run_in_session(Session *session, const char *sql);
bool start_command(Session *session, const char *sql);
SessionResult wait_for_command(Session *session);

// Waits for the next result, as PQgetResult() returns it, and serves interrupts. nullptr with *late
// when the session's deadline has passed.
PGresult *await_result(Session *session, bool *late);

} // namespace shardwise
