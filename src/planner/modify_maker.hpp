// Pieces of the plans that modify_planner.hpp makes, shared with MERGE.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"
#include "planner/batch_statement.hpp"
#include "planner/modify_plan.hpp"
#include "planner/modify_planner.hpp"
#include "planner/projection.hpp"

namespace shardwise
{

// A plan in the making.
struct Maker {
    BatchWrite write;
    Relation relation; // the target
    const Table *table;
    ModifyPlan *plan;
    List *statements; // BatchStatement *
    List *values;
    Projection projection;          // of RETURNING
    LockClauseStrength strength;    // of the rows that may be changed
    bool returns_proposed;          // INSERT: all that ON CONFLICT proposes (proposed_rows.hpp)
    const ConflictUpdate *conflict; // the UPDATE is that of ON CONFLICT; nullptr: it is not
    List *checks;                   // WithCheckOption: of new rows, that the router makes
    List *checked;                  // TargetEntry: columns of the query that does
    Query *kept;       // the target's rows, where they were read before (kept_target.hpp)
    bool is_numbered;  // these tell where their copies are, or lead to them (numbered_rows.hpp)
    bool reads_copies; // then, they lead to them: there is no other part that writes the table
    // MERGE:
    Query *source;  // what finds the rows
    List *hidden;   // Var *: whole rows and system columns of the target
    Var *partition; // tableoid among them, where the target is partitioned
    List *junk;     // Expr *: columns of the source that others refer to
};

// Says that an attribute of the target becomes what a column of the source has.
Assignment *assign(AttrNumber attribute, int column);

// Adds a column to the source and returns its number (from 0).
int add_column(Maker *maker, Expr *expr);

// A column of the target, one of its system columns, or what tells where a row is
// (shard_attribute, remote_table_attribute).
Var *target_var(const Maker *maker, AttrNumber attribute);

// Compiles a statement into the plan; -1 where that is not possible.
int add_statement(Maker *maker, Query *sent);

// An action that has no statement yet.
ModifyAction *make_action(CmdType command);

// The columns of the source that hold a new row's key. A key that gets no value is NULL.
void set_key(Maker *maker, ModifyAction *action, List *assignments);

// Makes the source yield by what the rows of all copies of a reference table are found: a key, or
// their places.
void identify_copies(Maker *maker);

// An expression over the write's FROM as the source's columns have to say it.
Expr *seen_by_source(Maker *maker, Expr *expr);

// The action of INSERT (ModifyAction *).
List *make_insert(Maker *maker);

// ON CONFLICT DO UPDATE: notes which rows it meets, in the order in which it does; a new value,
// computed for the rows alone that are changed; the number of the action, negative where a row that
// is met fails a check; and, if it may have to be, the action that inserts a row after all.
void meet_rows(Maker *maker);
Expr *value_of_met_row(const Maker *maker, Expr *expr);
void number_met_rows(Maker *maker);
List *make_insert_after_all(Maker *maker);

// Makes the source tell a row's place in its first columns, so that the executor knows it again.
void tell_places(Maker *maker);

// A SELECT of the target's rows that were read before another part of the statement has written
// (kept_target.hpp). Those of a reference table, which are found by key, have a column more: where
// the row is now, NULL if it has been changed since. note_kept_copies() takes that into the source.
Query *read_kept_target(const Maker *maker);
void note_kept_copies(Maker *maker);

// Makes an action UPDATE; rows may move if it sets the key.
void make_update_action(Maker *maker, ModifyAction *action, List *assignments);

// The partition of a row of the target, as an Oid of the router.
Var *partition_var(const Maker *maker);

// A row that moves to another shard is deleted and inserted there with all its columns.
void make_move(Maker *maker, ModifyAction *action, List *assignments);

// The lock that an UPDATE of these columns takes.
LockClauseStrength lock_of_update(const Maker *maker, List *assignments);

// True if the condition of a check asks for rows that the target's shard may lack.
bool reads_shards(const WithCheckOption *check);

// True if it asks for system columns of the target, which are known when the row is there.
bool uses_system_columns(const WithCheckOption *check, int target);

// True if a check can be made of the values from which the row will be made, before it is written:
// no trigger changes them.
bool can_check_early(const Query *write, const WithCheckOption *check);

// Checks as the executor is to know them: with the table (a Const) in place of their conditions.
List *without_conditions(Oid relid, List *checks);

// Takes over the checks of new rows, in place of the shards, if one has a subquery over rows that
// these lack, and the new row is known before it is written.
void take_router_checks(Maker *maker);

// Adds to the source what the checks ask for; then puts a query above it whose action is negative
// for a row that fails one.
void make_router_checks(Maker *maker, List *assignments);
Query *put_router_checks_above(const Maker *maker, Query *source);

// Columns of the subquery that stands for the target in MERGE, or where it was read before; behind
// those of the table.
enum PlaceColumn { place_shard = 1, place_tuple, place_table };
Var *place_var(const Maker *maker, PlaceColumn column);

// Makes whole rows and system columns of the target columns of its subquery, too.
void show_hidden_columns_of(Maker *maker);

// SELECT all columns, place FROM target WHERE conditions (on entry 1): column numbers stay what
// they are.
Query *select_target_rows(Maker *maker, RangeTblEntry *target, List *conditions);

// MERGE: the same, restricted to what the join's condition lets through, where that is known
// beforehand.
Query *select_merge_target(Maker *maker, RangeTblEntry *target, Node *condition);

// MERGE: takes aliases of joins out of its actions.
void flatten_merge_actions(Query *merge);

// MERGE: the lock that its actions need, the strongest of them; none where rows are only inserted.
LockClauseStrength lock_of_merge(Maker *maker);

// MERGE: its actions (ModifyAction *), and the query that finds, for each row, the action and its
// values.
List *make_merge(Maker *maker);
Query *make_merge_source(Maker *maker);

} // namespace shardwise
