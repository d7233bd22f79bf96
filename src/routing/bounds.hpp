// Comparisons of columns with values: what prunes the shards of strategies range and list.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"
#include "routing/equality.hpp"

namespace shardwise
{

// The rows of `terms`, columns of one table, that matter are not below (above) the values, compared
// column by column.
struct Bound {
    int n;
    Term terms[max_key_columns];
    Expr *exprs[max_key_columns];
    Oid collations[max_key_columns]; // of the comparison
    bool is_lower;
    bool is_inclusive;
};

// A clause `column < value`, `value >= column`, (a, b) < (x, y), ...: finds its parts.
bool match_bound(Node *clause, Query *query, List *parents, Bound *bound);

// Carries bounds along the edges, from columns to equal columns.
List *propagate_bounds(const Equalities &equalities, List *bounds);

// Finds the tightest bounds on the leading key columns of a table. `prefix` holds the first
// `nprefix` columns' values, which are known. Returns false if nothing restricts the key.
struct KeyBounds {
    int nlower;
    Expr *lower[max_key_columns];
    int nupper;
    Expr *upper[max_key_columns];
    bool lower_is_inclusive;
    bool upper_is_inclusive;
    bool ends_in_array; // the last value, of both bounds, is an array: each element in turn
};
bool find_key_bounds(List *bounds, const Occurrence &occurrence, const Table *table, int nprefix,
                     Expr *const *prefix, KeyBounds *found);

} // namespace shardwise
