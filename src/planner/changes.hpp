// Brings changes into the form in which they can be sent: every inserted row, or the SELECT,
// carries all columns that the rewriter has added (defaults), in the order of the target list;
// targets of UPDATE and DELETE become fit for the deparser.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Rewrites the query, CTEs included, in place.
void prepare_changes(Query *query);

} // namespace shardwise
