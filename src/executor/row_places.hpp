// Places of rows on the shards, by which a statement knows again what it has changed.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace shardwise
{

// Of a row that a statement has found: shard, table there, tuple.
struct RowPlace {
    uint32 shard;
    uint32 table;
    uint32 block;
    uint32 offset;
};

// Reads the place of a row of a plan whose first `n` columns tell it: shard, ctid and, of a
// partitioned table, the partition's Oid there.
RowPlace place_of(const TupleTableSlot *row, int n);

// A set of places.
struct RowPlaces;
RowPlaces *make_row_places(MemoryContext context);

// False if the place is there already.
bool add_place(RowPlaces *places, RowPlace place);
bool has_place(const RowPlaces *places, RowPlace place);

// Divides packed places (a tid[], core/packed_place.hpp) among the shards whose rows have them, of
// those listed: returns these (one in any case), and in *parts, in their order, arrays of the ctids
// there.
List *divide_places(const List *shards, Datum packed, Datum **parts);

} // namespace shardwise
