// Names of objects as SQL text.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// The qualified, quoted name of a table, index or sequence. Errors: 42P01 where it has been
// dropped.
char *qualified_table_name(Oid relid);

// The partitioned table that a partition belongs to at the top; other tables as they are.
Oid topmost_table(Oid relid);

// Has every name of an object outside of pg_catalog written with its schema, and nothing found by
// a bare name but what is in pg_catalog, until end_catalog_path() takes what this returned. An
// error in between needs no care: the end of the transaction resets it.
int begin_catalog_path();
void end_catalog_path(int path);

} // namespace shardwise
