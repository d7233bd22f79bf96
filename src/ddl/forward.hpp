// DDL on what the shards have as well. The router's part runs first, as PostgreSQL's own command:
// it checks privileges and names, takes the locks and picks the names that the statement leaves
// open. Then the change is read from the router's catalogs and made on all shards, in the same
// transaction. What a shard gets is fully qualified and means the same under any search_path.
#pragma once

#include "ddl/table_shipment.hpp"
#include "ddl/utility_call.hpp"

namespace shardwise
{

// Runs a command on the router and on the shards. Returns false, and has done nothing, where the
// command does not concern the shards.
bool forward_ddl(const UtilityCall &call);

// The one place that all DDL on a distributed or reference table passes, before it changes
// anything. `command` is its tag, for messages. Holds off moves that would start, with
// share_metadata(). Errors: 55006 while rows of the table's keyspace are being moved.
void check_ddl_allowed(Oid relid, const char *command);

// The distributed or reference table that a relation is, or whose index it is; InvalidOid for
// local relations.
Oid shipped_relation(Oid relid);
Oid named_shipped_relation(const RangeVar *name);

// Opens all shards for a change; none is added meanwhile.
Management begin_ddl();

// From here on the shards' sessions have the settings of the user's: what evaluates rows (USING,
// checks, defaults) may depend on them. Statements are made before, or by query_router().
void use_session_settings(Management *management);

// Statements that make one change on every shard.
struct ShardChange {
    List *statements;  // char *
    Oid needs_objects; // a table whose types, functions and schemas are created first; or
                       // InvalidOid
};

// Makes a change on all shards.
void change_shards(const ShardChange *change);
inline void change_shards(List *statements, Oid needs_objects = InvalidOid)
{
    ShardChange change = {statements, needs_objects};
    change_shards(&change);
}
inline void change_shards(char *statement, Oid needs_objects = InvalidOid)
{
    change_shards(list_make1(statement), needs_objects);
}

// Makes a policy anew on the shards, under another name if it was renamed.
void replace_policy(Oid relid, const char *old_name, const char *new_name);

// Objects named in statements, if the shards have them; InvalidOid otherwise.
Oid shipped_type(List *name);
Oid shipped_routine(ObjectType kind, Node *object);
Oid table_of_statistics(Oid statistics);
char *qualified_statistics_name(Oid statistics);

// Statements that were deparsed before name a type, say, as it was called then, and their plans do
// not depend on it: makes all be made anew, in all sessions.
void forget_texts();

// A command for the shards that have the object.
char *if_object_exists(const char *command);

// A command for the shards that have an extension.
char *if_extension_exists(const char *extension, const char *command);

// Handlers of single commands: each returns false, before it has run anything, where the shards
// are not concerned.
bool forward_alter_table(const UtilityCall &call, AlterTableStmt *statement);
bool forward_create_index(const UtilityCall &call, IndexStmt *statement);
void create_index_concurrently(const UtilityCall &call, IndexStmt *statement, Oid relid);
bool forward_drop_index_concurrently(const UtilityCall &call, DropStmt *statement);
bool forward_rename(const UtilityCall &call, RenameStmt *statement);
bool forward_create_trigger(const UtilityCall &call, CreateTrigStmt *statement);
bool forward_create_policy(const UtilityCall &call, CreatePolicyStmt *statement);
bool forward_alter_policy(const UtilityCall &call, AlterPolicyStmt *statement);
bool forward_create_statistics(const UtilityCall &call, CreateStatsStmt *statement);
bool forward_alter_statistics(const UtilityCall &call, AlterStatsStmt *statement);
bool forward_comment(const UtilityCall &call, CommentStmt *statement);
bool forward_create_function(const UtilityCall &call, CreateFunctionStmt *statement);
bool forward_alter_function(const UtilityCall &call, AlterFunctionStmt *statement);
bool forward_alter_base_type(const UtilityCall &call, AlterTypeStmt *statement);
bool forward_create_cast(const UtilityCall &call, CreateCastStmt *statement);
bool forward_alter_enum(const UtilityCall &call, AlterEnumStmt *statement);
bool forward_alter_domain(const UtilityCall &call, AlterDomainStmt *statement);
bool forward_alter_composite(const UtilityCall &call, AlterTableStmt *statement);
bool forward_alter_extension(const UtilityCall &call, AlterExtensionStmt *statement);
bool forward_grant(const UtilityCall &call, GrantStmt *statement);
bool forward_reassign(const UtilityCall &call);
bool forward_alter_owner(const UtilityCall &call, AlterOwnerStmt *statement);
bool forward_alter_operator(const UtilityCall &call, AlterOperatorStmt *statement);
bool forward_alter_collation(const UtilityCall &call, AlterCollationStmt *statement);
bool forward_alter_dictionary(const UtilityCall &call, AlterTSDictionaryStmt *statement);
bool forward_alter_family(const UtilityCall &call, AlterOpFamilyStmt *statement);
bool forward_alter_configuration(const UtilityCall &call, AlterTSConfigurationStmt *statement);
bool forward_create_aggregate(const UtilityCall &call, DefineStmt *statement);
void forward_drop_owned(const UtilityCall &call, DropOwnedStmt *statement);
bool forward_alter_sequence(const UtilityCall &call, AlterSeqStmt *statement);
bool forward_lock(const UtilityCall &call, LockStmt *statement);
bool forward_vacuum(const UtilityCall &call, VacuumStmt *statement);
bool forward_reindex(const UtilityCall &call, ReindexStmt *statement);
bool forward_cluster(const UtilityCall &call, ClusterStmt *statement);
bool forward_set_schema(const UtilityCall &call, AlterObjectSchemaStmt *statement);
bool forward_set_constraints(const UtilityCall &call, ConstraintsSetStmt *statement);

} // namespace shardwise
