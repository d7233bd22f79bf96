#include "pg/pg.hpp"

#include "ddl/catalog_rows.hpp"
#include "ddl/ddl.hpp"
#include "ddl/keyspace_builder.hpp"
#include "ddl/row_transfer.hpp"
#include "ddl/statistics.hpp"
#include "ddl/table_checks.hpp"
#include "ddl/table_definition.hpp"
#include "ddl/table_shipment.hpp"
#include "pg/arguments.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "commands/tablecmds.h"
#include "catalog/objectaddress.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
}

namespace shardwise
{

List *all_shard_ids()
{
    const Shard *const *shards;
    int count = list_shards(&shards);
    List *ids = NIL;
    for (int i = 0; i < count; i++)
        ids = lappend_int(ids, shards[i]->id);
    return ids;
}

Relation open_whole_table(Oid relid, const char *command)
{
    PreventCommandIfReadOnly(command);
    if (get_rel_relkind(relid) == '\0')
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("relation with OID %u does not exist", relid)));
    // Who may not change the table must not lock it either.
    if (!pg_class_ownercheck(relid, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
                       get_rel_name(relid));
    lock_metadata();
    LockRelationOid(relid, AccessExclusiveLock);
    Relation rel = relation_open(relid, NoLock);
    table_tree(relid, AccessExclusiveLock);
    return rel;
}

// Moves a table, whose catalog row is written, to the shards: definition, rows, the rest.
static void move_to_shards(Relation rel)
{
    Oid relid = RelationGetRelid(rel);
    Management management = begin_management(all_shard_ids());
    Shipment shipment = {management.targets, list_make1_oid(relid)};
    Table table = *find_table(relid);
    ship_tables(&shipment);
    uint64 rows = copy_rows_out(&table, management.targets);
    finish_tables(&shipment);
    if (rows > 0)
        run_on_targets(management.targets, psprintf("ANALYZE %s", qualified_table_name(relid)));
    end_management(&management);
    empty_local_table(relid);
    if (rows > 0)
        gather_statistics(relid, true);
    request_statistics_refresh();
}

struct DistributeArguments {
    Oid relid;
    ArrayType *key;
    Oid colocate_with;
    KeyspaceOptions keyspace;
};

static ArrayType *array_argument(FunctionCallInfo fcinfo, int n)
{
    return PG_ARGISNULL(n) ? nullptr : PG_GETARG_ARRAYTYPE_P(n);
}

static DistributeArguments read_arguments(FunctionCallInfo fcinfo, bool one_column)
{
    require_argument(fcinfo, 0, "relation");
    require_argument(fcinfo, 1, "key");
    require_argument(fcinfo, 2, "strategy");
    require_argument(fcinfo, 5, "virtual_nodes");
    DistributeArguments arguments = {};
    arguments.relid = PG_GETARG_OID(0);
    if (one_column) {
        Datum column = PG_GETARG_DATUM(1);
        arguments.key = construct_array(&column, 1, TEXTOID, -1, false, TYPALIGN_INT);
    } else
        arguments.key = PG_GETARG_ARRAYTYPE_P(1);
    arguments.keyspace.strategy = parse_strategy(text_to_cstring(PG_GETARG_TEXT_PP(2)));
    arguments.colocate_with = PG_ARGISNULL(3) ? InvalidOid : PG_GETARG_OID(3);
    arguments.keyspace.shards = array_argument(fcinfo, 4);
    arguments.keyspace.virtual_nodes = PG_GETARG_INT32(5);
    arguments.keyspace.splits = array_argument(fcinfo, 6);
    arguments.keyspace.default_shard = text_argument(fcinfo, 7);
    return arguments;
}

static const Table *find_colocation(Oid relid)
{
    const Table *table = find_table(relid);
    if (table == nullptr || table->is_reference)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("cannot colocate with \"%s\"", get_rel_name(relid)),
                        errdetail(table ? "It is a reference table, whole on every shard."
                                        : "It is not distributed."),
                        errhint("Name a distributed table.")));
    return table;
}

// Checks everything before anything is written.
static void distribute(DistributeArguments arguments)
{
    Relation rel = open_whole_table(arguments.relid, "distribute_table()");
    check_table_is_shippable(rel);
    CheckTableNotInUse(rel, "distribute_table()");

    int32 keyspace_id = 0;
    Strategy strategy = arguments.keyspace.strategy;
    if (OidIsValid(arguments.colocate_with)) {
        const Keyspace *keyspace = find_colocation(arguments.colocate_with)->keyspace;
        keyspace_id = keyspace->id;
        strategy = keyspace->strategy;
    }
    KeyColumns key = resolve_key_columns(rel, arguments.key, is_hashed(strategy));
    check_constraints_contain_key(rel, &key);
    check_foreign_keys(rel, &key, keyspace_id);

    if (keyspace_id != 0)
        check_colocation(find_table(arguments.colocate_with), &arguments.keyspace, &key);
    else
        keyspace_id = create_keyspace(&arguments.keyspace, &key);
    insert_distribution(arguments.relid, keyspace_id, key.count, key.names);
    move_to_shards(rel);
    relation_close(rel, NoLock);
}

} // namespace shardwise

using namespace shardwise;

// distribute_table(relation, key text[], strategy, colocate_with, shards, virtual_nodes, splits,
// default_shard), and with key text.
SHARDWISE_FUNCTION(shardwise_distribute_table)
{
    distribute(read_arguments(fcinfo, false));
    PG_RETURN_VOID();
}

SHARDWISE_FUNCTION(shardwise_distribute_table_by_column)
{
    distribute(read_arguments(fcinfo, true));
    PG_RETURN_VOID();
}

// create_reference_table(relation): the whole table on every shard.
SHARDWISE_FUNCTION(shardwise_create_reference_table)
{
    Oid relid = PG_GETARG_OID(0);
    Relation rel = open_whole_table(relid, "create_reference_table()");
    check_table_is_shippable(rel);
    CheckTableNotInUse(rel, "create_reference_table()");
    check_foreign_keys(rel, nullptr, 0);
    if (all_shard_ids() == NIL)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("there are no shards"),
                 errhint("Add one with shardwise.add_shard() or "
                         "shardwise.add_local_shard().")));
    insert_distribution(relid, 0, 0, nullptr);
    move_to_shards(rel);
    relation_close(rel, NoLock);
    PG_RETURN_VOID();
}

// undistribute_table(relation): brings the rows home. The shards' tables are dropped once the
// router has committed: until then they are the only copy that is safe.
SHARDWISE_FUNCTION(shardwise_undistribute_table)
{
    Oid relid = PG_GETARG_OID(0);
    Relation rel = open_whole_table(relid, "undistribute_table()");
    const Table *found = find_table(relid);
    if (found == nullptr)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("table \"%s\" is not distributed", RelationGetRelationName(rel))));
    if (topmost_table(relid) != relid)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("cannot bring partition \"%s\" home by itself",
                               RelationGetRelationName(rel)),
                        errhint("Name %s, the whole partitioned table.",
                                qualified_table_name(topmost_table(relid)))));
    CheckTableNotInUse(rel, "undistribute_table()");
    check_nothing_refers_to(relid);

    Table table = *found;
    empty_local_table(relid); // a restored dump may have left rows there
    Management management = begin_management(all_shard_ids());
    run_on_targets(management.targets,
                   psprintf("LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", qualified_table_name(relid)));
    ListCell *cell;
    foreach (cell, management.targets) {
        copy_rows_home(&table, static_cast<const Target *>(lfirst(cell)));
        if (table.is_reference)
            break;
    }
    delete_distribution(relid);
    drop_shipped_tables(management.targets, list_make1_oid(relid), false);
    end_management(&management);
    rebuild_local_indexes(relid);
    relation_close(rel, NoLock);
    PG_RETURN_VOID();
}
