// Decides what of a query a shard may evaluate, and takes out of it what the router must: values
// that are computed once (now(), nextval() of a default, current_user) and functions that exist on
// the router alone.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Params with this number and above stand for values that the router computes.
constexpr int router_param_base = 1 << 24;

// Params with this number up to shard_param_id stand for columns of rows that a statement takes
// (batch_statement.hpp), as arrays.
constexpr int batch_param_base = 1 << 22;

struct Shipping {
    List *router_values; // Expr *, in the order of their Params' numbers
    List *functions;     // Oid: functions outside pg_catalog that the shard is to call
    char *refusal;       // why the query cannot be evaluated on a shard; nullptr if it can
};

// Rewrites the query in place. Only the first refusal is kept.
void ship_query(Query *query, Shipping *shipping);

// True if an expression of `query`'s target list can be evaluated on a shard.
bool expression_ships(Query *query, Node *expr);

// True if an expression needs no row of a shard, and names or reads the router's catalogs.
bool is_routers_value(Query *query, Node *expr);

} // namespace shardwise
