// Which distributed or reference table a utility command would change.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Finds a distributed or reference table whose rows or structure on the shards the command
// concerns; InvalidOid where running it on the router alone is right.
Oid find_utility_target(Node *statement);

// Finds a distributed table that a new foreign key of a local table refers to; InvalidOid if none.
Oid find_referenced_table(Node *statement);

} // namespace shardwise
