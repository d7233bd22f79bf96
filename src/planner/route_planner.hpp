// Plans a query that one shard answers whole.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"
#include "planner/shipping.hpp"
#include "routing/key_analysis.hpp"

namespace shardwise
{

// Why a query cannot be routed, in the words of an error's DETAIL; nullptr if it can.
using Refusal = char *;

// Makes the plan of a normalized query (see normalize.hpp): a PlannedStmt whose only node is a
// route scan. Its expressions still hold the Params that stand for constants. The query is not
// changed. Returns nullptr and the reason if no single shard can answer it.
PlannedStmt *plan_route(Query *query, Refusal *refusal);

// For a plan that locks rows on shards: names the command in PostgreSQL's error messages.
List *name_row_marks(Query *query);

// The range table entries of all relations in a query, at any depth, as the executor wants them for
// its check of privileges.
List *flatten_relations(Query *query);

// Turns a query that is ready to be sent into a route: numbers its parameters, notes its keys,
// deparses it. *values receives the expressions of the plan node's custom_exprs. The caller sets
// what depends on the tier.
Route *compile_route(Query *sent, const Shipping &shipping, const KeyAnalysis &analysis,
                     List **values);

// Notes in the route of a query that only reads how many rows it yields.
void foresee_rows(Route *route, const Query *query);

} // namespace shardwise
