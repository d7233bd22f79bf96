// Can a query be evaluated on every shard for itself, so that the shards' rows together are the
// answer?
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"
#include "routing/equality.hpp"

namespace shardwise
{

// Columns of one query level that hold the shard key of everything that matters to a row: each row
// of the level is made of rows of one key, and those of other keys do not change it.
struct Colocation {
    bool found;
    const Keyspace *keyspace;
    Term key[max_key_columns];
    Equalities equalities;
};

// Finds such columns for the FROM and WHERE clauses of `query`. Subqueries, sublinks and CTEs
// inside are considered; reference tables are everywhere; local tables must not occur.
Colocation find_colocation(Query *query);

// True if an expression over `query`'s FROM clause is the key's column number `column`.
bool shows_key(const Colocation *colocation, Query *query, Node *expr, int column);

// True if a list of SortGroupClauses over `query`'s target list contains the whole shard key, so
// that no group spans two shards.
bool contains_key(const Colocation *colocation, Query *query, List *clauses);

} // namespace shardwise
