// Variance, covariance, correlation and regression in floating point, in two steps: the shards send
// PostgreSQL's own transition states (count, sums, sums of squared deviations), which the router
// merges as PostgreSQL merges those of parallel workers (Youngs and Cramer, 1971).
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// True for variance(float8), stddev_pop(float4), corr, regr_slope and all their like.
bool is_float_statistic(const Aggref *aggregate);

// What a shard computes: the state over its rows, float8[].
Expr *make_float_state(const Aggref *aggregate);

// The aggregate's value from the shards' states.
Expr *finish_float_statistic(const Aggref *aggregate, Var *state);

} // namespace shardwise
