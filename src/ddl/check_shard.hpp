// What a database must be like to become a shard.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"
#include "remote/session.hpp"

namespace shardwise
{

struct ShardCheck {
    const char *name;
    bool ok;
    bool required; // add_shard() refuses when it fails; the others only warn
    char *detail;  // what was found and, where it failed, what to change
};

// Compares a database with this router. Never fails: what cannot be checked is a failed check.
// Returns a list of ShardCheck.
List *check_shard(const ConnectionOptions &options);

// Raises an error that lists the failed required checks, and a warning for each failed other one.
void require_checks(const char *shard_name, const List *checks);

// Errors unless the current user may administer shards: USAGE on the foreign data wrapper.
void require_shard_administrator();

// Errors unless the shard has a foreign server and the current user owns it: whoever may run
// commands there can read and write everything.
void require_usable_server(const Shard *shard);

} // namespace shardwise
