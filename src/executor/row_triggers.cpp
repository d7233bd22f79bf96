#include "executor/row_triggers.hpp"

#include "executor/moved_references.hpp"

extern "C" {
#include "access/table.h"
#include "access/tupconvert.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_relation.h"
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
    ResultRelInfo *before;
    ResultRelInfo *after; // for rows
    MovedReferences *references;
    TupleTableSlot *old_row, *new_row;
    TupleConversionMap *from_target, *to_target; // nullptr: the rows are alike
};

// What is known of a row beside its values.
struct KeptRow {
    TriggerTable *table;
    bool fires_after;
};

} // namespace

struct RowTriggers {
    const ModifyPlan *plan;
    EState *estate;
    ResultRelInfo *target;
    List *tables; // TriggerTable *
    TupleTableSlot *old_row, *new_row;
    Tuplestorestate *old_rows, *new_rows; // also the transition tables
    List *kept;                           // KeptRow *
    bool has_begun;
};

namespace
{

// ---- AFTER triggers ----------------------------------------------------------------------------
// PostgreSQL queues these with the places of rows in its own tables. There are none here, so they
// are called at the end of the statement in the way of BEFORE triggers, which get the rows as they
// are; this function stands between and shows the trigger's function what it expects.

struct AfterCall {
    FmgrInfo function;
    Trigger *trigger;
    const RowTriggers *triggers;
};

extern "C" Datum call_after_trigger(PG_FUNCTION_ARGS)
{
    AfterCall *call = (AfterCall *)fcinfo->flinfo->fn_extra;
    const TriggerData *given = (const TriggerData *)fcinfo->context;
    TriggerData shown = *given;
    Trigger *trigger = call->trigger;
    shown.tg_event = TRIGGER_EVENT_UPDATE;
    shown.tg_trigger = trigger;
    if (TRIGGER_FOR_ROW(trigger->tgtype)) {
        shown.tg_event |= TRIGGER_EVENT_ROW;
    } else {
        shown.tg_trigtuple = shown.tg_newtuple = nullptr;
        shown.tg_trigslot = shown.tg_newslot = nullptr;
    }
    shown.tg_oldtable = trigger->tgoldtable != nullptr ? call->triggers->old_rows : nullptr;
    shown.tg_newtable = trigger->tgnewtable != nullptr ? call->triggers->new_rows : nullptr;
    LOCAL_FCINFO(inner, 0);
    InitFunctionCallInfoData(*inner, &call->function, 0, InvalidOid, (Node *)&shown, nullptr);
    (void)FunctionCallInvoke(inner);
    return PointerGetDatum(given->tg_newtuple);
}

// Leaves only the AFTER triggers, for rows or for the statement, in place of BEFORE ROW ones.
void turn_into_before(const RowTriggers *triggers, ResultRelInfo *info, bool for_rows)
{
    TriggerDesc *desc = info->ri_TrigDesc;
    const TriggerDesc *own = CopyTriggerDesc(desc);
    for (int i = 0; desc != nullptr && i < desc->numtriggers; i++) {
        Trigger *trigger = &desc->triggers[i];
        bool is_meant = !trigger->tgisinternal && TRIGGER_FOR_AFTER(trigger->tgtype) &&
                        TRIGGER_FOR_UPDATE(trigger->tgtype) &&
                        (TRIGGER_FOR_ROW(trigger->tgtype) != 0) == for_rows;
        trigger->tgtype =
            is_meant ? TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_UPDATE : 0;
        if (!is_meant)
            continue;
        AfterCall *call = (AfterCall *)palloc0(sizeof(AfterCall));
        fmgr_info(trigger->tgfoid, &call->function);
        call->trigger = &own->triggers[i];
        call->triggers = triggers;
        FmgrInfo *function = &info->ri_TrigFunctions[i];
        function->fn_addr = call_after_trigger;
        function->fn_oid = trigger->tgfoid;
        function->fn_stats = PG_UINT8_MAX; // its own call is what counts
        function->fn_mcxt = CurrentMemoryContext;
        function->fn_extra = call;
    }
}

// ---- tables ------------------------------------------------------------------------------------

ResultRelInfo *make_result_table(RowTriggers *triggers, Relation relation)
{
    ResultRelInfo *info = makeNode(ResultRelInfo);
    bool is_target = RelationGetRelid(relation) == triggers->plan->relid;
    InitResultRelInfo(info, relation, is_target ? 1 : 0, is_target ? nullptr : triggers->target, 0);
    return info;
}

TriggerTable *find_trigger_table(RowTriggers *triggers, Oid relid)
{
    ListCell *cell;
    foreach (cell, triggers->tables)
        if (((TriggerTable *)lfirst(cell))->relid == relid)
            return (TriggerTable *)lfirst(cell);
    MemoryContext saved = MemoryContextSwitchTo(triggers->estate->es_query_cxt);
    TriggerTable *table = (TriggerTable *)palloc0(sizeof(TriggerTable));
    table->relid = relid;
    table->relation = table_open(relid, RowExclusiveLock);
    table->before = make_result_table(triggers, table->relation);
    table->after = make_result_table(triggers, table->relation);
    turn_into_before(triggers, table->after, true);
    TupleDesc target = RelationGetDescr(triggers->target->ri_RelationDesc);
    TupleDesc own = RelationGetDescr(table->relation);
    table->from_target = convert_tuples_by_name(target, own);
    table->to_target = convert_tuples_by_name(own, target);
    table->old_row = MakeSingleTupleTableSlot(own, &TTSOpsVirtual);
    table->new_row = MakeSingleTupleTableSlot(own, &TTSOpsVirtual);
    triggers->tables = lappend(triggers->tables, table);
    MemoryContextSwitchTo(saved);
    return table;
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

// Calls the BEFORE triggers that a table's entry has for the rows in the table's slots.
bool fire(RowTriggers *triggers, TriggerTable *table, ResultRelInfo *info)
{
    bool is_own;
    if (info->ri_TrigDesc == nullptr)
        return true; // others of the table's partitions have some
    HeapTuple old_row = ExecFetchSlotHeapTuple(table->old_row, true, &is_own);
    old_row->t_tableOid = table->relid;
    bool goes_on = ExecBRUpdateTriggers(triggers->estate, nullptr, info, nullptr, old_row,
                                        table->new_row, nullptr);
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
        ExecComputeStoredGenerated(table->before, triggers->estate, table->new_row, CMD_UPDATE);
    ResetPerTupleExprContext(triggers->estate);
}

void fire_for_row(RowTriggers *triggers, const KeptRow *row)
{
    if (row->fires_after)
        (void)fire(triggers, row->table, row->table->after);
}

void follow_row(RowTriggers *, const KeptRow *row)
{
    TriggerTable *table = row->table;
    if (table->references == nullptr)
        table->references = open_moved_references(table->relation);
    follow_moved_row(table->references, table->old_row, table->new_row);
}

// Calls something for each row kept, with the rows in the slots of its table.
void visit_rows(RowTriggers *triggers, void (*visit)(RowTriggers *, const KeptRow *))
{
    TupleDesc columns = RelationGetDescr(triggers->target->ri_RelationDesc);
    TupleTableSlot *slot = MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
    Tuplestorestate *old_rows = triggers->old_rows;
    Tuplestorestate *new_rows = triggers->new_rows;
    // Transition tables are read meanwhile, by pointers of their own. The first stays at the start.
    int old_place = tuplestore_alloc_read_pointer(old_rows, 0);
    int new_place = tuplestore_alloc_read_pointer(new_rows, 0);
    ListCell *cell;
    foreach (cell, triggers->kept) {
        const KeptRow *row = (const KeptRow *)lfirst(cell);
        tuplestore_select_read_pointer(old_rows, old_place);
        (void)tuplestore_gettupleslot(old_rows, true, true, slot);
        convert(row->table->from_target, slot, row->table->old_row);
        tuplestore_select_read_pointer(new_rows, new_place);
        (void)tuplestore_gettupleslot(new_rows, true, true, slot);
        convert(row->table->from_target, slot, row->table->new_row);
        visit(triggers, row);
    }
    tuplestore_select_read_pointer(old_rows, 0);
    tuplestore_select_read_pointer(new_rows, 0);
    ExecDropSingleTupleTableSlot(slot);
}

// WHEN of a trigger for statements does not look at rows.
void fire_for_statement(RowTriggers *triggers)
{
    TriggerTable *table = find_trigger_table(triggers, triggers->plan->relid);
    ResultRelInfo *after = make_result_table(triggers, table->relation);
    turn_into_before(triggers, after, false);
    ExecStoreAllNullTuple(table->old_row);
    ExecStoreAllNullTuple(table->new_row);
    (void)fire(triggers, table, after);
}

} // namespace

RowTriggers *open_row_triggers(const ModifyPlan *plan)
{
    RowTriggers *triggers = (RowTriggers *)palloc0(sizeof(RowTriggers));
    Relation relation = table_open(plan->relid, RowExclusiveLock);
    triggers->plan = plan;
    triggers->estate = CreateExecutorState();
    MemoryContext saved = MemoryContextSwitchTo(triggers->estate->es_query_cxt);
    RangeTblEntry *rte = makeNode(RangeTblEntry);
    rte->rtekind = RTE_RELATION;
    rte->relid = plan->relid;
    rte->relkind = relation->rd_rel->relkind;
    rte->rellockmode = RowExclusiveLock;
    rte->updatedCols = plan->move.updated;
    ExecInitRangeTable(triggers->estate, list_make1(rte));
    triggers->target = makeNode(ResultRelInfo);
    InitResultRelInfo(triggers->target, relation, 1, nullptr, 0);
    TupleDesc columns = RelationGetDescr(relation);
    triggers->old_row = MakeSingleTupleTableSlot(columns, &TTSOpsVirtual);
    triggers->new_row = MakeSingleTupleTableSlot(columns, &TTSOpsVirtual);
    triggers->old_rows = tuplestore_begin_heap(false, false, work_mem);
    triggers->new_rows = tuplestore_begin_heap(false, false, work_mem);
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
    if (!triggers->has_begun)
        ExecBSUpdateTriggers(triggers->estate, triggers->target);
    triggers->has_begun = true;
    TriggerTable *table =
        find_trigger_table(triggers, OidIsValid(relid) ? relid : triggers->plan->relid);
    convert(table->from_target, triggers->old_row, table->old_row);
    convert(table->from_target, triggers->new_row, table->new_row);
    if (!fire(triggers, table, table->before))
        return false;
    compute_generated_columns(triggers, table);
    convert(table->to_target, table->new_row, triggers->new_row);
    return true;
}

void keep_updated_row(RowTriggers *triggers, Oid relid)
{
    MemoryContext saved = MemoryContextSwitchTo(triggers->estate->es_query_cxt);
    TriggerTable *table =
        find_trigger_table(triggers, OidIsValid(relid) ? relid : triggers->plan->relid);
    // One that goes to another partition is deleted and inserted for PostgreSQL, too.
    convert(table->from_target, triggers->new_row, table->new_row);
    bool stays = table->relid == triggers->plan->relid ||
                 ExecPartitionCheck(table->before, table->new_row, triggers->estate, false);
    tuplestore_puttupleslot(triggers->old_rows, triggers->old_row);
    tuplestore_puttupleslot(triggers->new_rows, triggers->new_row);
    KeptRow *row = (KeptRow *)palloc(sizeof(KeptRow));
    *row = KeptRow{table, stays && triggers->plan->move.fires_after};
    triggers->kept = lappend(triggers->kept, row);
    MemoryContextSwitchTo(saved);
}

void follow_updated_rows(RowTriggers *triggers)
{
    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "SPI_connect failed");
    visit_rows(triggers, follow_row);
    SPI_finish();
}

void fire_after_update(RowTriggers *triggers)
{
    visit_rows(triggers, fire_for_row);
    if (triggers->has_begun)
        fire_for_statement(triggers);
    ListCell *cell;
    foreach (cell, triggers->tables)
        table_close(((TriggerTable *)lfirst(cell))->relation, NoLock);
    table_close(triggers->target->ri_RelationDesc, NoLock);
    tuplestore_end(triggers->old_rows);
    tuplestore_end(triggers->new_rows);
    FreeExecutorState(triggers->estate);
}

} // namespace shardwise
