// FOR UPDATE on the nullable side of an outer join, which PostgreSQL's planner refuses when it sees
// the clause: queries over shards reach it without.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Raises PostgreSQL's error (0A000) if a locking clause of this level concerns rows that an outer
// join may replace by NULLs. Joins that conditions make inner ones do not count.
void check_nullable_locks(const Query *query);

} // namespace shardwise
