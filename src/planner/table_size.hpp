// How large tables are on their shards, and what queries over them may yield.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

namespace shardwise
{

struct TableSize {
    double rows;
    BlockNumber pages;
};

// What ANALYZE found on the shards; without, some size is assumed.
TableSize known_size(const Table *table);

// The column's row of pg_statistic, from the syscache; nullptr if there is none.
HeapTuple find_statistics(Oid relid, AttrNumber column);

// How many values the column has, as ANALYZE found on the shards; 0 if that is not known.
double distinct_values(Oid relid, AttrNumber column);

// A rough guess at the number of rows that all shards together return for a query.
double expected_rows(const Query *query);

// True for a query of one table by a column whose values few rows share, as ANALYZE found.
bool is_selective_lookup(const Query *query);

// The same, where hardly two rows share a value.
bool is_rare_value_lookup(const Query *query);

// Whether a query yields but a few rows: LIMIT, aggregates of all rows, a selective lookup.
bool yields_few_rows(const Query *query);

} // namespace shardwise
