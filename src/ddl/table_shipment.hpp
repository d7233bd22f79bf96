// Creates tables on shards, in the steps between which rows are copied. All changes on the shards
// belong to the current transaction.
#pragma once

#include "pg/pg.hpp"
#include "remote/connection.hpp"

namespace shardwise
{

struct Target {
    int32 shard_id;
    Connection *connection;
    char *restore_sql; // puts settings of its session back
};

// A time in which SQL text means the same on the router and on the shards: settings are canonical.
struct Management {
    List *targets; // of Target
    int settings_level;
};

// Opens shards for management (see join_shard_for_management).
Management begin_management(const List *shard_ids, bool may_be_read_only = false);

// Gives all sessions their own settings back, for what follows in the transaction.
void end_management(const Management *management);

// Runs one statement on all targets at once and waits for them.
void run_on_targets(const List *targets, const char *sql);

// A shipment: tables with all their partitions, to all targets.
struct Shipment {
    List *targets;
    List *relids; // roots
};

// Creates tables that can take rows, with everything they need. Errors: 42P07 when a shard has a
// relation of that name already.
void ship_tables(const Shipment *shipment);

// After the rows: indexes and constraints, then triggers, policies, comments, grants, owner.
void finish_tables(const Shipment *shipment);

// Keeps those of the roles (text[]) that exist on the shard, or (`may_own`) to whom its user may
// give tables.
Datum roles_on_shard(const Target *target, Datum roles, bool may_own);

// Creates what tables on the shards need newly: types, functions, schemas.
void ship_dependencies(const List *targets, Oid relid);

// Creates objects (NeededObject), and records them as the shards' too.
void create_objects_on(const List *targets, const List *objects);

// The role that owns a table on the router.
Oid table_owner(Oid relid);

// Gives an object, named as ALTER has it ("TABLE public.t"), to a role, on the shards that know it.
void give_to_role(const List *targets, const char *object, Oid role);

// Makes the router's owner of a table its owner on the shards that know the role.
void give_tables_to_owner(const List *targets, Oid relid);

// Creates a table that is to become a partition, alone; then, once the router has attached it, the
// rest: indexes, its place in the parent, foreign keys, triggers, rights.
void ship_future_partition(const List *targets, Oid relid);
void finish_partition(const List *targets, Oid relid);

// Drops tables on the targets, in one statement so that foreign keys among them do not matter.
// `cascade` also drops foreign keys of other tables. Missing tables do not matter.
void drop_shipped_tables(const List *targets, const List *relids, bool cascade);

} // namespace shardwise
