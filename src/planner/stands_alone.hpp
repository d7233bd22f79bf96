// Whether a query can be cut into shards' parts without a look at what is around it.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// True for a SELECT of distributed and reference tables that refers to no query around it and has
// nothing that must be evaluated once for all shards.
bool stands_alone(Query *query);

} // namespace shardwise
