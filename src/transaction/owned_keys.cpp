// Telling a shard's session which keys it owns, before it writes: its triggers check that (see
// catalog/key_check.hpp).
#include "transaction/participants_internal.hpp"

#include "catalog/key_check.hpp"

namespace shardwise
{

void tell_owned_keys(Connection *connection, int32 shard_id)
{
    const int32 *keyspaces;
    int n = list_checked_keyspaces(&keyspaces);
    for (int i = 0; i < n; i++) {
        const Keyspace *keyspace = find_keyspace(keyspaces[i]);
        char *name = owned_keys_setting(keyspace->id);
        if (!is_told(connection, name, keyspace->serial)) {
            char *value = owned_keys_value(keyspace, shard_id);
            tell_setting(connection, name, keyspace->serial, value);
            pfree(value);
        }
        pfree(name);
    }
}

} // namespace shardwise
