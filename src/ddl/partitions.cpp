#include "pg/pg.hpp"

#include "ddl/partitions.hpp"
#include "catalog/catalog.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/ddl.hpp"
#include "ddl/forward.hpp"
#include "ddl/row_transfer.hpp"
#include "ddl/shard_sequences.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_checks.hpp"
#include "ddl/table_definition.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "commands/tablecmds.h"
}

namespace shardwise
{

bool is_partition_command(const AlterTableCmd *command)
{
    return command->subtype == AT_AttachPartition || command->subtype == AT_DetachPartition ||
           command->subtype == AT_DetachPartitionFinalize;
}

static void finish_on_shards(Oid relid)
{
    CommandCounterIncrement();
    check_new_partition(relid);
    Management management = begin_ddl();
    finish_partition(management.targets, relid);
    end_management(&management);
}

// Distributed tables can be joined to one if their equal keys are on the same shards.
static void check_same_placement(const Table *parent, const Table *partition)
{
    bool same =
        parent->is_reference == partition->is_reference && parent->keyspace == partition->keyspace;
    for (int i = 0; same && i < parent->nkeys; i++)
        same = strcmp(get_attname(parent->relid, parent->key_columns[i], false),
                      get_attname(partition->relid, partition->key_columns[i], false)) == 0;
    if (!same)
        ereport(
            ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("cannot attach distributed table \"%s\" to \"%s\"",
                    get_rel_name(partition->relid), get_rel_name(parent->relid)),
             errdetail("They are not distributed alike: rows of one key may be on different "
                       "shards."),
             errhint("Bring the table home with shardwise.undistribute_table() first; attaching "
                     "it distributes it again.")));
}

[[noreturn]] static void refuse_inheritance(Oid parent)
{
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot inherit from distributed table \"%s\"", get_rel_name(parent)),
                    errdetail("Its rows are on the shards, which the new table would not reach."),
                    errhint("Use native partitioning (PARTITION BY), or LIKE.")));
}

static void refuse_to_attach(Oid parent, const PartitionCmd *command)
{
    Oid partition = named_shipped_relation(command->name);
    if (!OidIsValid(partition) ||
        get_rel_relispartition(partition)) // PostgreSQL refuses the latter
        return;
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot attach distributed table \"%s\" to \"%s\"",
                           get_rel_name(partition), get_rel_name(parent)),
                    errdetail("\"%s\" is a local table, and does not reach the rows on the shards.",
                              get_rel_name(parent)),
                    errhint("Bring the table home with shardwise.undistribute_table() first.")));
}

void check_relatives_are_local(Oid relid, const AlterTableStmt *statement)
{
    if (!OidIsValid(relid)) // PostgreSQL's error
        return;
    ListCell *cell;
    foreach (cell, statement->cmds) {
        const AlterTableCmd *part = lfirst_node(AlterTableCmd, cell);
        if (part->subtype == AT_AddInherit) {
            Oid parent = named_shipped_relation(castNode(RangeVar, part->def));
            if (OidIsValid(parent))
                refuse_inheritance(parent);
        } else if (part->subtype == AT_AttachPartition && statement->objtype == OBJECT_TABLE) {
            refuse_to_attach(relid, castNode(PartitionCmd, part->def));
        }
    }
}

static char *bound_sql(Oid relid)
{
    SqlRows rows = query_router(
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = $1", 1, &relid);
    return rows.values[0][0];
}

static bool has_key_columns(Oid parent, Oid partition)
{
    const Table *table = find_table(parent);
    for (int i = 0; i < table->nkeys; i++) {
        AttrNumber own = get_attnum(partition, get_attname(parent, table->key_columns[i], false));
        if (own == InvalidAttrNumber ||
            get_atttype(partition, own) != get_atttype(parent, table->key_columns[i]))
            return false;
    }
    return true;
}

void place_like(Oid relid, Oid model)
{
    Table table = *find_table(model);
    const char *names[max_key_columns];
    for (int i = 0; i < table.nkeys; i++)
        names[i] = get_attname(model, table.key_columns[i], false);
    insert_distribution(relid, table.is_reference ? 0 : table.keyspace->id, table.nkeys, names);
}

static void distribute_alone(Oid relid, Oid parent)
{
    table_tree(relid, AccessExclusiveLock);
    Relation rel = relation_open(relid, AccessExclusiveLock);
    CheckTableNotInUse(rel, "ATTACH PARTITION");
    check_table_is_shippable(rel);
    relation_close(rel, NoLock);
    place_like(relid, parent);
    Table table = *find_table(relid);
    Management management = begin_ddl();
    ship_future_partition(management.targets, relid);
    copy_rows_out(&table, management.targets);
    end_management(&management);
    empty_local_table(relid);
    CommandCounterIncrement();
}

// The rows of a local table go first: what the router then checks of them, foreign keys for one, it
// checks on the shards.
static void attach_local(const UtilityCall &call, Oid parent, Oid partition)
{
    bool may_attach = pg_class_ownercheck(parent, GetUserId()) &&
                      pg_class_ownercheck(partition, GetUserId()) &&
                      has_key_columns(parent, partition);
    if (may_attach) // the router raises the error otherwise
        distribute_alone(partition, parent);
    run_locally(call);
    delete_distribution(partition);
    finish_on_shards(partition);
}

static void attach_distributed(const UtilityCall &call, Oid parent, Oid partition)
{
    check_same_placement(find_table(parent), find_table(partition));
    const List *numbered = shard_numbered_columns(partition);
    if (numbered != NIL) { // its rows come through the parent from here on
        Management management = begin_ddl();
        use_session_settings(&management);
        stop_numbering_by_shards(management.targets, partition, numbered);
        end_management(&management);
    }
    run_locally(call);
    delete_distribution(partition); // from here on it is its parent's
    change_shards(psprintf("ALTER TABLE %s ATTACH PARTITION %s %s", qualified_table_name(parent),
                           qualified_table_name(partition), bound_sql(partition)));
}

static void detach(const UtilityCall &call, Oid parent, Oid partition)
{
    run_locally(call);
    CommandCounterIncrement();
    place_like(partition, parent);
    Management management = begin_ddl();
    run_on_targets(management.targets,
                   psprintf("ALTER TABLE %s DETACH PARTITION %s", qualified_table_name(parent),
                            qualified_table_name(partition)));
    number_by_shards(management.targets, partition);
    end_management(&management);
}

void forward_partition_command(const UtilityCall &call, AlterTableStmt *statement, Oid relid)
{
    const AlterTableCmd *part = linitial_node(AlterTableCmd, statement->cmds);
    const PartitionCmd *command = castNode(PartitionCmd, part->def);
    bool is_index = shipped_relation(relid) != relid;
    Oid partition = RangeVarGetRelid(command->name, NoLock, true);
    if (!OidIsValid(partition)) {
        run_locally(call); // raises the error
    } else if (is_index) {
        run_locally(call);
        change_shards(psprintf("ALTER INDEX %s ATTACH PARTITION %s", qualified_table_name(relid),
                               qualified_table_name(partition)));
    } else if (part->subtype == AT_AttachPartition) {
        if (find_table(partition) == nullptr)
            attach_local(call, relid, partition);
        else
            attach_distributed(call, relid, partition);
    } else if (find_table(partition) == nullptr) {
        run_locally(call); // raises the error
    } else if (part->subtype == AT_DetachPartitionFinalize) {
        finalize_detach(call, relid, partition);
    } else if (command->concurrent) {
        detach_concurrently(call, relid, partition);
    } else {
        detach(call, relid, partition);
    }
}

static Oid shipped_parent(const CreateStmt *statement)
{
    ListCell *cell;
    foreach (cell, statement->inhRelations) {
        Oid relid = named_shipped_relation(lfirst_node(RangeVar, cell));
        if (OidIsValid(relid))
            return relid;
    }
    return InvalidOid;
}

bool forward_create_partition(const UtilityCall &call, CreateStmt *statement)
{
    Oid parent = shipped_parent(statement);
    if (!OidIsValid(parent))
        return false;
    if (statement->partbound == nullptr)
        refuse_inheritance(parent);
    if (IsA(statement, CreateForeignTableStmt))
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("cannot create foreign partition of distributed table \"%s\"",
                        get_rel_name(parent)),
                 errdetail("Its partitions are on the shards, which would not reach the table.")));
    check_ddl_allowed(parent, "CREATE TABLE");
    RangeVar *name = copy_node(statement->relation);
    if (OidIsValid(RangeVarGetRelid(name, NoLock, true))) {
        run_locally(call); // an error, or IF NOT EXISTS
        return true;
    }
    run_locally(call);
    CommandCounterIncrement();
    Oid relid = RangeVarGetRelid(name, NoLock, false);
    Management management = begin_ddl();
    ship_future_partition(management.targets, relid);
    end_management(&management);
    finish_on_shards(relid);
    return true;
}

} // namespace shardwise
