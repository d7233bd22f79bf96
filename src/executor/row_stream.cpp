#include "executor/row_stream.hpp"

#include "catalog/gate.hpp"
#include "catalog/write_locks.hpp"
#include "executor/row_format.hpp"
#include "executor/shard_copy.hpp"
#include "pg/names.hpp"
#include "routing/shard_choice.hpp"

namespace shardwise
{

struct RowStream {
    Relation rel;
    const Keyspace *keyspace; // nullptr: a reference table
    const List *shards;       // of a reference table
    ShardCopy *copy;
    RowFormat *format;
    bool by_attribute;
    bool management;
    int nkeys;
    AttrNumber key_columns[max_key_columns]; // in this table
    int key_values[max_key_columns];         // where they are in a row; -1: not there
    MemoryContext row_context;
};

// Finds the key in the table, which may be a partition, and in the rows that will come.
static void find_key_columns(RowStream *stream, const Table *table, const List *columns,
                             bool by_attribute)
{
    stream->nkeys = table->nkeys;
    find_key_columns_in(RelationGetRelid(stream->rel), table, stream->key_columns);
    for (int i = 0; i < table->nkeys; i++) {
        AttrNumber column = stream->key_columns[i];
        stream->key_values[i] = -1;
        ListCell *cell;
        foreach (cell, columns)
            if (lfirst_int(cell) == column)
                stream->key_values[i] = by_attribute ? column - 1 : foreach_current_index(cell);
    }
}

static ShardCopy *begin_copy(Relation rel, const List *columns, bool binary,
                             const RowStreamOptions &options)
{
    ShardCopyOptions copy = {};
    copy.command = psprintf("COPY %s (%s) FROM STDIN WITH (FORMAT %s%s)",
                            qualified_table_name(RelationGetRelid(rel)),
                            column_names(RelationGetRelid(rel), columns),
                            binary ? "binary" : "text", options.freeze ? ", FREEZE true" : "");
    copy.management = options.management;
    copy.copied_name = options.copied_name;
    copy.context = options.context != nullptr ? options.context : error_context_stack;
    if (binary) {
        StringInfo header = makeStringInfo();
        append_binary_header(header);
        copy.preamble = header->data;
        copy.preamble_length = header->len;
    }
    return begin_shard_copy(copy);
}

void begin_bulk_write(const Table *table)
{
    if (table->is_reference)
        lock_reference_writes(table->relid);
    else
        enter_all_gates(table->keyspace->id);
}

RowStream *open_row_stream(Relation rel, const RowStreamOptions &options)
{
    Oid relid = RelationGetRelid(rel);
    const Table *table = find_table(relid);
    if (!options.management) {
        begin_bulk_write(table);
        table = find_table(relid);
    }
    const List *columns = options.columns != NIL ? options.columns : copied_columns(rel);
    bool binary = columns_are_portable_in_binary(rel, columns);

    RowStream *stream = static_cast<RowStream *>(palloc0(sizeof(RowStream)));
    stream->rel = rel;
    stream->keyspace = table->keyspace;
    stream->by_attribute = options.by_attribute;
    stream->management = options.management;
    stream->format = prepare_row_format(rel, columns, binary);
    if (table->is_reference)
        stream->shards = options.shards != NIL ? options.shards : list_all_shards();
    else
        find_key_columns(stream, table, columns, options.by_attribute);
    stream->copy = begin_copy(rel, columns, binary, options);
    stream->row_context =
        AllocSetContextCreate(CurrentMemoryContext, "shardwise row", ALLOCSET_DEFAULT_SIZES);
    return stream;
}

void raise_unowned_key(Relation rel, bool distributing)
{
    ereport(ERROR,
            (errcode(ERRCODE_CHECK_VIOLATION),
             errmsg("no shard owns the key of a row of \"%s\"", RelationGetRelationName(rel)),
             distributing
                 ? errhint("Name the key in splits, or give a default_shard.")
                 : errhint("Add the key to the shard map, or give the table a default shard.")));
}

void raise_null_key(Relation rel, AttrNumber column)
{
    const char *name = NameStr(TupleDescAttr(RelationGetDescr(rel), column - 1)->attname);
    ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
                    errmsg("null value in column \"%s\" of relation \"%s\" violates not-null "
                           "constraint",
                           name, RelationGetRelationName(rel)),
                    errtablecol(rel, column)));
}

// Any shard refuses a row without key, and says it best.
static void refuse_null_key(RowStream *stream, int key, StringInfo row, uint64 line)
{
    copy_row(stream->copy, any_owner(stream->keyspace), row->data, row->len, line);
    fail_shard_copy(stream->copy, nullptr, 0);
    raise_null_key(stream->rel, stream->key_columns[key]);
}

static int32 find_row_owner(RowStream *stream, const Datum *values, const bool *nulls,
                            StringInfo row, uint64 line)
{
    Datum key[max_key_columns];
    for (int i = 0; i < stream->nkeys; i++) {
        int at = stream->key_values[i];
        if (at < 0 || nulls[at])
            refuse_null_key(stream, i, row, line);
        key[i] = values[at];
    }
    int32 owner = find_owner(stream->keyspace, key);
    if (owner == 0)
        raise_unowned_key(stream->rel, stream->management);
    return owner;
}

void send_row(RowStream *stream, const Datum *values, const bool *nulls, uint64 line)
{
    CHECK_FOR_INTERRUPTS();
    MemoryContextReset(stream->row_context);
    MemoryContext caller = MemoryContextSwitchTo(stream->row_context);
    StringInfoData row;
    initStringInfo(&row);
    encode_row(stream->format, values, nulls, stream->by_attribute, &row);
    if (stream->keyspace != nullptr) {
        int32 owner = find_row_owner(stream, values, nulls, &row, line);
        copy_row(stream->copy, owner, row.data, row.len, line);
    } else {
        ListCell *cell;
        foreach (cell, stream->shards)
            copy_row(stream->copy, lfirst_int(cell), row.data, row.len, line);
    }
    MemoryContextSwitchTo(caller);
}

uint64 close_row_stream(RowStream *stream)
{
    uint64 rows = end_shard_copy(stream->copy, stream->keyspace == nullptr);
    MemoryContextDelete(stream->row_context);
    return rows;
}

void fail_row_stream(RowStream *stream, ErrorData *own, uint64 line)
{
    fail_shard_copy(stream->copy, own, line);
}

List *streamed_shards(const RowStream *stream)
{
    return copied_shards(stream->copy);
}

} // namespace shardwise
