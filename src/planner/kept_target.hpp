// Writes of a table that another part of the same statement writes, too (WITH). Which rows they
// change, and with which values, is told by the rows as they were before: these are read first,
// with their places. What another part has changed meanwhile is no longer at its place, and stays
// as that part has left it, as PostgreSQL changes a row once in a statement.
#pragma once

#include "pg/pg.hpp"
#include "planner/route_planner.hpp"

namespace shardwise
{

// Makes a SELECT that locks the rows of an UPDATE's, DELETE's or MERGE's target which let
// `conditions` through (on the target as entry 1), with all their columns and places, and makes the
// write refer to its columns. nullptr and the reason if that is not possible.
Query *select_target(Query *write, List *conditions, Refusal *refusal);

// The same of a reference table without a key that finds its rows: each row has its text and its
// number among equal ones in two columns more.
Query *select_numbered_target(Query *write, Refusal *refusal);

// Puts the rows that were kept of this SELECT in the target's place.
void keep_target(Query *write, Query *rows);

// The rows that were kept; nullptr if the target's own are to be found.
Query *find_kept_target(const Query *write);

} // namespace shardwise
