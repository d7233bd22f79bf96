// The plan node that asks every shard where it has rows of a reference table without a key.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Registers the node's methods.
void init_copies_scan();

} // namespace shardwise
