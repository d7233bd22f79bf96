// The gate of a move: a lock that writers of its keys hold to the end of their transaction, and
// that the move takes alone for the moment of the swap. The router's first guard against a write to
// a shard that no longer owns the key; the second is the shard's fence (reshard/fence.hpp).
//
// A gate stands in the catalog (table gate) while its move may swap, and is part of the cached
// keyspace: without one, writers lock nothing. Whoever did not see the gate's row yet held a lock
// on the router's table before the row was committed, and the move waits for all of these.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

namespace shardwise
{

// Finds the owner of a key that the transaction is about to write or lock, 0 where there is none.
// Waits while a move swaps the key, and looks the owner up after that. The statement's lock on the
// router's table (at least ROW SHARE) must last to the end of the transaction. Errors: 40001 where
// the transaction's snapshots say otherwise (check_owner_for_write()).
int32 find_owner_for_write(int32 keyspace_id, const Datum *values);

// The same for a statement that writes keys it does not name (several shards, COPY, TRUNCATE): call
// it before the shards are chosen. The same errors.
void enter_all_gates(int32 keyspace_id);

// The move's side. Waits for transactions that hold a lock on a table of the keyspace taken before
// the last change of the catalog was committed: all locks, or those of writers alone. False when
// the deadline has passed.
bool wait_for_older_statements(const List *relations, bool writers_only, TimestampTz deadline);

// Takes the gate's lock alone, for the current transaction; false when the deadline has passed.
// *held_since gets the moment from which writers wait.
bool close_gate(int32 move_id, TimestampTz deadline, TimestampTz *held_since);

} // namespace shardwise
