// What ON CONFLICT does with the row that is in the way.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// True for ON CONFLICT DO NOTHING, and for DO UPDATE.
bool does_nothing(const Query *query);
bool does_update(const Query *query);

// Lets ON CONFLICT DO UPDATE lock the row that is in the way and update none. Returns why that is
// not possible, or nullptr.
char *update_nothing(Query *query, Relation relation);

} // namespace shardwise
