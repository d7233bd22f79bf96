// Which writes every shard can run for itself.
#pragma once

#include "pg/pg.hpp"
#include "routing/key_analysis.hpp"

namespace shardwise
{

// True if the shards can each run a write whose keys are on several shards, such that together they
// do what the statement asks for: rows of one key make the change, and the changed rows stay with
// their key. The query has been made ready to be sent.
bool write_is_colocated(Query *sent, const KeyAnalysis *analysis);

// True if all shards make the same of a write that changes reference tables alone. Nothing in it
// may depend on chance or on the order of rows.
bool copies_stay_alike(Query *sent, const KeyAnalysis *analysis);

// True if a write finds rows of a distributed table by their ctid, which each shard gives to rows
// of its own, and more than one shard may have them.
bool finds_by_ctid(Query *write);

// True if a subquery of a statement that takes rows to one shard asks for rows of other shards or
// of the router, or for a CTE that the statement does not have.
bool reads_elsewhere(Query *sent);

} // namespace shardwise
