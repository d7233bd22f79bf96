// Connections to shards: one per backend, shard and remote user, kept until the backend ends.
// This room knows foreign servers and SQL text, nothing of ranges or tables.
//
// Statements are sent in libpq's pipeline mode: commands queued with queue_command() (BEGIN,
// SAVEPOINT, SET) travel in the same round trip as the next statement.
#pragma once

#include "pg/pg.hpp"

#include "libpq-fe.h"

namespace shardwise
{

struct Connection;
struct Meter;

// Gets the connection to a foreign server as the user whom `role`'s user mapping names, opening it
// if need be. Errors: 08001 with the server's name; never a password. Serves interrupts.
Connection *get_connection(Oid server, Oid role);
// Opens the connections to several servers (Oids), those that are not open, at the same time:
// get_connection() then finds them open. Each learns how many of them are on its host, for a
// statement that they run together. Errors as there.
void open_together(const List *servers, Oid role);
// The same, but a server that does not answer is no error: returns the Oids of those.
List *open_reachable(const List *servers, Oid role);

// Whose it is: for messages, options and counters. The name lives as long as the connection.
const char *connection_shard_name(const Connection *);
Oid connection_server(const Connection *);
Meter *connection_meter(Connection *);

// True until the socket broke, the server or user mapping changed, or an unfinished exchange had
// to be abandoned; a dead connection is closed and replaced by the next get_connection().
bool connection_is_usable(const Connection *);

// Which parallel workers a statement may start on its shard.
enum class Workers : uint8 {
    Any,   // it will not start many: the session stays as it is
    Own,   // as many as the shard gives its sessions
    Shared // its part of that, among the shards of its host that open_together() was told
};

// A statement to run. `id` other than 0 keeps it prepared on each connection under that number
// (the caller never reuses a number for another text); 0 sends it unnamed.
struct RemoteStatement {
    uint64 id;
    const char *sql;
    int nparams;
    const Oid *param_types; // 0: the shard infers it
    bool binary_results;
    // May raise another error in place of the shard's. nullptr: none stands for another.
    void (*translate_error)(const void *argument, int sqlstate, const char *message) = nullptr;
    const void *argument = nullptr;
    bool few_rows = false; // come as one result, all in memory
    Workers workers = Workers::Any;
    // `sql` is COPY (...) TO STDOUT (FORMAT binary), without id and parameters.
    bool is_bulk = false;
    // Text, types and values live as long as the query: a second attempt needs no copy of them.
    bool lasts = false;
    // Its reader may end it before its last row, and nothing is lost if the shard undoes it: within
    // a transaction it gets a savepoint to go back to.
    bool may_end_early = false;
};

struct RemoteValues {
    const char *const *values; // nullptr: NULL
    const int *lengths;        // of binary values
    const int *formats;        // 0 text, 1 binary
};

// Queues a command that returns nothing; sent ahead of the next statement, in order.
void queue_command(Connection *, const char *sql);

// Tells the session a setting of the extension's own, ahead of the next statement, unless the
// session has that value. `version` is any number but 0 that changes with the value; is_told() then
// saves making it.
bool is_told(const Connection *, const char *name, uint64 version);
void tell_setting(Connection *, const char *name, uint64 version, const char *value);

// A statement under way. At most one per connection delivers rows from the socket: when another
// statement needs the connection, what the first has still to deliver is stored (spilling to disk).
struct RemoteQuery;

// Sends queued commands and the statement without waiting; `values` are needed no longer than that.
// The query belongs to `context`: its reset callback frees it. Rows that had to be stored are freed
// by end_query(), which must be called unless the transaction fails.
RemoteQuery *start_query(Connection *, const RemoteStatement *, const RemoteValues *,
                         MemoryContext context);

// Waits for the next row, serving interrupts. Returns false at the end. An error of the shard is
// raised here, whole: SQLSTATE, message, DETAIL, HINT, CONTEXT, constraint, table, column, type.
// The row is (*result, *row) and stays readable until the next call.
bool next_row(RemoteQuery *, const PGresult **result, int *row);

// The same of a bulk read: the row's fields as COPY has them in binary, each a length of four bytes
// in network order (-1: NULL) and that many bytes; a NUL follows. The caller may change them.
// Without `wait`, *fields is nullptr where the row has not arrived yet.
bool next_fields(RemoteQuery *, bool wait, char **fields, int *length);

// Waits until the shard is through with a query; its rows are stored for next_row(). Errors as
// there.
void await_query(RemoteQuery *);

// Rows that the command reported (INSERT, UPDATE, ...), once next_row() returned false.
uint64 affected_rows(const RemoteQuery *);

// What a query has brought so far, or all in all: rows received or changed, bytes of their values,
// microseconds until the first answer and until now or the end.
struct QueryMeasure {
    uint64 rows;
    uint64 bytes;
    double first_answer;
    double total;
};
QueryMeasure measure_query(const RemoteQuery *);

// Ends a query, also early: a read outside of a transaction, or one that may end early, is
// cancelled on the shard; of any other the rest is read and dropped. Raises the shard's errors.
void end_query(RemoteQuery *);

// Runs one command (or several, separated by semicolons, without parameters) and waits. Returns
// the last result, owned by the current memory context; errors are raised as by next_row().
PGresult *run_command(Connection *, const char *sql);

// COPY ... FROM STDIN: start, any number of writes, end. *rows grows by what the shard stored when
// the COPY ends. Writing does not wait: the writer does, while copy_is_backlogged(), through
// wait_for_copy_progress(), and may push the data of other connections meanwhile.
//
// Where another statement needs the connection, the COPY is ended for it: copy_in_is_open() is then
// false, and who has more rows starts it again. If the shard refuses the rows at that moment,
// `failed(owner)` is called, which raises the error that waits on the connection; nullptr: it is
// raised as it is.
void start_copy_in(Connection *, const char *sql, uint64 *rows, void (*failed)(void *) = nullptr,
                   void *owner = nullptr);
bool copy_in_is_open(const Connection *);
void write_copy_data(Connection *, const char *data, int length);
bool copy_is_backlogged(const Connection *);
void wait_for_copy_progress(Connection *);
void push_copy_data(Connection *);
void end_copy_in(Connection *);

// The steps of end_copy_in(), for a COPY into several shards: all are ended before the first
// outcome is awaited. Where it is false, an error waits on the connection until somebody raises it
// or the transaction rolls back.
void send_copy_end(Connection *);
bool read_copy_outcome(Connection *);

// True where the shard seems to have refused the data so far: time to end the COPY and see.
bool copy_was_answered(Connection *);

// CONTEXT of the error that waits on the connection, in the current memory context; nullptr if it
// has none.
char *waiting_error_context(const Connection *);

// Raises the error that waits on the connection, with another CONTEXT (nullptr: none).
[[noreturn]] void raise_waiting_error(Connection *, const char *context);

// COPY ... TO STDOUT: start, then read until it returns -1. The buffer lives until the next call.
void start_copy_out(Connection *, const char *sql);
int read_copy_data(Connection *, const char **data);

// The same from several shards at once: send to all, await each, then read what has come (0: no
// whole row yet) and wait for more.
void send_copy_out(Connection *, const char *sql, Workers);
void await_copy_out(Connection *);
int try_read_copy_data(Connection *, const char **data);

// Waits for input on one of several connections. Belongs to the current memory context.
struct InputWait;
InputWait *make_input_wait(const List *connections);
void wait_for_any_input(InputWait *);

// Abandons whatever is under way on the connection so that ROLLBACK can be sent: asks the shard to
// cancel and drains, bounded in time; a connection that does not answer is closed. Never ereports.
void abandon_exchange(Connection *);

// Registers callbacks (syscache: server and user mapping changes; exit). From _PG_init.
void init_remote();

} // namespace shardwise
