// Foreign keys that refer to rows which move to another shard. The shards see a row deleted and
// another one inserted; what a foreign key asks for ON UPDATE is done here.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "executor/tuptable.h"
#include "utils/rel.h"
}

namespace shardwise
{

// The foreign keys that refer to one table.
struct MovedReferences;

// Opens those of a table (of a partition, its own). Memory is taken from the current context.
MovedReferences *open_moved_references(Relation referenced);

// Lets the rows that refer to an updated one follow it, which may bring them to other shards.
// Between the insertion of the new row and the deletion of the old one. `leaving`: the places
// (tid[]) of rows on the old one's shard that are to be deleted as well; where the table refers to
// itself, they no longer count. Connected to SPI. Errors: 23503 where a foreign key does not let
// the row go.
void follow_moved_row(MovedReferences *references, TupleTableSlot *old_row, TupleTableSlot *new_row,
                      Datum leaving);

} // namespace shardwise
