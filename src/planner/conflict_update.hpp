// ON CONFLICT DO NOTHING as DO UPDATE whose WHERE clause sees the proposed row, as triggers have
// left it, and lets no row be updated. So what must hold of a row that goes nowhere can be asked.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Rewrites an INSERT ... ON CONFLICT DO NOTHING in place; DO NOTHING stays where no index can be in
// the way. A row of the same statement must not be in the way of another one: PostgreSQL would call
// that a second change (21000). Returns why it is not possible, or nullptr.
char *make_conflict_update(Query *query);

// The indexes (Oid) that have to be named one after the other for that, until the one is found over
// which a row is in conflict: DO NOTHING without a target means all. NIL where one will do.
List *find_indexes_to_try(Query *query);

// True for ON CONFLICT DO NOTHING, and for DO UPDATE.
bool does_nothing(const Query *query);
bool does_update(const Query *query);

// Names an index as the target of ON CONFLICT.
void name_conflict_index(Query *query, Oid index);

// Lets ON CONFLICT, whose entry of EXCLUDED is there, lock the row that is in the way and update
// none. Returns why that is not possible, or nullptr.
char *update_nothing(Query *query, Relation relation);

} // namespace shardwise
