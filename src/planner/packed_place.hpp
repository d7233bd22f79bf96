// Places of rows over all shards as values of type tid (core/packed_place.hpp), in plans on the
// router and in statements for the shards.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// The place of a row of a marked entry: shardwise.pack_place(its shard, its ctid).
Expr *make_packed_place(const Var *ctid);

// The ctid on its shard of a place that comes from below: shardwise.unpack_place(place).
Expr *make_unpacked_place(Expr *place);

// True for what make_packed_place() makes.
bool is_packed_place(const Node *node);

// The ctid in it.
Var *ctid_of_place(const Node *place);

// The same place, or a comparison of two, for the shard that runs the statement; nullptr for other
// nodes.
Node *translate_place(const Node *node);

// ctid = the shard's own part of a place: by that a shard finds the row without looking at others.
Node *is_at_own_part(const Var *ctid, Expr *place);

} // namespace shardwise
