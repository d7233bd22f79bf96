// What the planner leaves for the executor of writes in batches: rows that a plan on the router
// yields, and the statements that bring them to the shards, many rows at a time.
#pragma once

#include "pg/pg.hpp"
#include "planner/numbered_rows.hpp"
#include "planner/route.hpp"

namespace shardwise
{

// A statement that takes many rows: columns of the source are parameters that are arrays.
struct BatchStatement {
    Route *route;
    int first_value; // of the plan node's custom_exprs
    int *columns;    // per parameter the source's column (from 0), or -1: one value for all rows
    int max_rows;    // of one batch
    int mark_column; // number (from 1) of what it returns that marks the rows it wrote; 0: none
};

// What is done with a row of the source. Statements are given by their numbers.
struct ModifyAction {
    CmdType command;
    int statement;
    // An UPDATE that changes the key: of a row that belongs to another shard after it, and of one
    // that stays, as the triggers leave it.
    int remove, place, change;
    // Where a new row goes: the source's columns that hold its key; nkeys 0: it stays.
    KeyPin key;
    // Where triggers act on such a row: the source's columns, one an attribute of the table (-1:
    // none), that hold it as it is and as it is to become, those that take it as the triggers leave
    // it, and where that one goes.
    int *old_columns, *new_columns, *fired_columns;
    KeyPin fired_key;
};

// What has to be heeded when rows move to other shards.
struct MovePlan {
    const char *stays;    // why none may move; nullptr if rows may
    bool fires;           // the router fires the triggers on UPDATE, and the shards none
    bool fires_elsewhere; // the shards fire those for rows that go to another partition
    bool shows_earlier;   // functions of BEFORE triggers may look at what was changed before
    bool may_vanish;      // another part of the statement may have changed the row
    bool may_stay;        // BEFORE triggers may keep a row in its partition
    bool is_referred_to;  // by foreign keys whose actions are the router's: the new row comes first
    bool refers_to_itself; // rows go together
    int nattributes;       // of the table
    int table_column;      // of the source: the row's partition (Oid); -1: none
    Bitmapset *updated;    // columns, numbered as in a range table's entry
};

// BEFORE INSERT triggers that the router fires: what they leave has to be known also of a row that
// ON CONFLICT does not insert.
struct ProposePlan {
    bool fires;
    bool shows_earlier;  // their functions may look at what was written before
    bool returns_all;    // the rows that do not go in are returned, too, as triggers leave them
    int nattributes;     // of the table
    int *columns;        // the source's columns, one an attribute (-1: none)
    Bitmapset *inserted; // columns, numbered as in a range table's entry
};

// Lives in the plan node's custom_private; the source is its only child.
struct ModifyPlan {
    ExtensibleNode node;
    CmdType command; // SELECT: rows have been written, and are only to be checked
    Oid relid;
    bool is_reference;
    bool reads_shards; // more than once: all rows are needed before the first write
    bool returns_rows;
    bool is_stream;     // an INSERT without further ado: COPY takes the rows
    List *attributes;   // then, the columns' numbers in the table
    int shard_column;   // of the source, from 0; -1: none
    int now_column;     // NULL where another part of the statement has changed the row; -1: none
    int action_column;  // number of the action, from 1 (0: none); -1: there is one action
    List *checks;       // WithCheckOption: action -1 raises the violation of the first, and so on
    List *new_row;      // int: the source's columns (from 0) with the row that a view's check saw
    CopyColumns copies; // of the source, where copies are found by their places; place -1: are not
    int nplace;         // how many of the first columns tell a row's place; 0: nobody needs to know
    // The command that must not change a row twice (MERGE, ON CONFLICT DO UPDATE); nullptr: of an
    // UPDATE, only the first change counts.
    const char *once;
    bool in_order;           // a row is changed before the next one: it may be in the way
    bool inserts_met_again;  // the second action: of a row that ON CONFLICT has met and changed
    bool met_again_is_fired; // BEFORE INSERT triggers have left it as it is
    MovePlan move;
    ProposePlan propose;
    int nactions;
    ModifyAction *actions;
    int nstatements;
    BatchStatement *statements;
};

constexpr const char *modify_name = "shardwise modify";

inline const ModifyPlan *get_modify_plan(const CustomScan *scan)
{
    return (const ModifyPlan *)linitial(scan->custom_private);
}

ModifyPlan *make_modify_plan();

// True if rows that are there may be changed: ON CONFLICT DO UPDATE.
bool updates_on_conflict(const ModifyPlan *plan);

// Registers the node type. From init_planner().
void init_modify_plan();

} // namespace shardwise
