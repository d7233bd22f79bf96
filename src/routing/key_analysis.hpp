// Finds the keys that a query touches: which values of the shard key the rows of every distributed
// table must have to matter to the query's answer.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"
#include "routing/bounds.hpp"

namespace shardwise
{

// One key or range of keys, as expressions without Vars; evaluated when the query runs. A NULL
// value means that no row can match.
struct KeyExpression {
    const Keyspace *keyspace;
    Expr *values[max_key_columns];
    bool is_array[max_key_columns]; // = ANY (array): each element in turn
    bool is_range;                  // then, in place of values:
    KeyBounds bounds;
};

struct KeyAnalysis {
    List *keys;               // KeyExpression *, without duplicates
    const Keyspace *keyspace; // of the distributed tables met; nullptr if there is none
    bool changes_reference;   // a reference table is to be written
    char *unpinned;           // why some table is not restricted to known keys; nullptr if all are
    bool is_unbounded; // some table's rows can have any key; otherwise `keys` covers all of them
    char *changes_key; // how the statement could move a row to another key; nullptr if it cannot
};

// Analyses a rewritten query whose INSERTs carry all columns in their target lists. Local tables
// are not considered.
KeyAnalysis analyze_keys(Query *query);

// True unless several keys, whose values decide, can be meant.
bool has_one_key(const KeyAnalysis *analysis);

} // namespace shardwise
