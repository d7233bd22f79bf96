// The triggers by which shards refuse rows whose key a BEFORE trigger has changed to one that is
// another shard's (catalog/key_check.hpp). Each of the user's triggers BEFORE INSERT or UPDATE FOR
// EACH ROW has one or two companions that fire AFTER these: their condition (WHEN) raises the
// error, so that no function is needed.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// What names of such triggers match, a regular expression.
constexpr const char *key_check_pattern = "^shardwise_(insert|update)_key_[0-9a-f]{32}$";

// The statements (char *) that create the companions of a trigger of a distributed table, or of all
// triggers that the table itself has (InvalidOid), on shards; notes in the catalog that there are.
List *key_check_sql(Oid relid, Oid trigger);

// Those that drop them, and that follow a new name of the trigger.
List *drop_key_check_sql(Oid relid, Oid trigger);
List *rename_key_check_sql(Oid relid, Oid trigger, const char *new_name);

} // namespace shardwise
