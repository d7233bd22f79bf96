// WITH CHECK OPTION of views and row-level security, whose outcome the shard sends with each row.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"

#include "libpq-fe.h"

namespace shardwise
{

// Raises PostgreSQL's error if a new row failed a check of the route: 44000 for a view, 42501 for
// row-level security.
void verify_checks(const Route *route, const PGresult *result, int row);

} // namespace shardwise
