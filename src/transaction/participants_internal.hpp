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
    int read_only_level; // the level whose READ ONLY the shard follows, 0: none
    bool management;     // part of a change that the router drives: may write beside others
    bool after_router;   // commits after the router
};

// The participants of the current transaction, in the order of joining.
extern Participant *participants;
extern int participant_count;

// The shards that got the one statement of an autocommit transaction, without BEGIN: several for a
// read, one for a write.
constexpr int max_lone_connections = 64;
extern Connection *lone_connections[max_lone_connections];
extern int lone_count;

// Forgets all participants, at the end of the transaction.
void forget_participants();

// True where the client command that is running is certain to be its whole transaction.
bool is_whole_transaction();

} // namespace shardwise
