// Pieces of query trees.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Joins conditions by AND; nullptr for none.
Node *make_conjunction(List *clauses);

// Constants.
Expr *make_int4(int32 value);
Expr *make_int8(int64 value);
Expr *make_text(const char *text);

// A parameter whose value comes from outside of the plan (PARAM_EXTERN).
Param *make_parameter(int id, Oid type, Oid collation = InvalidOid);

// COALESCE(value, otherwise)
Expr *make_coalesce(Expr *value, Expr *otherwise);

// value IS [NOT] NULL
Expr *make_null_test(Expr *value, NullTestType type);

// ARRAY[elements]
Expr *make_array(Oid element_type, Oid collation, List *elements);

// value op ANY (array)
Expr *make_any(Oid op, Expr *value, Expr *array, Oid collation = InvalidOid);

// (query) as a value, EXISTS (query)
Expr *make_sublink(SubLinkType type, Query *query);

// left = right, by the equality of the left one's type.
Node *make_equality(Expr *left, Expr *right);

// A call of a function; what yields text has the default collation.
Expr *make_call(Oid function, Oid type, List *arguments);

// CAST to a type by its text form.
Expr *cast_by_text(Expr *expr, Oid type);

// ARRAY[...] of the text forms of a table's columns, which are those of entry `varno`.
Expr *columns_as_text(Oid relid, int varno);

// CASE of the type of what stands behind ELSE. PostgreSQL evaluates a result only where its
// condition, and none before it, is true: the one way in SQL to order two expressions.
CaseWhen *make_when(Node *condition, Expr *value);
Expr *make_case(List *whens, Expr *otherwise);
inline Expr *make_case(Node *condition, Expr *value, Expr *otherwise)
{
    return make_case(list_make1(make_when(condition, value)), otherwise);
}

// SELECT FROM source WHERE quals: a query over one range table entry, without a target list yet.
Query *make_select_from(RangeTblEntry *source, Node *quals);

// An entry of FROM for a subquery, with its columns' names.
RangeTblEntry *make_subquery_entry(Query *subquery, const char *alias);

// A reference to an entry of a range table, for FROM.
Node *make_reference(int varno);

// Joins two parts of FROM (references or joins) of the query, to which an entry for the join is
// added.
Node *make_join(Query *query, JoinType type, Node *left, Node *right, Node *quals);

// Gives the joins in FROM the columns that their sides have by now, and expressions these columns
// in place of the joins'. The joins lose USING and their names: none may be used as a row.
void rebuild_joins(Query *query);

// Lets a query stand for the user's statement, which is another one: its tag, its identifier in
// counters, its place in the text.
void stand_for_statement(Query *query, const Query *statement);

// Adds a column to a SELECT's output.
void add_output(Query *select, Expr *expr, const char *name);

// The number of the one entry that feeds the INSERT; 0 for a single row or DEFAULT VALUES.
int find_insert_source(const Query *insert);

// True for a row whose columns have names that ROW() cannot give, as those of JOIN ... USING (...)
// AS.
bool has_column_names(const Node *node);

// True if an expression needs no row and is not volatile: the router may compute it.
bool is_the_same_for_all_rows(Node *expr);

// True of a system column other than tableoid: ctid, xmin and so on, which tell where and when a
// copy of a row was written.
bool is_place_column(const Node *node);

// Makes references of a query to CTEs of its own, or around it, go one level further out: the query
// becomes a part of another one.
void raise_cte_references(Query *query);

// True if a subquery yields something else each time: it must be evaluated once, not once per
// shard.
bool has_volatile_subquery(Query *query);

// Leaves one row in each VALUES list of the query, in place, for walks that need to see no more;
// returns what restore_values() takes to put the others back.
List *shorten_values(Query *query);
void restore_values(List *shortened);

} // namespace shardwise
