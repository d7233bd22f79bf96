// Changes of shard maps by moves. A map change is one row change for each range, so that it is over
// in a few milliseconds while writers wait: the map is cut at the move's bounds beforehand, and
// neighbours are joined again long afterwards. Each function takes the keyspace's map lock until
// the end of the transaction and announces its change.
#pragma once

#include "pg/pg.hpp"
#include "catalog/moves.hpp"

namespace shardwise
{

// True if a shard owns all that a move takes, as the map is now, and the pins inside of it are
// those that the plan knew.
bool owns_ranges(const Move *move, int32 shard);

// Cuts map entries at the bounds of a move's ranges; owners stay. Does nothing where they are cut.
void cut_map_for_move(const Move *move);

// Gives the move's ranges, keys and pins from one shard to the other: `to` is the target for the
// swap, the source for a rollback. A pin whose key is in a range that `to` owns is dropped, any
// other pin is written. Cuts first where that was not done. Errors, with nothing changed: 55000 if
// `from` no longer owns all of it.
void give_ranges(const Move *move, int32 from, int32 to);

// Joins neighbours of the same owner. Hash strategies only: the splits of strategy range are the
// user's.
void join_map_neighbours(int32 keyspace_id);

} // namespace shardwise
