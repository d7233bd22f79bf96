// Columns, values, and the conditions that compare them.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// A column of a range table entry of one query level.
struct Term {
    Query *query;
    int varno;
    AttrNumber attno;
};

// The rows of `term` that matter have the value of `expr`, or one of its elements.
struct Seed {
    Term term;
    Expr *expr;
    bool is_array;
};

bool terms_equal(const Term &a, const Term &b);

// A value that can be computed before the query runs, and only needs to be computed once.
bool is_known_value(Node *expr);

// Takes off casts that do not change a value.
Node *strip_casts(Node *node);

// Strips casts that do not change a value, and aliases of joins, and returns the column; false if
// the expression is none. `parents` lists the enclosing queries, innermost first.
bool find_term(Node *expr, Query *query, List *parents, Term *term);

// A clause `column = value` or `column = ANY (array)`: finds its parts.
bool match_seed(Node *clause, Query *query, List *parents, Seed *seed);

// Splits `a = b`. (IS NOT DISTINCT FROM is true of two NULLs, which are no keys.)
bool match_equality(Node *clause, Node **left, Node **right);

} // namespace shardwise
