// Cuts queries in two: what every shard computes for itself, and what the router makes of the
// shards' rows.
#pragma once

#include "pg/pg.hpp"
#include "routing/colocation.hpp"

namespace shardwise
{

// Rewrites a SELECT, or those inside the query, in place, such that as much as possible is computed
// on the shards. What cannot be cut stays: its tables are then scanned one by one.
void scatter_query(Query *query);

// Makes the entry for the rows of a query that every shard runs, of whose target list the first
// `ncolumns` become columns; nullptr if it cannot be sent. `is_ordered`: all sort them alike.
RangeTblEntry *send_query(Query *remote, int ncolumns, bool is_ordered);

// True if every shard can answer a SELECT for itself: the shards' rows together are the answer. An
// order is lost, and a LIMIT must not be there. *colocation tells which columns hold the key.
bool shards_answer_alone(Query *query, Colocation *colocation);

} // namespace shardwise
