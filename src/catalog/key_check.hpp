// How a shard finds out that a row's key is not its own, after triggers there may have changed it.
// The router tells each session of a shard, by a setting, which keys of a keyspace the shard owns;
// a trigger there (ddl/key_check_triggers.hpp) compares. A session that was told nothing, as that
// of a move, checks nothing.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

namespace shardwise
{

// Lists the keyspaces with tables whose triggers may change a key (Keyspace::checks_keys), by their
// numbers. Cached.
int list_checked_keyspaces(const int32 **keyspaces);

// The name of the setting that says which keys of a keyspace the session's shard owns.
char *owned_keys_setting(int32 keyspace_id);

// What it says of a shard.
char *owned_keys_value(const Keyspace *keyspace, int32 shard_id);

// Builds the condition, over one SQL expression a key column, that is true of a key which the
// session's shard does not own, and NULL where the session does not know. It means what it says
// under search_path = pg_catalog. With strategy range it looks at the first three columns: keys
// that differ from a bound in others alone are taken for the shard's.
char *foreign_key_condition(const Keyspace *keyspace, const char *const *column_sqls);

} // namespace shardwise
