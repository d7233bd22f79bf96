#include "executor/row_triggers.hpp"

#include "executor/moved_references.hpp"
#include "pg/names.hpp"
#include "pg/triggers.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "access/table.h"
#include "access/tableam.h"
#include "access/tupconvert.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"
}

namespace shardwise
{

namespace
{

// A table whose triggers fire for its own rows: the target, or a partition of it.
struct TriggerTable {
    Oid relid;
    Relation relation;
    ResultRelInfo *info;
    bool fires_after; // for rows
    MovedReferences *references;
    TupleTableSlot *old_row, *new_row;
    TupleConversionMap *from_target, *to_target; // nullptr: the rows are alike
    ItemPointerData *stored;                     // rows in the router's table
    int64 nstored, room;
};

// A row that moves, and where it was.
struct FollowedRow {
    TriggerTable *table;
    int32 shard;
    ItemPointerData place;
};

} // namespace

struct RowTriggers {
    const ModifyPlan *plan;
    EState *estate;
    ResultRelInfo *target;
    TransitionCaptureState *capture;
    List *tables; // TriggerTable *
    TupleTableSlot *old_row, *new_row;
    Tuplestorestate *old_rows, *new_rows; // that others refer to
    List *followed;                       // FollowedRow *, one a row of these
    RowTriggers *outer;                   // of the statement whose rows are followed by this one's
};

namespace
{

// ---- tables ------------------------------------------------------------------------------------

ResultRelInfo *make_result_table(RowTriggers *triggers, Relation relation)
{
    ResultRelInfo *info = makeNode(ResultRelInfo);
    bool is_target = RelationGetRelid(relation) == triggers->plan->relid;
    InitResultRelInfo(info, relation, is_target ? 1 : 0, is_target ? nullptr : triggers->target, 0);
    // PostgreSQL's own triggers are the shards' matter, who check foreign keys.
    TriggerDesc *desc = info->ri_TrigDesc;
    for (int i = 0; desc != nullptr && i < desc->numtriggers; i++)
        if (desc->triggers[i].tgisinternal)
            desc->triggers[i].tgtype = 0;
    return info;
}

TriggerTable *open_trigger_table(RowTriggers *triggers, Oid relid)
{
    MemoryContext saved = MemoryContextSwitchTo(triggers->estate->es_query_cxt);
    TriggerTable *table = (TriggerTable *)palloc0(sizeof(TriggerTable));
    table->relid = relid;
    table->relation = table_open(relid, RowExclusiveLock);
    table->info = make_result_table(triggers, table->relation);
    table->fires_after = find_user_trigger(table->relation, TRIGGER_TYPE_ROW, TRIGGER_TYPE_UPDATE,
                                           TRIGGER_TYPE_BEFORE) != nullptr;
    TupleDesc target = RelationGetDescr(triggers->target->ri_RelationDesc);
    TupleDesc own = RelationGetDescr(table->relation);
    table->from_target = convert_tuples_by_name(target, own);
    table->to_target = convert_tuples_by_name(own, target);
    table->old_row = ExecInitExtraTupleSlot(triggers->estate, own, &TTSOpsVirtual);
    table->new_row = ExecInitExtraTupleSlot(triggers->estate, own, &TTSOpsVirtual);
    triggers->tables = lappend(triggers->tables, table);
    MemoryContextSwitchTo(saved);
    return table;
}

// The table of a row: a partition, or (0) the target.
TriggerTable *find_trigger_table(RowTriggers *triggers, Oid relid)
{
    if (!OidIsValid(relid))
        relid = triggers->plan->relid;
    ListCell *cell;
    foreach (cell, triggers->tables)
        if (((TriggerTable *)lfirst(cell))->relid == relid)
            return (TriggerTable *)lfirst(cell);
    return open_trigger_table(triggers, relid);
}

void convert(const TupleConversionMap *map, TupleTableSlot *from, TupleTableSlot *to)
{
    if (map == nullptr) {
        ExecCopySlot(to, from);
        return;
    }
    execute_attr_map_slot(map->attrMap, from, to);
    ExecMaterializeSlot(to);
}

// Calls the BEFORE triggers of a table for the rows in its slots.
bool call_before_triggers(RowTriggers *triggers, TriggerTable *table)
{
    bool is_own;
    if (table->info->ri_TrigDesc == nullptr)
        return true; // others of the table's partitions have some
    HeapTuple old_row = ExecFetchSlotHeapTuple(table->old_row, true, &is_own);
    old_row->t_tableOid = table->relid;
    bool goes_on = fire_before_update(triggers->estate, table->info, old_row, table->new_row);
    if (goes_on)
        ExecMaterializeSlot(table->new_row);
    if (is_own)
        heap_freetuple(old_row);
    ResetPerTupleExprContext(triggers->estate);
    return goes_on;
}

// As the shard will compute them.
void compute_generated_columns(RowTriggers *triggers, const TriggerTable *table)
{
    const TupleConstr *constraints = RelationGetDescr(table->relation)->constr;
    if (constraints != nullptr && constraints->has_generated_stored)
        ExecComputeStoredGenerated(table->info, triggers->estate, table->new_row, CMD_UPDATE);
    ResetPerTupleExprContext(triggers->estate);
}

// ---- AFTER triggers ----------------------------------------------------------------------------
// PostgreSQL queues these, until the end of the query or of the transaction, with the places of
// rows in the table. There are none in the router's, so that it gets both versions of the row,
// which are deleted at once: nobody else ever sees them, and they can be fetched until the
// transaction ends.

// Autovacuum must not come for it: it would take the statistics of the shards' rows, which ANALYZE
// has gathered, for those of an empty table.
template <typename Change> void change_uncounted(Relation relation, Change change)
{
    bool enabled = relation->pgstat_enabled;
    PgStat_TableStatus *info = relation->pgstat_info;
    relation->pgstat_enabled = false;
    relation->pgstat_info = nullptr;
    change();
    relation->pgstat_enabled = enabled;
    relation->pgstat_info = info;
}

ItemPointer store_row(TriggerTable *table, TupleTableSlot *row)
{
    if (table->nstored == table->room) {
        table->room = std::max((int64)64, 2 * table->room);
        Size size = sizeof(ItemPointerData) * table->room;
        table->stored = table->stored == nullptr
                            ? (ItemPointerData *)palloc(size)
                            : (ItemPointerData *)repalloc_huge(table->stored, size);
    }
    change_uncounted(table->relation, [=] {
        table_tuple_insert(table->relation, row, GetCurrentCommandId(true), TABLE_INSERT_NO_LOGICAL,
                           nullptr);
    });
    table->stored[table->nstored] = row->tts_tid;
    return &table->stored[table->nstored++];
}

void queue_for_row(RowTriggers *triggers, TriggerTable *table)
{
    ItemPointerData place = *store_row(table, table->old_row);
    (void)store_row(table, table->new_row);
    ExecARUpdateTriggers(triggers->estate, table->info, nullptr, nullptr, &place, nullptr,
                         table->new_row, NIL, triggers->capture, false);
}

// Shows a row in the transition tables alone.
void capture_row(RowTriggers *triggers, TriggerTable *table)
{
    TriggerDesc *saved = table->info->ri_TrigDesc;
    HeapTuple old_row = ExecCopySlotHeapTuple(table->old_row);
    table->info->ri_TrigDesc = nullptr;
    ExecARUpdateTriggers(triggers->estate, table->info, nullptr, nullptr, nullptr, old_row,
                         table->new_row, NIL, triggers->capture, false);
    table->info->ri_TrigDesc = saved;
    heap_freetuple(old_row);
}

void delete_stored_rows(const TriggerTable *table)
{
    change_uncounted(table->relation, [=] {
        for (int64 i = 0; i < table->nstored; i++)
            simple_table_tuple_delete(table->relation, &table->stored[i], InvalidSnapshot);
    });
}

// ---- rows that refer ---------------------------------------------------------------------------

// The statement that lets rows follow; within it others may run that do.
RowTriggers *following = nullptr;

Datum place_as_text(const FollowedRow *row)
{
    char *place = DatumGetCString(DirectFunctionCall1(tidout, PointerGetDatum(&row->place)));
    return PointerGetDatum(cstring_to_text(psprintf("%u%s", row->table->relid, place)));
}

// The places of the table's rows on a shard that are to be deleted there, as texts: partition and
// ctid.
Datum find_leaving(const RowTriggers *triggers, int32 shard)
{
    List *rows = NIL;
    Oid table = topmost_table(triggers->plan->relid);
    for (const RowTriggers *each = triggers; each != nullptr; each = each->outer) {
        ListCell *cell;
        foreach (cell, topmost_table(each->plan->relid) == table ? each->followed : NIL) {
            FollowedRow *row = (FollowedRow *)lfirst(cell);
            if (row->shard == shard)
                rows = lappend(rows, row);
        }
    }
    int n = list_length(rows);
    Datum *elements = (Datum *)palloc(sizeof(Datum) * (n + 1));
    for (int i = 0; i < n; i++)
        elements[i] = place_as_text((FollowedRow *)list_nth(rows, i));
    return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

void follow_rows(RowTriggers *triggers)
{
    TupleDesc columns = RelationGetDescr(triggers->target->ri_RelationDesc);
    TupleTableSlot *slot = MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
    int32 shard = 0;
    Datum leaving = 0;
    ListCell *cell;
    foreach (cell, triggers->followed) {
        const FollowedRow *row = (const FollowedRow *)lfirst(cell);
        TriggerTable *table = row->table;
        (void)tuplestore_gettupleslot(triggers->old_rows, true, true, slot);
        convert(table->from_target, slot, table->old_row);
        (void)tuplestore_gettupleslot(triggers->new_rows, true, true, slot);
        convert(table->from_target, slot, table->new_row);
        if (table->references == nullptr)
            table->references = open_moved_references(table->relation);
        if (leaving == 0 || row->shard != shard)
            leaving = find_leaving(triggers, shard = row->shard);
        follow_moved_row(table->references, table->old_row, table->new_row, leaving);
    }
    ExecDropSingleTupleTableSlot(slot);
}

} // namespace

RowTriggers *open_row_triggers(const ModifyPlan *plan)
{
    RowTriggers *triggers = (RowTriggers *)palloc0(sizeof(RowTriggers));
    triggers->plan = plan;
    triggers->estate = CreateExecutorState();
    MemoryContext saved = MemoryContextSwitchTo(triggers->estate->es_query_cxt);
    triggers->target = open_fired_table(triggers->estate, plan->relid, nullptr, plan->move.updated);
    const Relation relation = triggers->target->ri_RelationDesc;
    TupleDesc columns = RelationGetDescr(relation);
    triggers->old_row = ExecInitExtraTupleSlot(triggers->estate, columns, &TTSOpsVirtual);
    triggers->new_row = ExecInitExtraTupleSlot(triggers->estate, columns, &TTSOpsVirtual);
    if (plan->move.fires) {
        ExecBSUpdateTriggers(triggers->estate, triggers->target);
        triggers->capture = MakeTransitionCaptureState(relation->trigdesc, plan->relid, CMD_UPDATE);
    }
    MemoryContextSwitchTo(saved);
    return triggers;
}

TupleTableSlot *old_row_slot(RowTriggers *triggers)
{
    return triggers->old_row;
}

TupleTableSlot *new_row_slot(RowTriggers *triggers)
{
    return triggers->new_row;
}

bool fire_before_update(RowTriggers *triggers, Oid relid)
{
    TriggerTable *table = find_trigger_table(triggers, relid);
    convert(table->from_target, triggers->old_row, table->old_row);
    convert(table->from_target, triggers->new_row, table->new_row);
    if (!call_before_triggers(triggers, table))
        return false;
    compute_generated_columns(triggers, table);
    convert(table->to_target, table->new_row, triggers->new_row);
    return true;
}

bool leaves_partition(RowTriggers *triggers, Oid relid)
{
    TriggerTable *table = find_trigger_table(triggers, relid);
    if (table->relid == triggers->plan->relid)
        return false;
    convert(table->from_target, triggers->new_row, table->new_row);
    return !ExecPartitionCheck(table->info, table->new_row, triggers->estate, false);
}

void keep_updated_row(RowTriggers *triggers, Oid relid, bool fires)
{
    MemoryContext saved = MemoryContextSwitchTo(triggers->estate->es_query_cxt);
    TriggerTable *table = find_trigger_table(triggers, relid);
    convert(table->from_target, triggers->old_row, table->old_row);
    convert(table->from_target, triggers->new_row, table->new_row);
    if (fires && table->fires_after)
        queue_for_row(triggers, table);
    else if (triggers->capture != nullptr)
        capture_row(triggers, table);
    ResetPerTupleExprContext(triggers->estate);
    MemoryContextSwitchTo(saved);
}

void keep_moved_row(RowTriggers *triggers, Oid relid, int32 shard, ItemPointer place)
{
    MemoryContext saved = MemoryContextSwitchTo(triggers->estate->es_query_cxt);
    if (triggers->old_rows == nullptr) {
        triggers->old_rows = tuplestore_begin_heap(false, false, work_mem);
        triggers->new_rows = tuplestore_begin_heap(false, false, work_mem);
    }
    tuplestore_puttupleslot(triggers->old_rows, triggers->old_row);
    tuplestore_puttupleslot(triggers->new_rows, triggers->new_row);
    FollowedRow *row = (FollowedRow *)palloc(sizeof(FollowedRow));
    *row = {find_trigger_table(triggers, relid), shard, *place};
    triggers->followed = lappend(triggers->followed, row);
    MemoryContextSwitchTo(saved);
}

void follow_updated_rows(RowTriggers *triggers)
{
    if (triggers->followed == NIL)
        return;
    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "SPI_connect failed");
    triggers->outer = following;
    following = triggers;
    PG_TRY();
    {
        follow_rows(triggers);
    }
    PG_FINALLY();
    {
        following = triggers->outer;
    }
    PG_END_TRY();
    SPI_finish();
    tuplestore_end(triggers->old_rows);
    tuplestore_end(triggers->new_rows);
    triggers->old_rows = triggers->new_rows = nullptr;
    triggers->followed = NIL;
}

void queue_after_update(RowTriggers *triggers)
{
    if (triggers->plan->move.fires)
        ExecASUpdateTriggers(triggers->estate, triggers->target, triggers->capture);
    CommandCounterIncrement(); // what was stored can be deleted
    ExecResetTupleTable(triggers->estate->es_tupleTable, false);
    ListCell *cell;
    foreach (cell, triggers->tables) {
        TriggerTable *table = (TriggerTable *)lfirst(cell);
        delete_stored_rows(table);
        table_close(table->relation, NoLock);
    }
    table_close(triggers->target->ri_RelationDesc, NoLock);
    FreeExecutorState(triggers->estate);
}

} // namespace shardwise
