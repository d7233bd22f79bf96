// Values of a column that the router computes, row by row, for rows that the shards hold: where
// shards would come to different ones (a volatile expression over the copies of a reference table)
// or to wrong ones (a function of the user's own, which might read tables).
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

struct ComputedColumn {
    char *name; // of the column, quoted: it is on the shards, and empty
    char *type; // in SQL
    Node *expr; // over the table's columns as `rel` has them; yields that type
};

// The name in SQL of the type that holds a column's values while they are computed: that of the
// column, or what is under it if it is a domain, whose constraints do not hold for an empty column.
char *computed_type(Oid type, int32 typmod);

// True if an expression must be computed so.
bool must_be_computed(Node *expr, bool is_reference);

// Fills a column on all shards. `columns`: names, quoted, of the other columns of the shards'
// tables that have values, by which rows of the copies of a reference table are matched. Triggers
// do not fire. The caller has locked the table and its partitions. Errors: XX001 where the copies
// differ.
void fill_computed_column(Relation rel, bool is_reference, const List *columns,
                          const ComputedColumn *column);

} // namespace shardwise
