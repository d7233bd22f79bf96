// Equalities between columns of a query, and where they come from: the raw material of the key
// analysis.
#pragma once

#include "pg/pg.hpp"
#include "routing/terms.hpp"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace shardwise
{

// The rows of `to` that matter have the value of `from`.
struct Edge {
    Term from;
    Term to;
};

// A disjunction that every row of its query level satisfies.
struct Disjunction {
    Query *query;
    BoolExpr *clause;
};

// A distributed or reference table in some FROM clause (or the target of a write).
struct Occurrence {
    Query *query;
    int varno;
};

struct Equalities {
    List *edges;        // Edge *
    List *seeds;        // Seed *
    List *bounds;       // Bound * (bounds.hpp)
    List *disjunctions; // Disjunction *
    List *occurrences;  // Occurrence *
    List *inserts;      // Query *: INSERTs
};

// Walks a query with all its subqueries, CTEs and sublinks.
Equalities collect_equalities(Query *query);

// The entries of the query's range table whose columns an outer join can make NULL.
Relids nullable_relations(Query *query);

} // namespace shardwise
