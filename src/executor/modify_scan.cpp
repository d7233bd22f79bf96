#include "executor/modify_scan.hpp"

#include "catalog/write_locks.hpp"
#include "executor/batch.hpp"
#include "executor/check_options.hpp"
#include "executor/proposed_rows.hpp"
#include "executor/route_scan.hpp"
#include "executor/row_places.hpp"
#include "executor/row_stream.hpp"
#include "executor/row_triggers.hpp"
#include "executor/source_rows.hpp"
#include "monitor/monitor.hpp"
#include "pg/versions.hpp"
#include "planner/modify_plan.hpp"
#include "routing/shard_choice.hpp"
#include "transaction/moved_rows.hpp"

extern "C" {
#include "commands/explain.h"
#include "executor/executor.h"
}

namespace shardwise
{

namespace
{

CustomExecMethods exec_methods;

struct ModifyState {
    CustomScanState css;
    const ModifyPlan *plan;
    PlanState *source;
    int nvalues;
    ExprState **value_states;
    Oid *value_types;
    Datum *values;
    bool *nulls;
    BatchRunner **runners; // one a statement
    RowStream *stream;     // in place of them
    WriteTurn turn;        // among statements on several shards
    BatchOutcome outcome;
    TupleTableSlot *kept_slot; // reads its rows
    RowTriggers *triggers;     // of rows that move
    ProposedRows *proposed;    // whose triggers fire here
    uint64 uncounted;          // of its rows: moves, which count once
    RowPlaces *changed;        // rows that have been
    MemoryContext row_context;
    uint64 lines;
    bool is_done;
    ModifyResult result;
};

extern "C" Node *create_modify_state(CustomScan *scan)
{
    ModifyState *state = (ModifyState *)palloc0(sizeof(ModifyState));
    state->css.ss.ps.type = T_CustomScanState;
    state->css.methods = &exec_methods;
    state->plan = get_modify_plan(scan);
    return (Node *)state;
}

extern "C" void begin_modify(CustomScanState *node, EState *estate, int eflags)
{
    ModifyState *state = (ModifyState *)node;
    CustomScan *scan = (CustomScan *)node->ss.ps.plan;
    int n = list_length(scan->custom_exprs);
    ListCell *cell;

    if (tracks_queries())
        INSTR_TIME_SET_CURRENT(state->result.started);
    state->source =
        ExecInitNode((Plan *)linitial(scan->custom_plans), estate,
                     eflags & ~(EXEC_FLAG_REWIND | EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK));
    node->custom_ps = list_make1(state->source);
    state->nvalues = n;
    state->value_states = (ExprState **)palloc0(sizeof(ExprState *) * (n + 1));
    state->value_types = (Oid *)palloc0(sizeof(Oid) * (n + 1));
    state->values = (Datum *)palloc0(sizeof(Datum) * (n + 1));
    state->nulls = (bool *)palloc0(sizeof(bool) * (n + 1));
    foreach (cell, scan->custom_exprs) {
        int i = foreach_current_index(cell);
        state->value_types[i] = exprType((Node *)lfirst(cell));
        state->value_states[i] = ExecInitExpr((Expr *)lfirst(cell), &node->ss.ps);
    }
    if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
        for (int i = 0; i < state->plan->nstatements; i++)
            check_functions(state->plan->statements[i].route);
}

// ---- setting out -------------------------------------------------------------------------------

void start_statements(ModifyState *state)
{
    const ModifyPlan *plan = state->plan;
    TupleDesc columns = ExecGetResultType(state->source);
    Oid *types = (Oid *)palloc(sizeof(Oid) * (columns->natts + 1));
    for (int i = 0; i < columns->natts; i++)
        types[i] = TupleDescAttr(columns, i)->atttypid;
    for (int i = 0; i < state->nvalues; i++)
        state->values[i] =
            ExecEvalExpr(state->value_states[i], state->css.ss.ps.ps_ExprContext, &state->nulls[i]);
    state->runners = (BatchRunner **)palloc(sizeof(BatchRunner *) * (plan->nstatements + 1));
    for (int i = 0; i < plan->nstatements; i++) {
        const BatchStatement *statement = &plan->statements[i];
        int first = statement->first_value;
        state->runners[i] =
            make_batch_runner(statement, state->value_types + first, state->values + first,
                              state->nulls + first, types, &plan->copies, &state->outcome);
    }
}

void start(ModifyState *state)
{
    const ModifyPlan *plan = state->plan;
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
    if (plan->is_reference)
        lock_reference_writes(plan->relid);
    else if (updates_on_conflict(plan))
        take_write_turn(&state->turn, plan->relid, false);
    state->outcome.slot = MakeSingleTupleTableSlot(slot->tts_tupleDescriptor, &TTSOpsVirtual);
    if (plan->returns_rows) {
        state->outcome.rows = tuplestore_begin_heap(false, false, work_mem);
        state->kept_slot = MakeSingleTupleTableSlot(slot->tts_tupleDescriptor, &TTSOpsMinimalTuple);
    }
    state->row_context =
        AllocSetContextCreate(CurrentMemoryContext, "shardwise source row", ALLOCSET_SMALL_SIZES);
    if (plan->move.fires || plan->move.is_referred_to)
        state->triggers = open_row_triggers(plan);
    if (plan->propose.fires)
        state->proposed = open_proposed_rows(plan);
    if (plan->is_stream) {
        Relation relation = table_open(plan->relid, NoLock);
        RowStreamOptions options = {};
        options.columns = plan->attributes;
        state->stream = open_row_stream(relation, options);
        table_close(relation, NoLock);
    } else {
        start_statements(state);
    }
}

// ---- rows --------------------------------------------------------------------------------------

// The partition that a row is in; 0 where the table has none.
Oid partition_of(const MovePlan *move, const TupleTableSlot *row)
{
    return move->table_column >= 0 ? DatumGetObjectId(row->tts_values[move->table_column])
                                   : InvalidOid;
}

// The shard that a new row belongs to; one that refuses the row if its key is NULL.
int32 find_destination(const KeyPin *key, TupleTableSlot *row)
{
    RoutedKeys keys = {1, key, row->tts_values, row->tts_isnull, {true, 0}};
    List *owners = find_owners(keys, true);
    return owners != NIL ? linitial_int(owners) : any_owner(find_keyspace(key->keyspace_id));
}

// True if the row has been changed by this statement. Notes it, if it is to be changed now.
bool was_changed(ModifyState *state, const TupleTableSlot *row, bool notes)
{
    if (state->changed == nullptr)
        state->changed = make_row_places(state->css.ss.ps.state->es_query_cxt);
    RowPlace place = place_of(row, state->plan->nplace);
    return notes ? !add_place(state->changed, place) : has_place(state->changed, place);
}

bool is_conflict_update(const ModifyPlan *plan)
{
    return plan->command == CMD_UPDATE && plan->once != nullptr;
}

void add(ModifyState *state, int statement, int32 shard, TupleTableSlot *row,
         Silence silence = Silence::None)
{
    BatchRunner *runner = state->runners[statement];
    if (add_to_batch(runner, shard, row->tts_values, row->tts_isnull, silence))
        send_batches(runner);
}

// False if the shard did not do it: the row has gone, or a BEFORE trigger keeps it.
bool write_alone(ModifyState *state, int statement, int32 shard, TupleTableSlot *row,
                 Silence silence)
{
    BatchRunner *runner = state->runners[statement];
    uint64 before = state->outcome.changed;
    (void)add_to_batch(runner, shard, row->tts_values, row->tts_isnull, silence);
    send_batches(runner);
    finish_batches(runner, false);
    return state->outcome.changed > before;
}

void finish_statements(ModifyState *state);
void finish_references(ModifyState *state);

// Shows a row to its BEFORE triggers, and takes it as they leave it. False if one keeps it as it
// is.
bool fire_before(ModifyState *state, const ModifyAction *action, TupleTableSlot *row)
{
    const MovePlan *move = &state->plan->move;
    if (move->shows_earlier && !move->refers_to_itself)
        finish_statements(state);
    fill_table_row(action->old_columns, nullptr, row, old_row_slot(state->triggers));
    fill_table_row(action->new_columns, action->old_columns, row, new_row_slot(state->triggers));
    if (!fire_before_update(state->triggers, partition_of(move, row)))
        return false;
    take_table_row(action->fired_columns, new_row_slot(state->triggers), row);
    return true;
}

[[noreturn]] void refuse_move(const MovePlan *move)
{
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot move a row to another shard"), errdetail("%s", move->stays)));
}

// The row leaves its shard before it arrives: at most the latter may be in the way of others.
void send_move(ModifyState *state, const ModifyAction *action)
{
    BatchRunner *remove = state->runners[action->remove];
    send_batches(remove);
    finish_batches(remove, true);
    send_batches(state->runners[action->place]);
}

// False if the row did not arrive.
bool move_alone(ModifyState *state, const ModifyAction *action, int32 from, int32 to,
                TupleTableSlot *row, Silence silence)
{
    if (!write_alone(state, action->remove, from, row, silence))
        return false;
    state->uncounted++;
    return write_alone(state, action->place, to, row, silence);
}

bool goes_one_by_one(const ModifyPlan *plan)
{
    const MovePlan *move = &plan->move;
    return (plan->in_order || move->may_vanish || (move->may_stay && move->table_column >= 0)) &&
           !move->refers_to_itself;
}

void change(ModifyState *state, int statement, int32 shard, TupleTableSlot *row)
{
    if (state->plan->in_order && goes_one_by_one(state->plan))
        (void)write_alone(state, statement, shard, row, Silence::None);
    else
        add(state, statement, shard, row);
}

// False if the row does not move.
bool move_row(ModifyState *state, const ModifyAction *action, int32 from, int32 to,
              TupleTableSlot *row, Silence silence)
{
    const MovePlan *move = &state->plan->move;
    BatchRunner *remove = state->runners[action->remove];
    BatchRunner *place = state->runners[action->place];
    note_leaving_rows(from, state->plan->relid);
    if (move->is_referred_to) {
        add(state, action->place, to, row, silence);
        (void)add_to_batch(remove, from, row->tts_values, row->tts_isnull, silence);
    } else if (goes_one_by_one(state->plan)) {
        return move_alone(state, action, from, to, row, silence);
    } else {
        add(state, action->remove, from, row, silence);
        if (add_to_batch(place, to, row->tts_values, row->tts_isnull, silence))
            send_move(state, action);
    }
    state->uncounted++;
    return true;
}

// An UPDATE of the key. Triggers have their say, and may change it once more.
void update_seen_row(ModifyState *state, const ModifyAction *action, int32 from,
                     TupleTableSlot *row)
{
    const MovePlan *move = &state->plan->move;
    if (!fire_before(state, action, row))
        return;
    Oid partition = partition_of(move, row);
    int32 to = find_destination(&action->fired_key, row);
    bool crosses = move->fires && leaves_partition(state->triggers, partition);
    // The shard then fires the triggers on DELETE and INSERT. Where there are none, a row that
    // stays on its shard may as well be updated there, together with the others.
    bool leaves = crosses && move->fires_elsewhere;
    Silence silence = !move->fires ? Silence::None : leaves ? Silence::Statement : Silence::All;
    bool is_done = true;
    if (crosses && is_conflict_update(state->plan))
        raise_other_partition();
    if (to != from && move->stays != nullptr)
        refuse_move(move);
    if (to != from || leaves)
        is_done = move_row(state, action, from, to, row, silence);
    else if (goes_one_by_one(state->plan))
        is_done = write_alone(state, action->change, from, row, silence);
    else
        add(state, action->change, from, row, silence);
    if (!is_done)
        return;
    keep_updated_row(state->triggers, partition, !crosses);
    if (move->is_referred_to && (to != from || leaves))
        keep_moved_row(state->triggers, partition, from,
                       (ItemPointer)DatumGetPointer(row->tts_values[1]));
    if (move->is_referred_to && state->plan->in_order && goes_one_by_one(state->plan)) {
        finish_statements(state);
        finish_references(state); // the next row may be to take the old one's place
    }
}

void update_key(ModifyState *state, const ModifyAction *action, int32 from, TupleTableSlot *row)
{
    const MovePlan *move = &state->plan->move;
    int32 to = find_destination(&action->key, row);
    if (move->fires || (move->is_referred_to && to != from))
        update_seen_row(state, action, from, row);
    else if (to == from)
        change(state, action->statement, from, row);
    else if (move->stays != nullptr)
        refuse_move(move);
    else
        (void)move_row(state, action, from, to, row, Silence::None);
}

// ON CONFLICT DO UPDATE meets a row that it has changed: it is an error, unless that has made room
// for the one that is proposed now.
void meet_again(ModifyState *state, TupleTableSlot *row)
{
    const ModifyPlan *plan = state->plan;
    if (!plan->inserts_met_again && plan->actions[0].remove >= 0)
        refuse_second_key(plan->once);
    if (!plan->inserts_met_again)
        raise_second_change(plan->once);
    const ModifyAction *insert = &plan->actions[1];
    finish_statements(state);
    int32 shard = plan->is_reference ? 0 : find_destination(&insert->key, row);
    Silence silence = plan->met_again_is_fired ? Silence::BeforeInsert : Silence::None;
    if (!write_alone(state, insert->statement, shard, row, silence))
        raise_second_change(plan->once);
}

// Shows a row to its BEFORE INSERT triggers, then to the shard, which may leave it out.
void propose_row(ModifyState *state, const ModifyAction *action, TupleTableSlot *row)
{
    const ModifyPlan *plan = state->plan;
    if (!fire_before_insert(state->proposed, row))
        return;
    int32 shard = plan->is_reference ? 0 : find_destination(&action->key, row);
    if (!plan->propose.shows_earlier && !plan->propose.returns_all)
        add(state, action->statement, shard, row, Silence::BeforeInsert);
    else if (!write_alone(state, action->statement, shard, row, Silence::BeforeInsert) &&
             plan->propose.returns_all)
        return_proposed_row(state->proposed, &state->outcome);
}

void write_row(ModifyState *state, TupleTableSlot *row)
{
    const ModifyPlan *plan = state->plan;
    int number = plan->action_column < 0 ? 1 : DatumGetInt32(row->tts_values[plan->action_column]);
    // MERGE may do nothing about it; ON CONFLICT must not meet it again.
    if (is_conflict_update(plan) && was_changed(state, row, false)) {
        meet_again(state, row);
        return;
    }
    if (number == 0)
        return;
    if (number < 0)
        raise_violation((const WithCheckOption *)list_nth(plan->checks, -number - 1), row,
                        plan->new_row);
    const ModifyAction *action = &plan->actions[number - 1];
    if (plan->nplace > 0 && action->command != CMD_INSERT && was_changed(state, row, true)) {
        if (plan->once != nullptr)
            raise_second_change(plan->once);
        return;
    }
    if (plan->propose.fires) {
        propose_row(state, action, row);
        return;
    }
    if (plan->now_column >= 0 && action->command != CMD_INSERT && row->tts_isnull[plan->now_column])
        return;
    if (plan->is_reference) {
        change(state, action->statement, 0, row);
        return;
    }
    if (action->command == CMD_INSERT) {
        add(state, action->statement, find_destination(&action->key, row), row);
        return;
    }
    int32 shard = (int32)DatumGetCommandId(row->tts_values[plan->shard_column]);
    if (action->place >= 0)
        update_key(state, action, shard, row);
    else
        change(state, action->statement, shard, row);
}

void take_row(ModifyState *state, TupleTableSlot *row)
{
    CHECK_FOR_INTERRUPTS();
    slot_getallattrs(row);
    MemoryContext saved = MemoryContextSwitchTo(state->row_context);
    if (state->stream != nullptr)
        send_row(state->stream, row->tts_values, row->tts_isnull, ++state->lines);
    else
        write_row(state, row);
    MemoryContextSwitchTo(saved);
    MemoryContextReset(state->row_context);
}

// What is read later would see what was written before.
void take_rows_when_all_are_read(ModifyState *state)
{
    Tuplestorestate *rows = tuplestore_begin_heap(false, false, work_mem);
    for (;;) {
        TupleTableSlot *row = ExecProcNode(state->source);
        if (TupIsNull(row))
            break;
        tuplestore_puttupleslot(rows, row);
    }
    TupleTableSlot *slot =
        MakeSingleTupleTableSlot(ExecGetResultType(state->source), &TTSOpsMinimalTuple);
    while (tuplestore_gettupleslot(rows, true, false, slot))
        take_row(state, slot);
    ExecDropSingleTupleTableSlot(slot);
    tuplestore_end(rows);
}

void take_rows(ModifyState *state)
{
    for (;;) {
        TupleTableSlot *row = ExecProcNode(state->source);
        if (TupIsNull(row))
            break;
        take_row(state, row);
    }
}

void send_action(ModifyState *state, const ModifyAction *action)
{
    if (action->remove >= 0 && !state->plan->move.is_referred_to)
        send_batches(state->runners[action->remove]);
    send_batches(state->runners[action->statement]);
    if (action->change >= 0)
        send_batches(state->runners[action->change]);
}

void finish_action(ModifyState *state, const ModifyAction *action)
{
    if (action->remove >= 0 && !state->plan->move.is_referred_to)
        finish_batches(state->runners[action->remove], true);
    finish_batches(state->runners[action->statement], false);
    if (action->change >= 0)
        finish_batches(state->runners[action->change], false);
    if (action->place < 0)
        return;
    send_batches(state->runners[action->place]);
    finish_batches(state->runners[action->place], false);
}

// What is deleted makes room for what is inserted.
void finish_statements(ModifyState *state)
{
    const ModifyPlan *plan = state->plan;
    constexpr CmdType order[] = {CMD_DELETE, CMD_UPDATE, CMD_INSERT};
    for (CmdType command : order) {
        for (int i = 0; i < plan->nactions; i++)
            if (plan->actions[i].command == command && plan->actions[i].statement >= 0)
                send_action(state, &plan->actions[i]);
        for (int i = 0; i < plan->nactions; i++)
            if (plan->actions[i].command == command && plan->actions[i].statement >= 0)
                finish_action(state, &plan->actions[i]);
    }
}

// Rows have arrived at other shards. Those that refer to them follow, then they can leave.
void finish_references(ModifyState *state)
{
    const ModifyPlan *plan = state->plan;
    follow_updated_rows(state->triggers);
    for (int i = 0; i < plan->nactions; i++) {
        if (plan->actions[i].remove < 0)
            continue;
        send_batches(state->runners[plan->actions[i].remove]);
        finish_batches(state->runners[plan->actions[i].remove], true);
    }
}

void note_shards(ModifyState *state)
{
    const ModifyPlan *plan = state->plan;
    List *shards = state->stream != nullptr ? streamed_shards(state->stream) : NIL;
    for (int i = 0; state->stream == nullptr && i < plan->nstatements; i++)
        shards = add_written_shards(shards, state->runners[i]);
    state->result.shards = plan->is_reference && shards != NIL ? list_all_shards() : shards;
}

void write_all(ModifyState *state)
{
    MemoryContext saved = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);
    start(state);
    if (state->plan->reads_shards)
        take_rows_when_all_are_read(state);
    else
        take_rows(state);
    note_shards(state);
    if (state->stream != nullptr)
        state->outcome.changed = close_row_stream(state->stream);
    else
        finish_statements(state);
    end_write_turn(&state->turn);
    if (state->triggers != nullptr && state->plan->move.is_referred_to)
        finish_references(state);
    if (state->triggers != nullptr)
        queue_after_update(state->triggers);
    if (state->proposed != nullptr)
        close_proposed_rows(state->proposed);
    state->css.ss.ps.state->es_processed += state->outcome.changed - state->uncounted;
    MemoryContextSwitchTo(saved);
}

TupleTableSlot *next_tuple(ScanState *node)
{
    ModifyState *state = (ModifyState *)node;
    TupleTableSlot *slot = node->ss_ScanTupleSlot;
    if (!state->is_done) {
        write_all(state);
        state->is_done = true;
    }
    ExecClearTuple(slot);
    if (state->outcome.rows != nullptr &&
        tuplestore_gettupleslot(state->outcome.rows, true, false, state->kept_slot)) {
        slot_getallattrs(state->kept_slot);
        int n = slot->tts_tupleDescriptor->natts;
        memcpy(slot->tts_values, state->kept_slot->tts_values, sizeof(Datum) * n);
        memcpy(slot->tts_isnull, state->kept_slot->tts_isnull, sizeof(bool) * n);
        ExecStoreVirtualTuple(slot);
    }
    return slot;
}

bool recheck_tuple(ScanState *, TupleTableSlot *)
{
    return true;
}

extern "C" TupleTableSlot *exec_modify(CustomScanState *node)
{
    return ExecScan(&node->ss, (ExecScanAccessMtd)next_tuple, (ExecScanRecheckMtd)recheck_tuple);
}

extern "C" void end_modify(CustomScanState *node)
{
    ModifyState *state = (ModifyState *)node;
    if (state->outcome.rows != nullptr)
        tuplestore_end(state->outcome.rows);
    state->outcome.rows = nullptr;
    ExecEndNode(state->source);
}

extern "C" void rescan_modify(CustomScanState *)
{
    elog(ERROR, "a write cannot run again");
}

extern "C" void explain_modify(CustomScanState *node, List *, ExplainState *es)
{
    ModifyState *state = (ModifyState *)node;
    const ModifyPlan *plan = state->plan;
    bool only_checks = plan->command == CMD_SELECT;
    ExplainPropertyText("Tier", only_checks ? "check of new rows" : "select, then modify", es);
    if (plan->is_stream)
        ExplainPropertyText("Remote SQL", "COPY FROM STDIN", es);
    for (int i = 0; !plan->is_stream && i < plan->nstatements; i++)
        ExplainPropertyText("Remote SQL", plan->statements[i].route->sql, es);
}

CustomScanMethods scan_methods = {modify_name, create_modify_state};

} // namespace

const ModifyResult *as_modify_scan(PlanState *node)
{
    if (!IsA(node, CustomScanState) || ((CustomScanState *)node)->methods != &exec_methods)
        return nullptr;
    return &((ModifyState *)node)->result;
}

void init_modify_scan()
{
    exec_methods.CustomName = modify_name;
    exec_methods.BeginCustomScan = begin_modify;
    exec_methods.ExecCustomScan = exec_modify;
    exec_methods.EndCustomScan = end_modify;
    exec_methods.ReScanCustomScan = rescan_modify;
    exec_methods.ExplainCustomScan = explain_modify;
    RegisterCustomScanMethods(&scan_methods);
}

} // namespace shardwise
