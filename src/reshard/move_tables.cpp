#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/key_set.hpp"
#include "pg/names.hpp"
#include "pg/types.hpp"
#include "reshard/move_tables.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/pg_inherits.h"
#include "utils/relcache.h"
}

namespace shardwise
{

namespace
{

// Types whose hash function sees every difference that a client can see, and hashes alike on every
// server. Others are compared as text.
bool hashes_exactly(Oid type)
{
    switch (type) {
    case BOOLOID:
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
    case BYTEAOID:
    case UUIDOID:
    case DATEOID:
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case CHAROID:
    case NAMEOID:
        return true;
    default:
        return false;
    }
}

// One column as it enters the row's hash. Collations may find different strings equal.
char *hashed_column(const Form_pg_attribute attribute)
{
    const char *name = quote_identifier(NameStr(attribute->attname));
    Oid type = getBaseType(attribute->atttypid);
    if (type == TEXTOID || type == VARCHAROID)
        return psprintf("(%s COLLATE \"C\")", name);
    if (hashes_exactly(type))
        return pstrdup(name);
    return psprintf("(%s::pg_catalog.text COLLATE \"C\")", name);
}

char *hash_of(const char *columns)
{
    return psprintf("pg_catalog.hash_record_extended(ROW(%s), 0)", columns);
}

void append_column(StringInfo list, const char *sql)
{
    appendStringInfo(list, "%s%s", list->len > 0 ? ", " : "", sql);
}

// By way of a text that is put together: a value that is merely assigned may stay where it is.
void append_large_value(StringInfo sql, const Form_pg_attribute attribute)
{
    const char *name = quote_identifier(NameStr(attribute->attname));
    appendStringInfo(sql, "NEW.%s := (NEW.%s::pg_catalog.text || '')::%s; ", name, name,
                     format_type_extended(attribute->atttypid, -1, FORMAT_TYPE_FORCE_QUALIFY));
}

void describe_columns(MoveTable *table, Relation relation)
{
    StringInfoData columns, hashed, large;
    initStringInfo(&columns);
    initStringInfo(&hashed);
    initStringInfo(&large);
    TupleDesc desc = RelationGetDescr(relation);
    table->binary = true;
    for (int i = 0; i < desc->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(desc, i);
        if (attribute->attisdropped || attribute->attgenerated != '\0')
            continue;
        append_column(&columns, quote_identifier(NameStr(attribute->attname)));
        append_column(&hashed, hashed_column(attribute));
        table->binary = table->binary && is_portable_in_binary(attribute->atttypid);
        if (attribute->attlen == -1 && attribute->attstorage != TYPSTORAGE_PLAIN)
            append_large_value(&large, attribute);
    }
    table->columns = columns.data;
    table->row_hash = hash_of(hashed.data);
    table->large_values = large.len > 0 ? large.data : nullptr;
}

void describe_identity(MoveTable *table, Relation relation)
{
    table->key_hash = table->row_hash;
    (void)RelationGetIndexList(relation); // finds the primary key
    Oid index = relation->rd_pkindex;
    if (!OidIsValid(index))
        return;
    StringInfoData names, hashed;
    initStringInfo(&names);
    initStringInfo(&hashed);
    Relation key = index_open(index, AccessShareLock);
    for (int i = 0; i < key->rd_index->indnkeyatts; i++) {
        AttrNumber column = key->rd_index->indkey.values[i];
        Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), column - 1);
        append_column(&names, quote_identifier(NameStr(attribute->attname)));
        append_column(&hashed, hashed_column(attribute));
    }
    index_close(key, AccessShareLock);
    table->identity = names.data;
    table->key_hash = hash_of(hashed.data);
}

char *filter_sql(const Table *table, const KeySet *keys, const char *prefix)
{
    const char *columns[max_key_columns];
    quote_key_columns(table, columns);
    for (int i = 0; i < table->nkeys; i++)
        columns[i] = psprintf("%s%s", prefix, columns[i]);
    return key_set_sql(table->keyspace, keys, columns);
}

MoveTable *describe_table(RunningMove *move, Oid relid)
{
    Relation relation = table_open(relid, AccessShareLock);
    const Table *distributed = find_table(relid);
    if (distributed == nullptr || distributed->keyspace == nullptr)
        elog(ERROR, "table %u is not distributed", relid);
    KeySet *keys = load_key_set(distributed->keyspace, move->id, CurrentMemoryContext);
    MoveTable *table = (MoveTable *)palloc0(sizeof(MoveTable));
    table->relid = relid;
    table->name = qualified_table_name(relid);
    table->filter = filter_sql(distributed, keys, "");
    table->old_filter = filter_sql(distributed, keys, "OLD.");
    table->new_filter = filter_sql(distributed, keys, "NEW.");
    describe_columns(table, relation);
    describe_identity(table, relation);
    ListCell *cell;
    foreach (cell, find_all_inheritors(relid, AccessShareLock, nullptr)) {
        Oid child = lfirst_oid(cell);
        move->relations = lappend_oid(move->relations, child);
        if (get_rel_relkind(child) == RELKIND_RELATION)
            table->leaves = lappend(table->leaves, qualified_table_name(child));
    }
    table_close(relation, AccessShareLock);
    return table;
}

} // namespace

void load_move_tables(RunningMove *move)
{
    move->tables = NIL;
    move->relations = NIL;
    in_transaction([&] {
        Rows rows = catalogf("SELECT relation::oid FROM shardwise.distribution WHERE "
                             "keyspace_id = %d ORDER BY relation::oid",
                             move->keyspace_id);
        for (int i = 0; i < rows.count; i++)
            move->tables = lappend(
                move->tables, describe_table(move, (Oid)strtoul(rows.values[i][0], nullptr, 10)));
    });
}

} // namespace shardwise
