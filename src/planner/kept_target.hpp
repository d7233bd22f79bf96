// Writes of a table that another part of the same statement writes, too (WITH). Which rows they
// change, and with which values, is told by the rows as they were before: these are read first,
// with their places. What another part has changed meanwhile is no longer at its place, and stays
// as that part has left it, as PostgreSQL changes a row once in a statement.
#pragma once

#include "pg/pg.hpp"
#include "planner/numbered_rows.hpp"
#include "planner/route_planner.hpp"

namespace shardwise
{

// Conditions of WHERE on a table alone, entry `varno`, as conditions on entry 1: they hold for its
// rows, wherever they are asked.
List *conditions_on(const Query *query, int varno);

// Makes a SELECT that locks the rows of an UPDATE's, DELETE's or MERGE's target which let these
// through, with all their columns and places, and makes the write refer to its columns. nullptr and
// the reason if that is not possible.
Query *select_target(Query *write, Refusal *refusal);

// Such a SELECT of a reference table without a key is one of number_rows_of(): which of its columns
// lead to the copies.
bool leads_to_copies(const Query *rows);
CopyColumns copy_columns_of(Relation relation, const Query *rows);

// Lets the plan of such a SELECT find the copies.
void find_kept_copies(PlannedStmt *plan, Oid relid, const Query *rows);

// Puts the rows that were kept of this SELECT in the target's place.
void keep_target(Query *write, Query *rows);

// The rows that were kept; nullptr if the target's own are to be found.
Query *find_kept_target(const Query *write);

} // namespace shardwise
