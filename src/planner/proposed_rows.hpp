// Rows that INSERT ... ON CONFLICT proposes, as BEFORE INSERT triggers leave them: the router fires
// these (ProposePlan), so that it knows the rows which do not go in as well.
#pragma once

#include "pg/pg.hpp"
#include "planner/late_checks.hpp"

namespace shardwise
{

// Makes the user's INSERT return all rows that it proposes: behind what it returns so far, which
// the rows that it meets do not have, all columns, and whether the row went in.
void return_proposed(Query *insert);

// The columns of those rows (TargetEntry, numbered as in the table) over entry `varno`; whether one
// went in, over entry 1.
List *proposed_columns(const Query *insert, int varno);
Expr *was_inserted(const Query *insert);

// True if a policy on what is proposed has a subquery over rows that the shard lacks.
bool asks_shards_of_proposed(const Query *insert);

// Takes over the policies on what is proposed, if it is so. nullptr, or why that is not possible.
Refusal take_proposed_checks(Query *insert, LateChecks *late);

} // namespace shardwise
