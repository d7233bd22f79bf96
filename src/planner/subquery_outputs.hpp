// The output columns of subqueries in FROM: those that nobody reads, and those that scatter wants.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Is the entry of the range table used as a row, whose columns then must stay what they are?
bool reads_whole_row(Query *query, int varno);

// Replaces what nobody reads of subqueries' output by NULL, at all levels: PostgreSQL would not
// compute it either, and a shard that did might raise an error.
void drop_unused_outputs(Query *query);

// Adds the shard key to the output of subqueries in FROM whose rows have one, so that the query
// around them can be seen to be colocated. Its own output stays what it is. Returns true if any
// column was added.
bool expose_keys(Query *query);

} // namespace shardwise
