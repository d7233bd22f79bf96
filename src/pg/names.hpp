// Names of objects as SQL text.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// The qualified, quoted name of a table, index or sequence.
char *qualified_table_name(Oid relid);

} // namespace shardwise
