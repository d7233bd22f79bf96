// Equalities between columns of a query, and where they come from: the raw material of the key
// analysis.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace shardwise
{

// A column of a range table entry of one query level.
struct Term {
    Query *query;
    int varno;
    AttrNumber attno;
};

// The rows of `to` that matter have the value of `from`.
struct Edge {
    Term from;
    Term to;
};

// The rows of `term` that matter have the value of `expr`, or one of its elements.
struct Seed {
    Term term;
    Expr *expr;
    bool is_array;
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
    List *disjunctions; // Disjunction *
    List *occurrences;  // Occurrence *
    List *inserts;      // Query *: INSERTs
};

bool terms_equal(const Term &a, const Term &b);

// Walks a query with all its subqueries, CTEs and sublinks.
Equalities collect_equalities(Query *query);

// The entries of the query's range table whose columns an outer join can make NULL.
Relids nullable_relations(Query *query);

// A value that can be computed before the query runs, and only needs to be computed once.
bool is_known_value(Node *expr);

// Takes off casts that do not change a value.
Node *strip_casts(Node *node);

// Strips casts that do not change a value, and aliases of joins, and returns the column; false if
// the expression is none. `parents` lists the enclosing queries, innermost first.
bool find_term(Node *expr, Query *query, List *parents, Term *term);

// A clause `column = value` or `column = ANY (array)`: finds its parts.
bool match_seed(Node *clause, Query *query, List *parents, Seed *seed);

} // namespace shardwise
