// Brings INSERTs into the form in which they can be sent: every row, or the SELECT, carries all
// columns that the rewriter has added (defaults), in the order of the target list.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Rewrites the INSERTs in `query`, CTEs included, in place. Targets of UPDATE and DELETE become
// fit for the deparser as well.
void prepare_changes(Query *query);

} // namespace shardwise
