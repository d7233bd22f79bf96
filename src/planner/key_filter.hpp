// Joins off the key where one side is small: its keys go to the shards, and only rows of the other
// side that have one of them come back (a semi-join reduction; Bernstein and Chiu, "Using
// Semi-Joins to Solve Relational Queries", 1981). Which rows those are changes nothing about the
// join, which PostgreSQL does as a hash join.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// The plan node that hands on the rows of the small side and collects their keys. Its only
// expression is the key; custom_private holds an IntList (the executor's parameter that leads to
// it) and an OidList (equality function, hash function, collation, type that keys are sent as).
constexpr const char *key_source_name = "shardwise keys";

// No more keys than that are sent; the other side is read whole then.
constexpr int max_sent_keys = 100000;

// Installs the planner's join hook and defines shardwise.join_reduction. From init_pull().
void init_key_filters();

} // namespace shardwise
