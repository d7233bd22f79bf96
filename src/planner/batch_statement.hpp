// Statements for the shards that write many rows at once, whose values come as arrays: INSERT of
// rows, UPDATE and DELETE of rows that were found before.
#pragma once

#include "pg/pg.hpp"
#include "planner/modify_plan.hpp"
#include "planner/projection.hpp"

namespace shardwise
{

// Rows of a plan on the router, from which a statement takes columns.
struct BatchSource {
    List *columns; // TargetEntry, none junk: what the plan yields
    List *used;    // int: numbers (from 0) of the columns that the statement takes so far
};

// A column of a write and the source's column (from 0) with its new value.
struct Assignment {
    AttrNumber attribute;
    int column;
};

// The write that the user wrote, taken apart.
struct BatchWrite {
    Query *query; // aliases of joins flattened
    int target;   // its entry of the range table
    BatchSource source;
    List *identity;  // Assignment *: the columns that find a row again. Attribute ctid or tableoid,
                     // or those of a unique key
    int check_kind;  // WCOKind: of the checks of written rows only these; 0: all
    bool is_fired;   // an INSERT whose BEFORE triggers the router fires
    bool is_marked;  // ON CONFLICT DO UPDATE: no batch may change a row that another has written
    bool is_one_row; // the INSERT built last shows columns of the source for its first row alone
    char *refusal;   // why a statement cannot be built
};

// The Param of RETURNING that is true of rows which an action of MERGE inserts, false of those that
// one updates.
Param *make_inserts_param();

// Builds INSERT of all `assignments` (Assignment *). With `is_placed` it is half of an UPDATE,
// which moves a row to another shard.
Query *build_batch_insert(BatchWrite *write, List *assignments, bool is_placed);

// Builds UPDATE and DELETE of the rows that have the identity. `returning`: with the user's
// RETURNING and checks.
Query *build_batch_update(BatchWrite *write, List *assignments, bool returning);
Query *build_batch_delete(BatchWrite *write, bool returning);

// Turns such a query into a statement. Its values are appended to *values, for the plan node. False
// and write->refusal where a shard cannot run it.
bool compile_batch(BatchWrite *write, Query *sent, BatchStatement *statement, List **values,
                   Projection *projection);

// The number (from 0) of a column of the source that yields an expression; it is added if need be.
int find_source_column(BatchSource *source, Expr *expr);

} // namespace shardwise
