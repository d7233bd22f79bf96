// Brings changes into the form in which they can be sent: every inserted row, or the SELECT,
// carries all columns that the rewriter has added (defaults), in the order of the target list;
// targets of UPDATE and DELETE become fit for the deparser.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Rewrites the query, CTEs included, in place.
void prepare_changes(Query *query);

// Puts a SELECT in the place of what feeds an INSERT, or adds it where nothing does. Returns the
// number of its entry in the range table.
int replace_insert_source(Query *insert, Query *select);

// Rules make INSERTs whose rows come from several entries, or under a condition. Puts a SELECT of
// these in their place, so that an INSERT has one source, as users write it.
void gather_insert_source(Query *insert);

// Makes the columns of an entry, in their order, the values of an INSERT.
void point_targets_at(Query *insert, int source);

// The generated columns of a row whose other columns are given (TargetEntry, by attribute).
// `target`: the table's entry in the range table.
List *generated_columns(Relation relation, RangeTblEntry *target, List *row);

// The new row's columns, generated ones included, as expressions over what feeds the INSERT,
// `source`, which becomes entry 1.
List *columns_of_new_row(Query *insert, Relation relation, int source);

} // namespace shardwise
