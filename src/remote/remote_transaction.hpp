// What room transaction tells a connection: which transaction its statements belong to, and how
// that transaction nests and ends. Other rooms use connection.hpp alone.
#pragma once

#include "remote/connection.hpp"

namespace shardwise
{

// What the statements that are sent next are part of.
enum class Scope : uint8 {
    Idle,       // nothing: a statement commits by itself
    LoneRead,   // one statement without BEGIN that changes nothing
    LoneWrite,  // one statement without BEGIN: its end is the commit
    Transaction // an open transaction block, or one whose BEGIN is queued
};

// Says what the statements from now on are part of.
void set_scope(Connection *, Scope);
Scope connection_scope(const Connection *);

// Queues a command that belongs to a nesting level: it is dropped unsent when that level aborts.
void queue_command_at(Connection *, const char *sql, int level);

// Opens a savepoint for a nesting level with the next statement.
void queue_savepoint(Connection *, int level);

// Ends a nesting level that committed; its RELEASE travels with the next statement.
void release_savepoint(Connection *, int level);

// Undoes a nesting level at once. Never ereports: a connection that fails is given up.
void rollback_to_savepoint(Connection *, int level);

// The same for lone statements: ends what the level has under way.
void abandon_level(Connection *, int level);

// True once any part of the transaction has reached the shard.
bool transaction_was_sent(const Connection *);

// Snapshots of several shards in one step. want_snapshot(): the next statement's exchange takes a
// snapshot first, which the statement uses. start_snapshot(): the transaction that is queued takes
// it at once. finish_snapshot() waits until the shard has it, false when the deadline passes (0:
// none); its error is raised by what reads on. await_first_result(): waits until a statement
// without such a snapshot has certainly taken its own.
void want_snapshot(Connection *);
void start_snapshot(Connection *);
bool finish_snapshot(Connection *, TimestampTz deadline);
void await_first_result(Connection *);

// Asked before a lone read that was lost, or has to be prepared anew, is sent a second time, and
// again before its end is believed.
extern bool (*may_send_read_again)();

// The process that serves a connection on its shard; 0 behind a pooler.
int connection_process(const Connection *);

// Told about waits for a shard that last longer than deadlock_timeout: begun (and still going on,
// after each further deadlock_timeout), and over; in between asked to raise what ends the wait.
struct WaitHooks {
    void (*begin)(Connection *);
    void (*end)();
    void (*check)();
};
extern const WaitHooks *wait_hooks;

// Reads a query that is under way to its end; its error is raised.
void finish_statements(Connection *);

// Commits in two steps, so that several shards work at the same time. While the answer is awaited
// a cancel request is passed on to the shard instead of raised: only the shard knows the outcome.
// finish_commit() raises the shard's error, or 08007 when the answer was lost.
void send_commit(Connection *);
void finish_commit(Connection *);

// First phase of two-phase commit, in two steps as well. A cancel request may end the wait: what
// the shard made of it is undone by ROLLBACK PREPARED.
void send_prepare(Connection *, const char *gid);
void finish_prepare(Connection *);

// Sends a command to an idle session where no error may be raised any more, and reads its answer.
// finish_quietly() returns nullptr, or the message of what failed and its SQLSTATE. false, or a
// failure with a SQLSTATE of class 08: the session is gone.
bool send_quietly(Connection *, const char *sql);
const char *finish_quietly(Connection *, TimestampTz deadline, int *sqlstate);

// The shard's max_prepared_transactions, asked once for each session; raises the shard's errors.
int max_prepared_transactions(Connection *);

// Rolls back whatever the connection is in, bounded in time, and leaves it in Scope::Idle. Never
// ereports.
void rollback_quietly(Connection *);

// After a write has committed on a shard, cancel requests are held off until the router's own
// transaction has ended, so that no client is told "canceled" about a committed write. This ends
// that time.
void release_held_cancel();

} // namespace shardwise
