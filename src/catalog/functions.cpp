// Functions of this room that SQL calls: the key space's hash, and the announcement of changes that
// statements make to our tables.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/catalog_tables.hpp"
#include "pg/restoring.hpp"

extern "C" {
#include "commands/trigger.h"
}

namespace shardwise
{

static const Table *find_distributed_table(Oid relid)
{
    const Table *table = find_table(relid);
    if (!table || table->is_reference)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("\"%s\" is not a distributed table",
                               get_rel_name(relid) ? get_rel_name(relid) : "???")));
    return table;
}

static char *describe_hash(const Table *table)
{
    const char *columns[max_key_columns];
    quote_key_columns(table, columns);
    return hash_expression_sql(table->keyspace, columns);
}

// Announces the relation of a row of the distribution table.
static void announce_distribution(TriggerData *trigger, HeapTuple row)
{
    bool isnull;
    Datum relid = heap_getattr(row, column::distribution_relation,
                               RelationGetDescr(trigger->tg_relation), &isnull);
    if (!isnull && SearchSysCacheExists1(RELOID, relid))
        invalidate_table(DatumGetObjectId(relid));
}

static void announce_change(TriggerData *trigger)
{
    if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event)) {
        announce_distribution(trigger, trigger->tg_trigtuple);
        if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
            announce_distribution(trigger, trigger->tg_newtuple);
    } else {
        CacheInvalidateRelcache(trigger->tg_relation);
    }
}

static HeapTuple mark_restored(TriggerData *trigger)
{
    int column = column::distribution_restored;
    Datum value = BoolGetDatum(session_restores_dump());
    bool isnull = false;
    return heap_modify_tuple_by_cols(trigger->tg_trigtuple, RelationGetDescr(trigger->tg_relation),
                                     1, &column, &value, &isnull);
}

} // namespace shardwise

// Computes the hash of a key of a distributed table; NULL for a key with a NULL.
SHARDWISE_FUNCTION(shardwise_key_hash)
{
    using namespace shardwise;
    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    const Table *table = find_distributed_table(PG_GETARG_OID(0));
    Datum values[max_key_columns];
    if (!key_from_arguments(fcinfo, 1, table->keyspace, values))
        PG_RETURN_NULL();
    PG_RETURN_INT64(hash_key(table->keyspace, values));
}

// Returns the same as an SQL expression over the table's columns.
SHARDWISE_FUNCTION(shardwise_key_hash_expression)
{
    using namespace shardwise;
    const Table *table = find_distributed_table(PG_GETARG_OID(0));
    PG_RETURN_TEXT_P(cstring_to_text(describe_hash(table)));
}

SHARDWISE_FUNCTION(shardwise_catalog_changed)
{
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("function \"catalog_changed\" was not called by a trigger")));
    shardwise::announce_change((TriggerData *)fcinfo->context);
    PG_RETURN_POINTER(nullptr);
}

SHARDWISE_FUNCTION(shardwise_mark_restored)
{
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("function \"mark_restored\" was not called by a trigger")));
    PG_RETURN_POINTER(shardwise::mark_restored((TriggerData *)fcinfo->context));
}
