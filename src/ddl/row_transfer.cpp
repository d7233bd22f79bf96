#include "pg/pg.hpp"

#include "ddl/row_transfer.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/table_definition.hpp"
#include "executor/row_format.hpp"
#include "executor/row_stream.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "access/tableam.h"
#include "catalog/index.h"
#include "commands/copy.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "parser/parse_relation.h"
#include "pgstat.h"
#include "storage/predicate.h"
}

namespace shardwise
{

static const char *copy_options(bool binary)
{
    return binary ? "(FORMAT binary)" : "(FORMAT text)";
}

// Copies one table that has rows of its own. All rows that exist count, whatever the transaction's
// snapshot sees: the table is emptied afterwards. The lock keeps others from adding any.
static uint64 copy_leaf_out(Relation rel, const List *shards)
{
    RowStreamOptions options = {};
    options.by_attribute = true;
    options.management = true;
    options.shards = shards;
    RowStream *stream = open_row_stream(rel, options);

    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    TableScanDesc scan = table_beginscan(rel, snapshot, 0, nullptr);
    TupleTableSlot *slot = table_slot_create(rel, nullptr);
    uint64 rows = 0;
    while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
        slot_getallattrs(slot);
        send_row(stream, slot->tts_values, slot->tts_isnull, ++rows);
    }
    ExecDropSingleTupleTableSlot(slot);
    table_endscan(scan);
    UnregisterSnapshot(snapshot);

    uint64 stored = close_row_stream(stream);
    if (stored != rows)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("shards stored %llu of %llu rows", (unsigned long long)stored,
                               (unsigned long long)rows),
                        errhint("Look for triggers or rules on the shards.")));
    return rows;
}

uint64 copy_rows_out(const Table *table, const List *targets)
{
    uint64 rows = 0;
    List *shards = NIL;
    ListCell *cell;
    foreach (cell, targets)
        shards = lappend_int(shards, static_cast<const Target *>(lfirst(cell))->shard_id);
    foreach (cell, table_tree(table->relid, NoLock)) {
        Relation rel = table_open(lfirst_oid(cell), NoLock);
        if (rel->rd_rel->relkind == RELKIND_RELATION)
            rows += copy_leaf_out(rel, shards);
        table_close(rel, NoLock);
    }
    return rows;
}

// Gives a table a new, empty file, as TRUNCATE does.
static void empty_relation(Relation rel)
{
    CheckTableForSerializableConflictIn(rel);
    RelationSetNewRelfilenode(rel, rel->rd_rel->relpersistence);
    Oid toast_relid = rel->rd_rel->reltoastrelid;
    if (OidIsValid(toast_relid)) {
        Relation toast = table_open(toast_relid, AccessExclusiveLock);
        RelationSetNewRelfilenode(toast, toast->rd_rel->relpersistence);
        table_close(toast, NoLock);
    }
    ReindexParams params = {};
    reindex_relation(RelationGetRelid(rel), REINDEX_REL_PROCESS_TOAST, &params);
    pgstat_count_truncate(rel);
}

void empty_local_table(Oid relid)
{
    ListCell *cell;
    foreach (cell, table_tree(relid, NoLock)) {
        Relation rel = table_open(lfirst_oid(cell), NoLock);
        if (rel->rd_rel->relkind == RELKIND_RELATION)
            empty_relation(rel);
        table_close(rel, NoLock);
    }
}

// COPY's data source takes no argument of ours.
static struct {
    Connection *connection;
    const char *data;
    int left;
    bool ended;
} home_source;

extern "C" {
static int read_home_source(void *out, int minread, int maxread)
{
    int copied = 0;
    while (copied < minread && !home_source.ended) {
        if (home_source.left == 0) {
            home_source.left = read_copy_data(home_source.connection, &home_source.data);
            if (home_source.left < 0) {
                home_source.left = 0;
                home_source.ended = true;
                break;
            }
        }
        int part = Min(home_source.left, maxread - copied);
        memcpy(static_cast<char *>(out) + copied, home_source.data, part);
        home_source.data += part;
        home_source.left -= part;
        copied += part;
    }
    return copied;
}
}

static List *column_name_list(Relation rel)
{
    List *names = NIL;
    TupleDesc desc = RelationGetDescr(rel);
    for (int i = 0; i < desc->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(desc, i);
        if (!attribute->attisdropped && !attribute->attgenerated)
            names = lappend(names, makeString(pstrdup(NameStr(attribute->attname))));
    }
    return names;
}

static void start_home_copy(Connection *connection, Relation rel, bool binary)
{
    start_copy_out(connection, psprintf("COPY %s (%s) TO STDOUT WITH %s",
                                        qualified_table_name(RelationGetRelid(rel)),
                                        table_column_list(rel), copy_options(binary)));
    home_source = {connection, nullptr, 0, false};
}

static CopyFromState begin_local_copy(Relation rel, bool binary)
{
    ParseState *pstate = make_parsestate(nullptr);
    addRangeTableEntryForRelation(pstate, rel, AccessShareLock, nullptr, false, false);
    List *options = list_make1(makeDefElem(
        pstrdup("format"), (Node *)makeString(pstrdup(binary ? "binary" : "text")), -1));
    return BeginCopyFrom(pstate, rel, nullptr, nullptr, false, read_home_source,
                         column_name_list(rel), options);
}

// While a move has rows in flight, a shard holds rows that it does not own.
static bool is_owned_by(const Table *table, int32 shard_id, const AttrNumber *key_columns,
                        const Datum *values)
{
    if (table->is_reference)
        return true;
    Datum key[max_key_columns];
    for (int i = 0; i < table->nkeys; i++)
        key[i] = values[key_columns[i] - 1];
    return find_owner(table->keyspace, key) == shard_id;
}

// Leaving such a row behind would lose it.
static void raise_misplaced_row(const Table *table, const Target *source)
{
    ereport(ERROR,
            (errcode(ERRCODE_DATA_CORRUPTED),
             errmsg("shard \"%s\" holds a row of %s that it does not own",
                    connection_shard_name(source->connection), qualified_table_name(table->relid)),
             errhint("Find and move it on the shard: shardwise.locate() tells where its key "
                     "belongs.")));
}

struct LocalInsert {
    Relation rel;
    EState *estate;
    ResultRelInfo *result_rel;
    BulkInsertState bulk;
    MemoryContext context; // values of the rows that wait
    TupleTableSlot *slots[1000];
    int waiting;
};

static LocalInsert *begin_local_insert(Relation rel)
{
    LocalInsert *insert = static_cast<LocalInsert *>(palloc0(sizeof(LocalInsert)));
    insert->rel = rel;
    insert->estate = CreateExecutorState();
    insert->result_rel = makeNode(ResultRelInfo);
    InitResultRelInfo(insert->result_rel, rel, 1, nullptr, 0);
    insert->bulk = GetBulkInsertState();
    insert->context =
        AllocSetContextCreate(CurrentMemoryContext, "shardwise rows", ALLOCSET_DEFAULT_SIZES);
    return insert;
}

static void flush_local_insert(LocalInsert *insert)
{
    if (insert->waiting > 0)
        table_multi_insert(insert->rel, insert->slots, insert->waiting, GetCurrentCommandId(true),
                           TABLE_INSERT_SKIP_FSM, insert->bulk);
    for (int i = 0; i < insert->waiting; i++)
        ExecClearTuple(insert->slots[i]);
    insert->waiting = 0;
    ResetPerTupleExprContext(insert->estate);
    MemoryContextReset(insert->context);
}

static TupleTableSlot *next_slot(LocalInsert *insert)
{
    TupleTableSlot **slot = &insert->slots[insert->waiting];
    if (*slot == nullptr)
        *slot = table_slot_create(insert->rel, nullptr);
    ExecClearTuple(*slot);
    return *slot;
}

static void end_local_insert(LocalInsert *insert)
{
    flush_local_insert(insert);
    for (TupleTableSlot *slot : insert->slots)
        if (slot != nullptr)
            ExecDropSingleTupleTableSlot(slot);
    FreeBulkInsertState(insert->bulk);
    table_finish_bulk_insert(insert->rel, TABLE_INSERT_SKIP_FSM);
    MemoryContextDelete(insert->context);
    FreeExecutorState(insert->estate);
}

static uint64 count_on_shard(Connection *connection, Oid relid)
{
    PGresult *result = run_command(
        connection, psprintf("SELECT count(*) FROM ONLY %s", qualified_table_name(relid)));
    return strtoull(PQgetvalue(result, 0, 0), nullptr, 10);
}

static uint64 copy_leaf_home(const Table *table, Relation rel, const Target *source)
{
    bool binary = columns_are_portable_in_binary(rel, copied_columns(rel));
    uint64 expected = count_on_shard(source->connection, RelationGetRelid(rel));
    AttrNumber key_columns[max_key_columns];
    find_key_columns_in(RelationGetRelid(rel), table, key_columns);
    start_home_copy(source->connection, rel, binary);
    CopyFromState copy = begin_local_copy(rel, binary);
    LocalInsert *insert = begin_local_insert(rel);
    bool has_generated = rel->rd_att->constr && rel->rd_att->constr->has_generated_stored;

    bool may_hold_others =
        !table->is_reference && has_ghost_ranges(table->keyspace->id, source->shard_id);
    uint64 received = 0, kept = 0;
    MemoryContext caller = CurrentMemoryContext;
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        TupleTableSlot *slot = next_slot(insert);
        MemoryContextSwitchTo(insert->context);
        bool found = NextCopyFrom(copy, GetPerTupleExprContext(insert->estate), slot->tts_values,
                                  slot->tts_isnull);
        MemoryContextSwitchTo(caller);
        if (!found)
            break;
        received++;
        if (!is_owned_by(table, source->shard_id, key_columns, slot->tts_values)) {
            if (!may_hold_others)
                raise_misplaced_row(table, source);
            continue;
        }
        ExecStoreVirtualTuple(slot);
        slot->tts_tableOid = RelationGetRelid(rel);
        if (has_generated)
            ExecComputeStoredGenerated(insert->result_rel, insert->estate, slot, CMD_INSERT);
        kept++;
        if (++insert->waiting == lengthof(insert->slots))
            flush_local_insert(insert);
    }
    EndCopyFrom(copy);
    end_local_insert(insert);
    // Text ends with the data, binary with a marker: either way the stream must be read to its end.
    const char *rest;
    while (!home_source.ended && read_copy_data(source->connection, &rest) >= 0)
        CHECK_FOR_INTERRUPTS();
    if (received != expected)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("shard \"%s\" sent %llu of %llu rows",
                               connection_shard_name(source->connection),
                               (unsigned long long)received, (unsigned long long)expected)));
    return kept;
}

uint64 copy_rows_home(const Table *table, const Target *source)
{
    uint64 rows = 0;
    ListCell *cell;
    foreach (cell, table_tree(table->relid, NoLock)) {
        Relation rel = table_open(lfirst_oid(cell), NoLock);
        if (rel->rd_rel->relkind == RELKIND_RELATION)
            rows += copy_leaf_home(table, rel, source);
        table_close(rel, NoLock);
    }
    return rows;
}

void rebuild_local_indexes(Oid relid)
{
    CommandCounterIncrement();
    ListCell *cell;
    foreach (cell, table_tree(relid, NoLock)) {
        ReindexParams params = {};
        if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
            reindex_relation(lfirst_oid(cell), 0, &params);
    }
}

static uint64 copy_leaf_between(Relation rel, const Target *source, const Target *target)
{
    const char *options = copy_options(columns_are_portable_in_binary(rel, copied_columns(rel)));
    char *name = qualified_table_name(RelationGetRelid(rel));
    char *columns = table_column_list(rel);
    uint64 expected = count_on_shard(source->connection, RelationGetRelid(rel)), stored = 0;
    start_copy_out(source->connection,
                   psprintf("COPY %s (%s) TO STDOUT WITH %s", name, columns, options));
    start_copy_in(target->connection,
                  psprintf("COPY %s (%s) FROM STDIN WITH %s", name, columns, options), &stored);
    const char *data;
    int length;
    while ((length = read_copy_data(source->connection, &data)) >= 0) {
        CHECK_FOR_INTERRUPTS();
        write_copy_data(target->connection, data, length);
        while (copy_is_backlogged(target->connection))
            wait_for_copy_progress(target->connection);
    }
    end_copy_in(target->connection);
    if (stored != expected)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("shard \"%s\" stored %llu of %llu rows",
                               connection_shard_name(target->connection),
                               (unsigned long long)stored, (unsigned long long)expected)));
    return stored;
}

uint64 copy_between_shards(Oid relid, const Target *source, const Target *target)
{
    uint64 rows = 0;
    ListCell *cell;
    foreach (cell, table_tree(relid, NoLock)) {
        Relation rel = table_open(lfirst_oid(cell), NoLock);
        if (rel->rd_rel->relkind == RELKIND_RELATION)
            rows += copy_leaf_between(rel, source, target);
        table_close(rel, NoLock);
    }
    return rows;
}

} // namespace shardwise
