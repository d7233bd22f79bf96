// What the planner leaves for the executor of writes in batches: rows that a plan on the router
// yields, and the statements that bring them to the shards, many rows at a time.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"

namespace shardwise
{

// A statement that takes many rows: columns of the source are parameters that are arrays.
struct BatchStatement {
    Route *route;
    int first_value; // of the plan node's custom_exprs
    int *columns;    // per parameter the source's column (from 0), or -1: one value for all rows
    int max_rows;    // of one batch
};

// What is done with a row of the source. Statements are given by their numbers.
struct ModifyAction {
    CmdType command;
    int statement;
    // An UPDATE that changes the key: of a row that belongs to another shard after it.
    int remove, place;
    // Where a new row goes: the source's columns that hold its key; nkeys 0: it stays.
    KeyPin key;
};

// Lives in the plan node's custom_private; the source is its only child.
struct ModifyPlan {
    ExtensibleNode node;
    CmdType command;
    Oid relid;
    bool is_reference;
    bool reads_shards; // more than once: all rows are needed before the first write
    bool returns_rows;
    bool is_stream;    // an INSERT without further ado: COPY takes the rows
    List *attributes;  // then, the columns' numbers in the table
    int shard_column;  // of the source, from 0; -1: none
    int action_column; // number of the action, from 1 (0: none); -1: there is one action
    List *checks;      // WithCheckOption: action -1 raises the violation of the first, and so on
    int nplace;        // how many of the first columns tell a row's place; 0: nobody needs to know
    // The command that must not change a row twice (MERGE, ON CONFLICT DO UPDATE); nullptr: of an
    // UPDATE, only the first change counts.
    const char *once;
    const char *stays; // why no row may move to another shard; nullptr if rows may
    // Of an UPDATE whose triggers act on a row before it moves: the statement that changes the row
    // on its own shard (-1: none), the source's first column (from 0) and number of columns that
    // take the row that it returns, its ctid last, and where that one belongs.
    int fire, first_fired, nfired;
    KeyPin fired_key;
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

// Registers the node type. From init_planner().
void init_modify_plan();

} // namespace shardwise
