#include "executor/proposed_rows.hpp"

#include "executor/source_rows.hpp"
#include "pg/triggers.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "access/table.h"
#include "access/tupconvert.h"
#include "commands/trigger.h"
#include "executor/execPartition.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "utils/tuplestore.h"
}

namespace shardwise
{

struct ProposedRows {
    const ModifyPlan *plan;
    EState *estate;
    ResultRelInfo *target;
    ModifyTableState *routing_state; // nullptr: the table has no partitions
    PartitionTupleRouting *routing;
    TupleTableSlot *row; // of the target
};

namespace
{

// As COPY finds partitions, without a plan.
void open_routing(ProposedRows *proposed)
{
    ModifyTableState *state = makeNode(ModifyTableState);
    state->ps.state = proposed->estate;
    state->operation = CMD_INSERT;
    state->mt_nrels = 1;
    state->resultRelInfo = state->rootResultRelInfo = proposed->target;
    proposed->routing_state = state;
    proposed->routing =
        ExecSetupPartitionTupleRouting(proposed->estate, proposed->target->ri_RelationDesc);
}

bool has_generated_columns(const ResultRelInfo *table)
{
    const TupleConstr *constraints = RelationGetDescr(table->ri_RelationDesc)->constr;
    return constraints != nullptr && constraints->has_generated_stored;
}

// Fires the triggers of a table for a row of it, in its slot.
bool fire_for_table(ProposedRows *proposed, ResultRelInfo *table, TupleTableSlot *row)
{
    const TriggerDesc *triggers = table->ri_TrigDesc;
    bool fires = triggers != nullptr && triggers->trig_insert_before_row;
    if (fires && !ExecBRInsertTriggers(proposed->estate, table, row))
        return false;
    if (fires && table != proposed->target)
        ExecPartitionCheck(table, row, proposed->estate, true);
    if (proposed->plan->propose.returns_all && has_generated_columns(table))
        ExecComputeStoredGenerated(table, proposed->estate, row, CMD_INSERT);
    return true;
}

bool fire_for_partition(ProposedRows *proposed)
{
    ResultRelInfo *table = ExecFindPartition(proposed->routing_state, proposed->target,
                                             proposed->routing, proposed->row, proposed->estate);
    const TupleConversionMap *from_target = map_to_partition(table, proposed->estate);
    if (from_target == nullptr)
        return fire_for_table(proposed, table, proposed->row);
    TupleTableSlot *row = table->ri_PartitionTupleSlot;
    execute_attr_map_slot(from_target->attrMap, proposed->row, row);
    if (!fire_for_table(proposed, table, row))
        return false;
    execute_attr_map_slot(ExecGetChildToRootMap(table)->attrMap, row, proposed->row);
    return true;
}

} // namespace

ProposedRows *open_proposed_rows(const ModifyPlan *plan)
{
    ProposedRows *proposed = (ProposedRows *)palloc0(sizeof(ProposedRows));
    proposed->plan = plan;
    proposed->estate = CreateExecutorState();
    MemoryContext saved = MemoryContextSwitchTo(proposed->estate->es_query_cxt);
    proposed->target =
        open_fired_table(proposed->estate, plan->relid, plan->propose.inserted, nullptr);
    const Relation relation = proposed->target->ri_RelationDesc;
    proposed->row =
        ExecInitExtraTupleSlot(proposed->estate, RelationGetDescr(relation), &TTSOpsVirtual);
    if (relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
        open_routing(proposed);
    MemoryContextSwitchTo(saved);
    return proposed;
}

bool fire_before_insert(ProposedRows *proposed, TupleTableSlot *row)
{
    const int *columns = proposed->plan->propose.columns;
    ResetPerTupleExprContext(proposed->estate);
    MemoryContext saved = MemoryContextSwitchTo(proposed->estate->es_query_cxt);
    fill_table_row(columns, nullptr, row, proposed->row);
    bool goes_on = proposed->routing != nullptr
                       ? fire_for_partition(proposed)
                       : fire_for_table(proposed, proposed->target, proposed->row);
    MemoryContextSwitchTo(saved);
    if (!goes_on)
        return false;
    take_table_row(columns, proposed->row, row);
    return true;
}

void return_proposed_row(ProposedRows *proposed, BatchOutcome *outcome)
{
    const TupleTableSlot *row = proposed->row;
    TupleDesc columns = row->tts_tupleDescriptor;
    TupleTableSlot *slot = ExecClearTuple(outcome->slot);
    int column = slot->tts_tupleDescriptor->natts - 1;
    memset(slot->tts_isnull, true, sizeof(bool) * column);
    slot->tts_isnull[column] = false;
    slot->tts_values[column] = BoolGetDatum(false);
    for (int i = columns->natts - 1; i >= 0; i--) {
        if (TupleDescAttr(columns, i)->attisdropped)
            continue;
        slot->tts_values[--column] = row->tts_values[i];
        slot->tts_isnull[column] = row->tts_isnull[i];
    }
    ExecStoreVirtualTuple(slot);
    tuplestore_puttupleslot(outcome->rows, slot);
    ExecClearTuple(slot);
}

void close_proposed_rows(ProposedRows *proposed)
{
    if (proposed->routing != nullptr)
        ExecCleanupTupleRouting(proposed->routing_state, proposed->routing);
    ExecResetTupleTable(proposed->estate->es_tupleTable, false);
    table_close(proposed->target->ri_RelationDesc, NoLock);
    FreeExecutorState(proposed->estate);
}

} // namespace shardwise
