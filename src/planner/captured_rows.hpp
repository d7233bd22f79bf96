// Rows that INSERT ... ON CONFLICT DO UPDATE proposes, as BEFORE INSERT triggers leave them. Of one
// that another row is in the way of, the statement tells nothing, but its WHERE clause sees it:
// there the row is noted in a setting of the statement's own.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Makes ON CONFLICT note the rows that it meets, and update none.
void capture_proposed(Query *insert);

// The statement that runs such an INSERT and shows the rows that went in, then those that it has
// noted. Of the `n` columns that INSERT returns the last is true, and false of the latter; those
// before it are all of the table's. What else there is the latter do not have.
char *select_captured(const Query *insert, const char *sql, int n);

} // namespace shardwise
