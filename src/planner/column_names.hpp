// Names for columns that shards compute and nobody named, as EXPLAIN shows them in keys of sorts,
// groups and merges.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// The name of a column, or the text of the expression of `query` that makes it.
char *describe_column(Query *query, const TargetEntry *entry);

} // namespace shardwise
