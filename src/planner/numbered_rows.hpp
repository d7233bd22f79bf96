// Rows of reference tables without a key. The copies of such a row are found by its text and its
// number among rows of the same text, which are as good as each other: before the first row is
// written, a node on top of the plan that finds them asks every shard where it has them. From then
// on they are told by their places, as rows of distributed tables are.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

constexpr const char *copies_name = "shardwise copies";

// Columns (from 0) of a plan whose rows are, or lead to, those of the table.
struct CopyColumns {
    int shard, place, table; // of the copy that was read; a row without place is none. table -1:
                             // the table is not partitioned
    int text, number;
    int places, tables; // NULL so far; becomes where each shard has the row (tid[], oid[]), in the
                        // order of list_all_shards()
};

// The columns of a key that finds each row: the primary key, or another one without NULLs. nullptr:
// there is none.
Bitmapset *find_row_key(Relation relation);

// Puts a query above a SELECT of the rows of a table (entry 1), which has four columns more: text,
// number, and those that the node fills. `place` is the number (from 1) of the column with a row's
// ctid.
Query *number_rows_of(Query *rows, Relation relation, int place);

// Puts the node on top of a plan.
void put_copies_above(PlannedStmt *plan, Oid relid, const CopyColumns &columns);

// Reads them from the node's custom_private, which has the table's Oid, the statement for the
// shards, and these.
CopyColumns read_copy_columns(const List *numbers);

} // namespace shardwise
