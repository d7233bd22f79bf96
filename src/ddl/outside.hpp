// Commands that cannot run in a transaction block, on all shards at once, each in a session of its
// own.
#pragma once

#include "catalog/catalog.hpp"
#include "pg/pg.hpp"
#include "remote/session.hpp"

namespace shardwise
{

// Opens a session of the current user's on a shard and sends it a command, which no timeout of the
// shard's own ends. Does not wait for the answer. nullptr, and what happened, where that fails.
Session *start_outside_transaction(const Shard *shard, const char *sql, char **error);

struct ShardOutcome {
    char *shard;
    bool ok;
    char *error;
    char *sqlstate;
    char *answer; // the first column of the first row; nullptr: NULL, or none
};

// Runs a command on every shard and waits for all. Returns a list of ShardOutcome.
List *run_outside_transaction(const char *sql);

// The same with a command (char *) for each of some shards.
List *run_outside_transaction(const List *shard_ids, const List *commands);

// Raises an error that names the shards where a command failed; nothing if there are none. SQLSTATE
// is the first failure's. `hint`: how to repair.
void require_outcomes(const List *outcomes, const char *command, const char *hint);

} // namespace shardwise
