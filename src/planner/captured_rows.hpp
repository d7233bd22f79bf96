// Rows that INSERT ... ON CONFLICT proposes, as BEFORE INSERT triggers leave them. Of one that
// another row is in the way of, the statement tells nothing, but the WHERE clause of DO UPDATE sees
// it: there the row is noted in a setting of the statement's own. Those of DO NOTHING the router
// knows, as it fires the triggers (ProposePlan).
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

// Makes ON CONFLICT DO UPDATE of a statement for the shards note the rows that it meets, and update
// none.
void capture_proposed(Query *insert);

// The statement that runs such an INSERT and shows the rows that went in, then those that it has
// noted. Of the `n` columns that INSERT returns the last is true, and false of the latter; those
// before it are all of the table's. What else there is the latter do not have.
char *select_captured(const Query *insert, const char *sql, int n);

} // namespace shardwise
