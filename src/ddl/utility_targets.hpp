// Which distributed or reference table a utility command would change.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Finds a distributed or reference table whose rows or structure on the shards the command
// concerns; InvalidOid where running it on the router alone is right.
Oid find_utility_target(Node *statement);

} // namespace shardwise
