#include "pg/pg.hpp"

#include "ddl/table_shipment.hpp"
#include "catalog/catalog.hpp"
#include "ddl/dependencies.hpp"
#include "ddl/shard_sequences.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "utils/fmgroids.h"
}

namespace shardwise
{

// Settings of the shards' sessions that do not follow the router's, and that definitions depend on.
static const char *const save_settings_sql = R"(
SELECT string_agg(format('set_config(%L, %L, true)', name, current_setting(name)), ', ')
FROM unnest('{check_function_bodies,default_table_access_method,default_tablespace,
    default_toast_compression,quote_all_identifiers}'::text[]) name)";

static const char *const use_settings_sql =
    "SET LOCAL check_function_bodies = off; SET LOCAL default_table_access_method = heap;"
    "SET LOCAL default_tablespace = ''; SET LOCAL default_toast_compression = pglz;"
    "SET LOCAL quote_all_identifiers = off";

Management begin_management(const List *shard_ids, bool may_be_read_only)
{
    Management management = {NIL, use_canonical_settings()};
    ListCell *cell;
    foreach (cell, shard_ids) {
        Target *target = static_cast<Target *>(palloc(sizeof(Target)));
        target->shard_id = lfirst_int(cell);
        target->connection = join_shard_for_management(target->shard_id, may_be_read_only);
        PGresult *saved = run_command(target->connection, save_settings_sql);
        target->restore_sql = psprintf("SELECT %s", PQgetvalue(saved, 0, 0));
        run_command(target->connection, use_settings_sql);
        management.targets = lappend(management.targets, target);
    }
    return management;
}

void end_management(const Management *management)
{
    ListCell *cell;
    foreach (cell, management->targets) {
        Target *target = static_cast<Target *>(lfirst(cell));
        run_command(target->connection, target->restore_sql);
    }
    restore_settings(management->settings_level);
}

void run_on_targets(const List *targets, const char *sql)
{
    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "shardwise statement", ALLOCSET_SMALL_SIZES);
    RemoteStatement statement = {0, sql, 0, nullptr, false};
    RemoteValues values = {nullptr, nullptr, nullptr};
    List *queries = NIL;
    ListCell *cell;
    foreach (cell, targets) {
        Target *target = static_cast<Target *>(lfirst(cell));
        queries = lappend(queries, start_query(target->connection, &statement, &values, context));
    }
    foreach (cell, queries) {
        const PGresult *result;
        int row;
        while (next_row(static_cast<RemoteQuery *>(lfirst(cell)), &result, &row))
            CHECK_FOR_INTERRUPTS();
    }
    list_free(queries);
    MemoryContextDelete(context);
}

static void run_all(const List *targets, const List *statements)
{
    ListCell *cell;
    foreach (cell, statements)
        run_on_targets(targets, static_cast<const char *>(lfirst(cell)));
}

static void refuse_existing_relations(const Target *target, Oid root)
{
    ListCell *cell;
    foreach (cell, table_tree(root, NoLock)) {
        char *name = qualified_table_name(lfirst_oid(cell));
        PGresult *result =
            run_command(target->connection,
                        psprintf("SELECT to_regclass(%s) IS NULL", quote_literal_cstr(name)));
        if (strcmp(PQgetvalue(result, 0, 0), "t") != 0)
            ereport(ERROR,
                    (errcode(ERRCODE_DUPLICATE_TABLE),
                     errmsg("relation %s exists on shard \"%s\" already", name,
                            connection_shard_name(target->connection)),
                     errhint("If it is left from an attempt that failed and its rows are not "
                             "needed, drop it: SELECT * FROM shardwise.run_on_shards(%s, "
                             "ARRAY[%s]).",
                             quote_literal_cstr(psprintf("DROP TABLE %s", name)),
                             quote_literal_cstr(connection_shard_name(target->connection)))));
    }
}

Datum roles_on_shard(const Target *target, Datum roles, bool may_own)
{
    char *literal = OidOutputFunctionCall(F_ARRAY_OUT, roles);
    PGresult *result =
        run_command(target->connection,
                    psprintf("SELECT coalesce(array_agg(rolname::text), '{}') FROM pg_roles "
                             "WHERE rolname::text = ANY (%s::text[])%s",
                             quote_literal_cstr(literal),
                             may_own ? " AND pg_has_role(current_user, oid, 'USAGE')" : ""));
    return OidInputFunctionCall(F_ARRAY_IN, PQgetvalue(result, 0, 0), TEXTOID, -1);
}

static List *all_relations(const List *relids)
{
    List *all = NIL;
    ListCell *cell;
    foreach (cell, relids)
        all = list_concat(all, table_tree(lfirst_oid(cell), NoLock));
    return all;
}

void ship_tables(const Shipment *shipment)
{
    const List *shipped = all_relations(shipment->relids);
    ListCell *table_cell;
    foreach (table_cell, shipment->relids) {
        Oid relid = lfirst_oid(table_cell);
        const List *needed = find_needed_objects(relid, shipped);
        ListCell *cell;
        foreach (cell, shipment->targets)
            refuse_existing_relations(static_cast<const Target *>(lfirst(cell)), relid);
        create_objects_on(shipment->targets, needed);
        run_all(shipment->targets, table_creation_sql(relid));
    }
}

static void finish_access(const List *targets, Oid relid)
{
    run_all(targets, table_behaviour_sql(relid));
    Datum roles = roles_of_table(relid);
    ListCell *cell;
    foreach (cell, targets) {
        Target *target = static_cast<Target *>(lfirst(cell));
        List *statements = table_access_sql(relid, roles_on_shard(target, roles, false),
                                            roles_on_shard(target, roles, true));
        run_all(list_make1(target), statements);
    }
}

void finish_tables(const Shipment *shipment)
{
    ListCell *cell;
    foreach (cell, shipment->relids)
        run_all(shipment->targets, table_index_sql(lfirst_oid(cell)));
    foreach (cell, shipment->relids)
        run_all(shipment->targets, table_foreign_key_sql(lfirst_oid(cell)));
    foreach (cell, shipment->relids)
        number_by_shards(shipment->targets, lfirst_oid(cell));
    foreach (cell, shipment->relids)
        finish_access(shipment->targets, lfirst_oid(cell));
}

void ship_future_partition(const List *targets, Oid relid)
{
    ship_dependencies(targets, relid);
    ListCell *cell;
    foreach (cell, targets)
        refuse_existing_relations(static_cast<Target *>(lfirst(cell)), relid);
    run_all(targets, partition_creation_sql(relid));
}

void finish_partition(const List *targets, Oid relid)
{
    run_all(targets, partition_index_sql(relid));
    run_all(targets, partition_attach_sql(relid));
    run_all(targets, table_foreign_key_sql(relid));
    finish_access(targets, relid);
}

Oid table_owner(Oid relid)
{
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "relation %u not found", relid);
    Oid owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    return owner;
}

void create_objects_on(const List *targets, const List *objects)
{
    ListCell *cell;
    foreach (cell, targets)
        create_needed_objects(static_cast<const Target *>(lfirst(cell)), objects);
    record_shipped_objects(objects);
}

void ship_dependencies(const List *targets, Oid relid)
{
    Oid root = topmost_table(relid);
    create_objects_on(targets, find_needed_objects(root, table_tree(root, NoLock)));
}

void give_to_role(const List *targets, const char *object, Oid role)
{
    char *owner = GetUserNameFromId(role, false);
    Datum name = CStringGetTextDatum(owner);
    Datum roles = PointerGetDatum(construct_array(&name, 1, TEXTOID, -1, false, TYPALIGN_INT));
    ListCell *cell;
    foreach (cell, targets) {
        Target *target = static_cast<Target *>(lfirst(cell));
        ArrayType *known = DatumGetArrayTypeP(roles_on_shard(target, roles, true));
        if (ARR_NDIM(known) > 0)
            run_command(target->connection,
                        psprintf("ALTER %s OWNER TO %s", object, quote_identifier(owner)));
    }
}

void give_tables_to_owner(const List *targets, Oid relid)
{
    give_to_role(targets, psprintf("TABLE %s", qualified_table_name(relid)), table_owner(relid));
}

void drop_shipped_tables(const List *targets, const List *relids, bool cascade)
{
    if (relids == NIL)
        return;
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfoString(&sql, "DROP TABLE IF EXISTS ");
    ListCell *cell;
    foreach (cell, relids)
        appendStringInfo(&sql, "%s%s", foreach_current_index(cell) ? ", " : "",
                         qualified_table_name(lfirst_oid(cell)));
    if (cascade)
        appendStringInfoString(&sql, " CASCADE");
    run_on_targets(targets, sql.data);
}

} // namespace shardwise
