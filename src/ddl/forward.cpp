#include "pg/pg.hpp"

#include "ddl/forward.hpp"
#include "catalog/catalog.hpp"
#include "core/move_state.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/ddl.hpp"
#include "ddl/drops.hpp"
#include "ddl/partitions.hpp"
#include "ddl/spi.hpp"

extern "C" {
#include "catalog/index.h"
}

namespace shardwise
{

Oid shipped_relation(Oid relid)
{
    if (!OidIsValid(relid))
        return InvalidOid;
    char kind = get_rel_relkind(relid);
    if (kind == RELKIND_INDEX || kind == RELKIND_PARTITIONED_INDEX)
        relid = IndexGetRelation(relid, true);
    return OidIsValid(relid) && find_table(relid) != nullptr ? relid : InvalidOid;
}

Oid named_shipped_relation(const RangeVar *name)
{
    if (name == nullptr)
        return InvalidOid;
    return shipped_relation(RangeVarGetRelid(name, NoLock, true));
}

// A move copies tables and replays changes by their columns: neither may change under it.
static void refuse_during_move(const Table *table, const char *command)
{
    Oid types[] = {INT4OID};
    Datum values[] = {Int32GetDatum(table->keyspace->id)};
    SqlRows moves = query_router_with("SELECT move_id, plan_id, state FROM shardwise.move "
                                      "WHERE keyspace_id = $1 AND state <> 'planned' ORDER BY 1",
                                      1, types, values);
    for (int i = 0; i < moves.count; i++) {
        char **move = moves.values[i];
        MoveState state;
        if (!find_move_state(move[2], &state) || !is_active(state))
            continue;
        ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                        errmsg("cannot run %s on table \"%s\" while its rows are being moved",
                               command, get_rel_name(table->relid)),
                        errdetail("Move %s of plan %s is %s.", move[0], move[1], move[2]),
                        errhint("Wait for the plan's end, or cancel it first.")));
    }
}

void check_ddl_allowed(Oid relid, const char *command)
{
    share_metadata(); // before the table's lock, as distribute_table() does
    const Table *table = find_table(relid);
    if (table != nullptr && !table->is_reference)
        refuse_during_move(table, command);
}

Management begin_ddl()
{
    share_metadata();
    return begin_management(all_shard_ids(), true);
}

// Names in the statements are qualified, but for those of pg_catalog: it comes first in every
// search_path that does not say otherwise.
void use_session_settings(Management *management)
{
    restore_settings(management->settings_level);
    management->settings_level = NewGUCNestLevel();
    auto set = [](const char *name, const char *value) {
        set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    };
    set("client_min_messages", "warning"); // the router has told
    if (strstr(namespace_search_path, "pg_catalog") != nullptr)
        set("search_path", "pg_catalog");
}

void change_shards(const ShardChange *change)
{
    Management management = begin_ddl();
    if (OidIsValid(change->needs_objects))
        ship_dependencies(management.targets, change->needs_objects);
    use_session_settings(&management);
    ListCell *cell;
    foreach (cell, change->statements)
        run_on_targets(management.targets, static_cast<char *>(lfirst(cell)));
    end_management(&management);
}

bool forward_ddl(const UtilityCall &call)
{
    Node *statement = call.statement->utilityStmt;
    switch (nodeTag(statement)) {
    case T_AlterTableStmt:
        return ((AlterTableStmt *)statement)->objtype == OBJECT_TYPE
                   ? forward_alter_composite(call, (AlterTableStmt *)statement)
                   : forward_alter_table(call, (AlterTableStmt *)statement);
    case T_IndexStmt:
        return forward_create_index(call, (IndexStmt *)statement);
    case T_RenameStmt:
        return forward_rename(call, (RenameStmt *)statement);
    case T_AlterObjectSchemaStmt:
        return forward_set_schema(call, (AlterObjectSchemaStmt *)statement);
    case T_CreateStmt:
    case T_CreateForeignTableStmt:
        return forward_create_partition(call, (CreateStmt *)statement);
    case T_CreateTrigStmt:
        return forward_create_trigger(call, (CreateTrigStmt *)statement);
    case T_CreatePolicyStmt:
        return forward_create_policy(call, (CreatePolicyStmt *)statement);
    case T_AlterPolicyStmt:
        return forward_alter_policy(call, (AlterPolicyStmt *)statement);
    case T_CreateStatsStmt:
        return forward_create_statistics(call, (CreateStatsStmt *)statement);
    case T_AlterStatsStmt:
        return forward_alter_statistics(call, (AlterStatsStmt *)statement);
    case T_CommentStmt:
        return forward_comment(call, (CommentStmt *)statement);
    case T_CreateFunctionStmt:
        return forward_create_function(call, (CreateFunctionStmt *)statement);
    case T_AlterFunctionStmt:
        return forward_alter_function(call, (AlterFunctionStmt *)statement);
    case T_AlterEnumStmt:
        return forward_alter_enum(call, (AlterEnumStmt *)statement);
    case T_AlterTypeStmt:
        return forward_alter_base_type(call, (AlterTypeStmt *)statement);
    case T_CreateCastStmt:
        return forward_create_cast(call, (CreateCastStmt *)statement);
    case T_AlterDomainStmt:
        return forward_alter_domain(call, (AlterDomainStmt *)statement);
    case T_AlterExtensionStmt:
        return forward_alter_extension(call, (AlterExtensionStmt *)statement);
    case T_GrantStmt:
        return forward_grant(call, (GrantStmt *)statement);
    case T_ReassignOwnedStmt:
        return forward_reassign(call);
    case T_AlterSeqStmt:
        return forward_alter_sequence(call, (AlterSeqStmt *)statement);
    case T_LockStmt:
        return forward_lock(call, (LockStmt *)statement);
    case T_ConstraintsSetStmt:
        return forward_set_constraints(call, (ConstraintsSetStmt *)statement);
    case T_VacuumStmt:
        return forward_vacuum(call, (VacuumStmt *)statement);
    case T_ReindexStmt:
        return forward_reindex(call, (ReindexStmt *)statement);
    case T_ClusterStmt:
        return forward_cluster(call, (ClusterStmt *)statement);
    case T_DropStmt:
        if (!forward_drop_index_concurrently(call, (DropStmt *)statement))
            run_drop(call);
        return true;
    case T_DropOwnedStmt:
        forward_drop_owned(call, (DropOwnedStmt *)statement);
        return true;
    case T_AlterOwnerStmt:
        return forward_alter_owner(call, (AlterOwnerStmt *)statement);
    case T_AlterOperatorStmt:
        return forward_alter_operator(call, (AlterOperatorStmt *)statement);
    case T_AlterOpFamilyStmt:
        return forward_alter_family(call, (AlterOpFamilyStmt *)statement);
    case T_AlterCollationStmt:
        return forward_alter_collation(call, (AlterCollationStmt *)statement);
    case T_AlterTSDictionaryStmt:
        return forward_alter_dictionary(call, (AlterTSDictionaryStmt *)statement);
    case T_AlterTSConfigurationStmt:
        return forward_alter_configuration(call, (AlterTSConfigurationStmt *)statement);
    case T_DefineStmt:
        return forward_create_aggregate(call, (DefineStmt *)statement);
    default:
        return false;
    }
}

} // namespace shardwise
