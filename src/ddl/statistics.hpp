// Statistics of distributed and reference tables on the router, for its planner.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Takes the numbers of rows and pages of a table and its partitions from the shards' catalogs. With
// `analyze`, also the distribution of values, by PostgreSQL's own functions over a sample of all
// shards' rows. The shards' own statistics must be fresh. Locks as ANALYZE does. From then on they
// follow what the shards' autovacuum finds.
void gather_statistics(Oid relid, bool analyze);

} // namespace shardwise
