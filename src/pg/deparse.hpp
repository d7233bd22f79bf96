// Query trees to SQL text, with every name schema-qualified.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Deparses a query into SQL that means the same under any search_path. Params print as $n. The
// text is palloc'd in the current context. Output columns and aliases may be renamed in
// the tree.
char *deparse_query(Query *query);

} // namespace shardwise
