// Inside room transaction: the shards that take part, and what is known of each.
#pragma once

#include "pg/pg.hpp"
#include "remote/remote_transaction.hpp"
#include "transaction/participants.hpp"

namespace shardwise
{

// One shard's part in the current transaction.
struct Participant {
    int32 shard_id;
    Connection *connection;
    int level;           // deepest of the router's nesting levels that has its savepoint there
    int write_level;     // the outermost level that wrote, 0: none
    int writes;          // statements that wrote or may yet write
    int read_only_level; // the level whose READ ONLY the shard follows, 0: none
    int places_level;    // the level that keeps the shard from using places again, 0: none
    bool locks;          // holds row locks that must outlive the router's commit
    bool management;     // part of a change that the router drives: commits in two phases
    int commands;        // how many of run_in_transactions() it has been sent
    bool prepare_sent;   // its PREPARE TRANSACTION was sent
    List *left_tables;   // Oids: of rows that go to other shards
};

// The participants of the current transaction, in the order of joining.
extern Participant *participants;
extern int participant_count;

// The shards that got the one statement of an autocommit transaction, without BEGIN: several for a
// read, one for a write.
constexpr int max_lone_connections = 64;
extern Connection *lone_connections[max_lone_connections];
extern int lone_count;

// The state of the current transaction's two-phase commit; two_phase.cpp.
bool needs_two_phase();
// True for a part that only locked rows: it commits after the router.
bool outlives_router(const Participant *);
// Raises an error where a shard cannot prepare transactions.
void require_two_phase(const Participant *);
// First phase: prepares the writers while the others commit, then writes the decision into the
// router's transaction. Raises errors: everything can still be undone.
void prepare_writers();
// How long shards may take to end what has been decided.
TimestampTz finish_deadline();
// Second phase, after the router's commit or rollback. Never raise errors.
void commit_prepared();
void rollback_prepared();

// Opens the connection to a shard that has nothing in doubt.
Connection *connect_to_shard(int32 shard_id);
// The same as open_shards(), leaving out those that do not answer; returns the others.
List *open_reachable_shards(const List *shards);
// Makes a shard take part in a transaction that keeps its first snapshot, whatever the router's.
Connection *join_with_snapshot(int32 shard_id);

// snapshot.cpp. Errors: 08006 where begin_block_snapshots() has not reached the shard.
void check_has_snapshot(int32 shard_id);
bool read_is_guarded();    // lone reads take their snapshot ahead of the statement
bool read_is_being_sent(); // between begin_read() and end_read()
// Ends the parts that shards have in a transaction for one statement's snapshot. Errors: those of
// rows that the statement has still to deliver, and which are stored now.
void end_statement_parts();
// Where a subtransaction aborts: the read that was being sent has failed.
void abandon_read();
void forget_snapshots();
void init_snapshots();

// Ends the transactions of participants that have only read, all of them; errors are those of rows
// that are still to be delivered.
void end_readers();

// Lets other statements follow those that were sent alone, whose rows are stored.
void end_lone_statements();

// moved_rows.cpp: before prepared parts commit by which rows go to other shards, waits for those
// who look for rows, and tells who waits for these or takes long. Until end_leaving_rows() nobody
// begins.
void await_finders(const struct GlobalId *gid);
// No statement looks for rows any more.
void forget_finding();

// Forgets all participants, at the end of the transaction.
void forget_participants();

// What run_in_transactions() has noted follows the router's nesting levels.
void end_level_of_commands(int level, bool committed);
void forget_commands();

// True where the client command that is running is certain to be its whole transaction.
bool is_whole_transaction();
// The same for one that reads, at any isolation level, also inside of COPY, EXPLAIN and the like.
bool reads_as_one_statement();

// Tells the session which keys its shard owns, where triggers there check it. To be called once the
// shard has joined.
void tell_owned_keys(Connection *connection, int32 shard_id);

} // namespace shardwise
