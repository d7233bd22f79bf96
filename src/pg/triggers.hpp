// Triggers of tables.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "nodes/execnodes.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
}

namespace shardwise
{

// True for PostgreSQL's own trigger of a foreign key that refers to the table, if it changes the
// rows that refer (CASCADE, SET NULL, SET DEFAULT).
bool acts_for_foreign_key(const Trigger *trigger);

// Finds an enabled trigger of the user's whose type (TRIGGER_TYPE_ROW and so on, of
// catalog/pg_trigger.h) has all bits of `all`, one of `any` and none of `none`. AFTER and STATEMENT
// have no bits. nullptr if there is none.
const Trigger *find_user_trigger(Relation relation, int16 all, int16 any, int16 none);

// True if the table, or a partition of it, has a BEFORE ROW trigger on the event
// (TRIGGER_TYPE_INSERT or TRIGGER_TYPE_UPDATE), which may change a new row.
bool has_before_row_trigger(Oid relid, int16 event);

// True if the function of such a trigger may look at what the statement has written before.
bool before_row_trigger_sees_earlier(Oid relid, int16 event);

// Opens a table whose triggers fire outside of a ModifyTable node, as the only entry of the state's
// range table. Memory is taken from the current context; the caller closes the relation.
ResultRelInfo *open_fired_table(EState *estate, Oid relid, Bitmapset *inserted, Bitmapset *updated);

// The shards' triggers on INSERT, UPDATE and DELETE have a condition (WHEN) more, by which the
// router keeps them from firing for a statement: BEFORE INSERT for rows, those for statements, or
// all.
constexpr const char *trigger_silence_setting = "shardwise_shard.silent_triggers";
constexpr const char *trigger_silence_before_insert = "before insert";
constexpr const char *trigger_silence_statement = "statement";
constexpr const char *trigger_silence_all = "all";

// Opens the message of the error that a shard raises for a row whose key is another shard's; the
// table's name follows.
constexpr const char *key_check_marker = "shardwise key check of ";

} // namespace shardwise
