// Numbers the parameters of a statement that goes to a shard: 1 to n without holes, each with the
// expression that gives its value on the router.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

struct ShardParameters {
    List *router_values; // in: what Params from router_param_base on stand for
    List *ids;           // out: the Param number in the router's query, one a parameter
    List *sources;       // out: Expr *, its value
    List *types;         // out: Oid, as declared to the shard
};

// Replaces the Params of `query` by the shard's numbers, in place.
void number_parameters(Query *query, ShardParameters *parameters);

// The shard's number (from 0) of the parameter that an expression is; -1 if it is none.
int find_parameter(const ShardParameters *parameters, const Expr *expr);

} // namespace shardwise
