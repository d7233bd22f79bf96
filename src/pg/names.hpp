// Names of objects as SQL text.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// The qualified, quoted name of a table, index or sequence.
char *qualified_table_name(Oid relid);

// The partitioned table that a partition belongs to at the top; other tables as they are.
Oid topmost_table(Oid relid);

} // namespace shardwise
