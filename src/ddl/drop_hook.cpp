// Follows DROP to the shards: a distributed table's rows there go with it, in the same transaction.
// Also keeps the key columns and the shards' servers from being dropped.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/moves.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/ddl.hpp"
#include "ddl/drops.hpp"
#include "ddl/forward.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"
#include "ddl/table_shipment.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "commands/event_trigger.h"
#include "foreign/foreign.h"
}

namespace shardwise
{

static object_access_hook_type previous_hook = nullptr;

static void refuse_key_column(const Table *table, Oid relid, int column)
{
    if (is_key_column(table, column))
        ereport(ERROR, (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
                        errmsg("cannot drop shard key column \"%s\" of table \"%s\"",
                               get_attname(relid, column, false), get_rel_name(relid)),
                        errhint("Bring the table home first: SELECT "
                                "shardwise.undistribute_table(%s).",
                                quote_literal_cstr(qualified_table_name(topmost_table(relid))))));
}

// CASCADE, because the router has already decided: what depends on the table there is gone or
// going.
static void drop_table_on_shards(Oid relid)
{
    check_ddl_allowed(relid, "DROP TABLE");
    if (!session_restores_dump() && !note_drop(RelationRelationId, relid, 0)) {
        Management management = begin_ddl();
        drop_shipped_tables(management.targets, list_make1_oid(relid), true);
        end_management(&management);
    }
    delete_distribution(relid); // a partition has no row
}

// DROP EXTENSION takes the catalog away. Rows stay where they are.
static void announce_end_of_catalog()
{
    List *relids = list_distributions();
    if (relids != NIL)
        ereport(NOTICE, (errmsg("shards keep their tables and rows"),
                         errdetail_plural("%d table is empty on the router and no longer leads to "
                                          "them.",
                                          "%d tables are empty on the router and no longer lead to "
                                          "them.",
                                          list_length(relids), list_length(relids)),
                         errhint("To have the rows on the router, use "
                                 "shardwise.undistribute_table() before DROP EXTENSION.")));
}

// Nobody looks after what moves have made on shards once their rows are gone.
static void announce_abandoned_moves()
{
    SqlRows rows = query_router("SELECT string_agg(DISTINCT quote_ident(shard_name), ', ' ORDER BY "
                                "quote_ident(shard_name)) "
                                "FROM shardwise.move m JOIN shardwise.shard s ON s.shard_id IN "
                                "(source_shard, target_shard) "
                                "WHERE leftovers");
    if (rows.values[0][0] == nullptr)
        return;
    ereport(WARNING,
            (errmsg("moves of rows between shards are not over"),
             errdetail("Replication slots, subscriptions and triggers of theirs stay on shards %s, "
                       "and rows on shards that do not own them. The slots keep WAL there until "
                       "they are dropped; all names begin with \"%s\".",
                       rows.values[0][0], move_object_prefix()),
             errhint("Use finish_plan(), rollback_plan() or cancel_plan() before DROP "
                     "EXTENSION.")));
}

// DROP EXTENSION takes one catalog table after the other.
static bool catalog_is_whole()
{
    for (const char *name :
         {"shard", "keyspace", "map_entry", "pin", "ghost_range", "shipped_function",
          "shipped_type", "shipped_schema", "shipped_extension", "shipped_collation",
          "shipped_operator", "shipped_operator_class", "shipped_operator_family", "shipped_cast",
          "shipped_parser", "shipped_template", "shipped_dictionary", "shipped_configuration"})
        if (!OidIsValid(get_relname_relid(name, schema_oid())))
            return false;
    return true;
}

static void before_table_drop(Oid relid, int column)
{
    const Table *table = find_table(relid);
    if (table == nullptr)
        return;
    if (column != 0)
        refuse_key_column(table, relid, column);
    else
        drop_table_on_shards(relid);
}

static bool is_table_kind(Oid relid)
{
    char kind = get_rel_relkind(relid);
    return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE;
}

// Classes of objects that the shards may have.
static bool is_followed(Oid class_id)
{
    switch (class_id) {
    case RelationRelationId:
    case ProcedureRelationId:
    case TypeRelationId:
    case NamespaceRelationId:
    case ExtensionRelationId:
    case ConstraintRelationId:
    case AttrDefaultRelationId:
    case TriggerRelationId:
    case PolicyRelationId:
    case StatisticExtRelationId:
    case CollationRelationId:
    case OperatorRelationId:
    case OperatorClassRelationId:
    case OperatorFamilyRelationId:
    case CastRelationId:
    case TSParserRelationId:
    case TSTemplateRelationId:
    case TSDictionaryRelationId:
    case TSConfigRelationId:
        return true;
    default:
        return false;
    }
}

static void before_drop(Oid class_id, Oid object_id, int sub_id)
{
    Oid distributions = get_relname_relid("distribution", schema_oid());
    if (class_id == RelationRelationId && object_id == distributions && sub_id == 0)
        announce_end_of_catalog();
    if (class_id == RelationRelationId && sub_id == 0 &&
        object_id == get_relname_relid("move", schema_oid()))
        announce_abandoned_moves();
    if (object_id == distributions || !OidIsValid(distributions) || !catalog_is_whole())
        return;
    bool is_table = class_id == RelationRelationId && is_table_kind(object_id);
    if (is_table && get_rel_namespace(object_id) == schema_oid())
        return;
    if (is_table)
        before_table_drop(object_id, sub_id);
    if (!session_restores_dump() && !(is_table && sub_id == 0))
        note_drop(class_id, object_id, sub_id);
    delete_shipped_object(class_id, object_id);
}

} // namespace shardwise

using namespace shardwise;

extern "C" {
static void shardwise_object_access(ObjectAccessType access, Oid class_id, Oid object_id,
                                    int sub_id, void *argument)
{
    if (previous_hook != nullptr)
        previous_hook(access, class_id, object_id, sub_id, argument);
    if (access != OAT_DROP || object_id < FirstNormalObjectId || !is_followed(class_id))
        return;
    // What a command replaces, say an index that it builds anew, is no loss.
    int flags = argument != nullptr ? static_cast<ObjectAccessDrop *>(argument)->dropflags : 0;
    if ((flags & PERFORM_DELETION_INTERNAL) == 0 && IsTransactionState() && extension_exists())
        before_drop(class_id, object_id, sub_id);
}
}

void shardwise::init_ddl_drop_hook()
{
    previous_hook = object_access_hook;
    object_access_hook = shardwise_object_access;
}

// Event trigger on DROP and ALTER SERVER: a shard is reached through the server of its name.
SHARDWISE_FUNCTION(shardwise_keep_servers)
{
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("must be called as an event trigger")));
    if (!extension_exists() || session_restores_dump())
        PG_RETURN_NULL();
    const Shard *const *shards;
    int count = list_shards(&shards);
    for (int i = 0; i < count; i++) {
        const char *name = NameStr(shards[i]->name);
        if (OidIsValid(get_foreign_server_oid(name, true)))
            continue;
        ereport(ERROR, (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
                        errmsg("server \"%s\" belongs to shard \"%s\"", name, name),
                        errhint("Use shardwise.remove_shard() or shardwise.update_shard().")));
    }
    PG_RETURN_NULL();
}
