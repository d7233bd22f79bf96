// Inside room remote: the connection and how its parts work on it.
//
// A connection is used in exchanges: commands queued ahead, perhaps a Parse, and a statement are
// sent together, then their results are read to the end. `busy` is true in between. A plain
// exchange (one statement, nothing queued) goes without pipeline mode: it costs less.
#pragma once

#include "pg/pg.hpp"
#include "monitor/monitor.hpp"
#include "remote/connection.hpp"
#include "remote/remote_transaction.hpp"

extern "C" {
#include "foreign/foreign.h"
#include "lib/ilist.h"
#include "storage/latch.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"
}

namespace shardwise
{

// Sent ahead of the next statement.
struct QueuedCommand {
    QueuedCommand *next;
    int level; // of the router's nesting; dropped unsent when that level aborts
    bool is_savepoint;
    char sql[FLEXIBLE_ARRAY_MEMBER];
};

// A statement that the shard's session keeps under `name`.
struct RemotePrepared {
    uint64 id; // hash key
    dlist_node recent;
    bool ready; // the shard confirmed it
    char name[24];
};

// A message of the shard that is not an error, kept until it can be forwarded.
struct Notice {
    Notice *next;
    int level;
    int sqlstate;
    char *message;
    char *detail;
    char *hint;
    char *context;
};

// What was last sent for one setting.
struct SentSetting {
    int number;
    char *text;
};

// A setting that tell_setting() was given.
struct ToldSetting {
    char *name;
    char *value;
    uint64 version; // 0: the session may have lost it
    bool unsent;
};

struct Connection {
    Oid server;
    Oid mapping;
    uint32 server_hash; // of the syscache, to recognise invalidations
    uint32 mapping_hash;
    NameData shard_name;

    PGconn *pg;            // nullptr while closed
    MemoryContext context; // lives and dies with pg
    WaitEventSet *wait_set;
    uint32 waiting_for;
    bool lost;        // the socket broke, or the session's state is unknown
    bool invalidated; // server or user mapping changed: replace when idle
    bool used_password;
    bool pooled; // each transaction may have another session of the shard
    TimestampTz last_use;
    int max_prepared_transactions; // of the shard, -1: not yet known

    Scope scope;
    bool committing; // the exchange under way, or just read, is a COMMIT
    QueuedCommand *queue;
    QueuedCommand *queue_tail;
    int savepoint; // deepest savepoint that exists on the shard

    bool busy;
    bool pipelined;
    bool cancel_sent;
    bool copying_in;
    int leading;               // results of queued commands and Parse yet to come
    RemotePrepared *preparing; // its Parse is the last of them
    bool wants_snapshot;       // the next exchange takes it ahead of the statement
    int after_snapshot;        // `leading` once the shard's transaction has its snapshot
    int after_savepoint;       // likewise, the savepoint of a read
    RemoteQuery *query;        // who reads the rows; nullptr: nobody, they are dropped
    bool one_result;           // its rows come together, not one by one
    int exchange_level;        // the nesting level that sent the exchange
    PGresult *error;           // the first error of the exchange
    TimestampTz cancel_deadline;

    HTAB *prepared;
    dlist_head recent;
    int prepared_count;
    uint64 prepared_serial;
    List *stale_names; // evicted, not yet deallocated

    SentSetting *settings;
    List *custom_settings;    // char *: what was last sent for each, in the order of custom_names
    List *told_settings;      // ToldSetting
    bool has_unsent_settings; // some of these
    bool settings_known;
    bool settings_in_exchange;
    bool settings_in_transaction;
    Oid settings_role;

    uint32 host;        // which host it is connected to
    int neighbours;     // how many of those that open_together() was last told are on this host
    int workers_shared; // among how many the session was told to share its workers; 0: never told

    Notice *notices;
    Notice *notices_tail;
    Meter meter;
    char *copy_buffer;
    int copy_unsent;             // bytes that may still be in libpq's buffer
    bool copy_heard;             // the shard said something during a COPY
    void (*copy_failed)(void *); // raises the error of a COPY that was ended for another statement
    void *copy_owner;
    uint64 *copy_rows; // where the COPY under way counts
};

// What holds where a server's options say nothing, in seconds: a shard that swallows packets must
// not keep anybody waiting for ever, and one that has vanished is found out within two minutes. As
// libpq takes the last value of a keyword, these go first.
constexpr const char *connection_defaults[][2] = {{"connect_timeout", "10"},
                                                  {"keepalives_idle", "60"},
                                                  {"keepalives_interval", "10"},
                                                  {"keepalives_count", "6"}};

// connect.cpp
// Opens sessions, all at the same time; ereports 08001, and then none of them is open. `role`
// decides whether a password is required. `failures_pass`: those that do not answer stay closed,
// without an error.
void open_connections(Connection **, int n, Oid role, bool failures_pass);
// Opens a session anew for a statement that is sent again.
void reopen_connection(Connection *);
void close_connection(Connection *);
// True when the server said something, or closed, while nothing was under way.
bool connection_went_stale(Connection *);
// Raises an error where `role` may not use a session that was opened without its password.
void check_password_rule(const Connection *, const UserMapping *);

// options.cpp
bool is_server_option(const char *keyword);
bool is_mapping_option_of_libpq(const char *keyword);
bool mapping_requires_password(const UserMapping *);
bool server_is_pooled(const ForeignServer *);

// wait.cpp
// A set of events to wait for. Errors: 53000 where the process has no descriptor left.
WaitEventSet *make_wait_set(MemoryContext, int nevents);
void create_wait_set(Connection *);
// Waits until PQgetResult() does not block, serving interrupts and sending what is still unsent.
// False if the deadline passed before (0: none).
bool wait_for_result(Connection *, TimestampTz deadline = 0);
// CHECK_FOR_INTERRUPTS(), where errors say which shard is waited for.
void serve_interrupts_of(NameData *shard_name);
// Waits until the socket is readable, as for COPY data.
void wait_for_input(Connection *);
// Waits until the socket is readable, or writable, once.
void wait_for_traffic(Connection *);
// The same without interrupts or errors; false when the deadline has passed.
bool wait_for_result_until(Connection *, TimestampTz deadline);
TimestampTz seconds_from_now(double seconds);

// connect.cpp
// PQconnectPoll() leaves connect_timeout to its caller: when it ends, each host of the list having
// that long, or 0. The arrays are those that libpq takes.
TimestampTz connect_deadline(const char *const *names, const char *const *values);

// exchange.cpp
void begin_exchange(Connection *, bool pipelined);
void send_queue(Connection *);
void send_ahead(Connection *, const char *sql); // one command of the kind, in pipeline mode
// Likewise, behind the statement: what it answers belongs to the statement's results.
void send_behind(Connection *, const char *sql);
// Sends the savepoint of a read, and has the shard say at once that it is there; in pipeline mode.
void send_read_savepoint(Connection *);
// Waits until it is, or should be.
void await_read_savepoint(Connection *);
// Makes the shard take the snapshot of its transaction, and say so at once; in pipeline mode.
void send_snapshot(Connection *);
[[noreturn]] void send_failed(Connection *);
void end_sending(Connection *);
// Returns the next result that the statement under way delivers, nullptr when the exchange has
// ended (or, with a deadline, when that has passed: then `busy` is still true). Errors are kept in
// `error`, not raised. A deadline also means: no interrupts, no ereport.
PGresult *next_result(Connection *, TimestampTz deadline = 0);
// Ends the exchange under way: stores or drops what it still delivers.
void make_idle(Connection *);
// The same, for another statement: its error says if the shard's transaction cannot go on.
void make_available(Connection *);
// Sends the queue alone; drain_exchange() waits.
void send_queue_alone(Connection *);
// Sends the queue alone and waits.
void flush_queue(Connection *);
void drain_exchange(Connection *);
void read_to_end(Connection *); // the same, but leaves an error to its caller
void drop_queue(Connection *, int from_level);

// query.cpp
void store_remaining_rows(RemoteQuery *);
void detach_query(Connection *);

// bulk.cpp
// Reads a COPY of the shard to its end.
void drop_copy_data(Connection *);

// prepared.cpp
extern int max_prepared_statements;
RemotePrepared *find_prepared(Connection *, uint64 id);
void forget_prepared(Connection *, uint64 id);
void forget_all_prepared(Connection *);
void discard_unprepared(Connection *);
void queue_deallocations(Connection *);

// settings.cpp
extern bool share_parallel_workers;
// Queues what makes the shard's session share the router session's settings.
void sync_settings(Connection *, Workers = Workers::Any);
void forget_settings(Connection *);

// copy.cpp
// Ends a COPY into the shard because another statement needs the connection.
void make_way_for_statement(Connection *);

// command.cpp
// Sends a command by the simple protocol, after what is queued.
void send_command(Connection *, const char *sql, Workers = Workers::Any);
// Sends one command by the simple protocol while nothing is under way.
void send_simple(Connection *, const char *sql);

// error.cpp
void install_notice_receiver(Connection *);
void emit_notices(Connection *);
void drop_notices(Connection *);
// Raises the error of the exchange that ended (or the loss of the connection), whole.
[[noreturn]] void raise_exchange_error(Connection *, const RemoteStatement * = nullptr);
[[noreturn]] void raise_lost(Connection *, int sqlstate, const char *detail);
int sqlstate_of(const PGresult *); // of an error
bool error_has_sqlstate(const PGresult *, const char *sqlstate);
char *copy_message(const PGresult *); // in the current context
bool error_ends_session(const PGresult *);

// cancel.cpp
// Asks the shard to cancel what it runs. Bounded in time; false when the shard does not answer.
bool request_cancel(PGconn *);
// Reads an exchange to its end, bounded in time; false when it does not end.
bool drain_quietly(Connection *, TimestampTz deadline);
// The savepoint around a read of many rows in a transaction.
constexpr const char *read_savepoint = "SAVEPOINT shardwise_read";
constexpr const char *read_release = "RELEASE SAVEPOINT shardwise_read";
constexpr const char *read_rollback = "ROLLBACK TO SAVEPOINT shardwise_read";
// Stops a read that has that savepoint; the transaction goes on. Serves interrupts; errors: 08xxx.
void undo_read(Connection *);
// Forgets the error and the notices of the last exchange.
void clear_outcome(Connection *);

// pool.cpp
// Forgets which role uses which connection.
void forget_roles();

} // namespace shardwise
