// The shards that take part in the current transaction: opens, nests, commits and rolls back their
// transactions together with the router's. Savepoints, isolation level and READ ONLY follow.
#pragma once

#include "pg/pg.hpp"
#include "remote/connection.hpp"

namespace shardwise
{

enum class Access {
    PureRead, // a statement that reads and leaves nothing behind: under READ COMMITTED it needs no
              // transaction on the shard
    Read,
    ReadPlaces, // reads rows that are looked for at their places later: those are not used again
    Lock, // reads that lock rows: the shard's transaction must be kept until the router's ends
    Write
};

// Makes a shard take part in the current transaction and returns its connection. BEGIN (with the
// transaction's isolation level and modes), the savepoints of the current nesting level and the
// session settings that the shard must share are queued, to travel with the next statement.
//
// `alone`: the caller sends exactly one statement for the current client command, a write to one
// shard, a read to each of several. Where that command is certain to be the whole transaction
// (autocommit), no BEGIN is sent at all; nor is it for Access::PureRead under READ COMMITTED, until
// the transaction has used shards otherwise.
//
// Errors: 25006 for a write in a READ ONLY transaction; 55000 for a write on a second shard where
// one of them has no prepared transactions; 08xxx when the shard does not answer, or was lost
// earlier in this transaction.
Connection *join_shard(int32 shard_id, Access access, bool alone);

// Takes back that a statement which was sent to a shard with Access::Write would write there: it
// has ended and changed nothing. A shard that nothing has written commits as those that were read.
void take_back_write(int32 shard_id);

// Opens the connections to several shards (their numbers) at the same time, before they are joined
// one after the other. Errors: 08xxx.
void open_shards(const List *shards);

// The same for shards that will write: learns ahead what joining the second one asks of the first,
// which could not answer before its statement has ended.
void open_shards_for_write(const List *shards);

// Makes a shard take part in a router-driven change of many shards (distribute_table and the
// like). Its part commits by two-phase commit even where no other shard takes part, so that it
// never commits without the router. `may_be_read_only`: the transaction, as what it does is allowed
// in one (REINDEX, say), or refused by PostgreSQL. Errors: 25006, 55000 where the shard has no
// prepared transactions.
Connection *join_shard_for_management(int32 shard_id, bool may_be_read_only = false);

// Runs a command that changes the state of a transaction, like SET CONSTRAINTS, on the shards that
// take part, and on each that joins later, as if it had been there. It ends with the savepoint that
// is rolled back.
void run_in_transactions(const char *sql);

// True if the transaction has run such a command.
bool has_run_in_transactions();

// Registers the transaction callbacks. From _PG_init.
void init_transaction();

} // namespace shardwise
