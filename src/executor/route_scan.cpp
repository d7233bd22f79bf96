#include "executor/route_scan.hpp"

#include "catalog/write_locks.hpp"
#include "executor/key_source.hpp"
#include "executor/slots.hpp"
#include "monitor/monitor.hpp"
#include "pg/nesting.hpp"
#include "pg/versions.hpp"
#include "transaction/moved_rows.hpp"
#include "transaction/participants.hpp"
#include "transaction/snapshot.hpp"

extern "C" {
#include "executor/executor.h"
#include "parser/parsetree.h"
#include "utils/datum.h"
}

namespace shardwise
{

namespace
{

CustomExecMethods exec_methods;
uint64 ended_execution = 0;

extern "C" Node *create_state(CustomScan *scan)
{
    RouteScanState *state = (RouteScanState *)palloc0(sizeof(RouteScanState));
    state->css.ss.ps.type = T_CustomScanState;
    state->css.methods = &exec_methods;
    state->route = get_route(scan);
    return (Node *)state;
}

// A parameter's value that the client sent, which needs no expression machinery; nullptr for one
// that a function has, and for all other expressions.
const ParamExternData *find_sent_parameter(const Expr *expr, ParamListInfo params)
{
    if (!IsA(expr, Param) || params == nullptr || params->paramFetch != nullptr ||
        params->paramCompile != nullptr)
        return nullptr;
    const Param *param = (const Param *)expr;
    if (param->paramkind != PARAM_EXTERN || param->paramid <= 0 ||
        param->paramid > params->numParams)
        return nullptr;
    const ParamExternData *sent = &params->params[param->paramid - 1];
    return sent->ptype == param->paramtype ? sent : nullptr;
}

extern "C" void begin_scan(CustomScanState *node, EState *estate, int eflags)
{
    RouteScanState *state = (RouteScanState *)node;
    CustomScan *scan = (CustomScan *)node->ss.ps.plan;
    int n = state->route->lookup_param > 0 ? state->route->lookup_column
                                           : list_length(scan->custom_exprs);
    ListCell *cell;

    if (tracks_queries())
        INSTR_TIME_SET_CURRENT(state->started);
    state->execution = executions;
    state->is_insert = estate->es_plannedstmt->commandType == CMD_INSERT;
    state->nvalues = n;
    state->value_states = (ExprState **)palloc0(sizeof(ExprState *) * (n + 1));
    state->values = (Datum *)palloc0(sizeof(Datum) * (n + 1));
    state->nulls = (bool *)palloc0(sizeof(bool) * (n + 1));
    foreach (cell, scan->custom_exprs) {
        int i = foreach_current_index(cell);
        Expr *expr = (Expr *)lfirst(cell);
        if (i == n)
            break;              // a column
        if (IsA(expr, Const)) { // needs no expression machinery
            state->values[i] = ((Const *)expr)->constvalue;
            state->nulls[i] = ((Const *)expr)->constisnull;
        } else if (const ParamExternData *sent =
                       find_sent_parameter(expr, estate->es_param_list_info)) {
            state->values[i] = sent->value;
            state->nulls[i] = sent->isnull;
        } else {
            state->value_states[i] = ExecInitExpr(expr, &node->ss.ps);
        }
    }
    state->run_context = estate->es_query_cxt;
    state->lookup = make_lookup(state);
    if (state->lookup != nullptr)
        state->run_context =
            AllocSetContextCreate(estate->es_query_cxt, "shardwise run", ALLOCSET_DEFAULT_SIZES);
    if (state->route->functions != NIL && (eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
        check_functions(state->route);
}

void finish(RouteScanState *state)
{
    EState *estate = state->css.ss.ps.state;
    if (state->route->counts_rows && state->query != nullptr)
        estate->es_processed += affected_rows(state->query);
    if (state->route->counts_rows && state->gather != nullptr)
        estate->es_processed += gathered_changes(state->gather);
    if (state->route->writes_rows && state->gather != nullptr)
        take_back_empty_writes(state->gather, state->shards);
    state->is_done = true;
    end_write_turn(&state->turn);
    if (state->is_finding) {
        state->is_finding = false;
        end_finding();
    }
}

// The table whose rows a query looks for; InvalidOid if there are several.
Oid table_of_found_rows(const Query *query)
{
    int varno = query->commandType == CMD_INSERT ? 0 : query->resultRelation;
    if (query->commandType == CMD_SELECT && list_length(query->rowMarks) == 1)
        varno = linitial_node(RowMarkClause, query->rowMarks)->rti;
    const RangeTblEntry *rte = varno > 0 ? rt_fetch(varno, query->rtable) : nullptr;
    return rte != nullptr && rte->rtekind == RTE_RELATION ? rte->relid : InvalidOid;
}

// Rows of several shards that the statement locks or changes, or will.
bool finds_rows(const RouteScanState *state)
{
    const Route *route = state->route;
    return (route->writes || route->keeps_places) && list_length(state->shards) > 1 &&
           !OidIsValid(route->reference);
}

void start_finding(RouteScanState *state)
{
    const Route *route = state->route;
    if (route->writes)
        take_write_turn(&state->turn, route->in_turns, goes_in_order(state));
    if (!state->is_finding)
        begin_finding(table_of_found_rows(route->query),
                      runs_once && route->query->commandType != CMD_INSERT);
    state->is_finding = true;
}

void start(RouteScanState *state)
{
    if (!only_reads(state)) {
        if (finds_rows(state))
            start_finding(state);
        send_to_all(state);
        if (!state->route->writes && has_held_maps(state->execution) && map_has_moved(state))
            raise_rows_have_moved(); // just before a block took its snapshots
        return;
    }
    const Route *route = state->route;
    bool only_read = route->is_only_scan && state->lookup == nullptr;
    Read read = {state->execution, only_read, route->is_bulk ? Sending::Bulk : Sending::Pipelined,
                 is_pure_read(state)};
    for (;;) {
        begin_read(state->shards, read);
        send_to_all(state);
        bool valid = end_read();
        if (valid && !map_has_moved(state))
            return;
        drop_queries(state);
        if (valid) { // what was sent reads rows where they were
            give_up_read();
            forget_shards(state);
            resolve_shards(state);
        }
    }
}

// Reads the next row of the one shard into the scan's slot; false at the end.
bool read_one(RouteScanState *state, TupleTableSlot *slot)
{
    EState *estate = state->css.ss.ps.state;
    const PGresult *result;
    int row;

    while (next_row(state->query, &result, &row)) {
        if (slot->tts_tupleDescriptor->natts == 0 && state->route->counts_rows &&
            !estate->es_plannedstmt->hasReturning)
            continue; // rows that only carried checks
        if (state->rows == nullptr) {
            MemoryContext saved = MemoryContextSwitchTo(estate->es_query_cxt);
            state->rows = make_row_reader(slot->tts_tupleDescriptor, state->route->binary_results);
            MemoryContextSwitchTo(saved);
        }
        MemoryContext saved =
            MemoryContextSwitchTo(state->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
        read_row(state->rows, result, row, slot->tts_values, slot->tts_isnull);
        MemoryContextSwitchTo(saved);
        ExecStoreVirtualTuple(slot);
        return true;
    }
    return false;
}

TupleTableSlot *fetch(RouteScanState *state)
{
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
    if (state->gather != nullptr) {
        TupleTableSlot *row = gather_row(state->gather);
        return row != nullptr ? row : slot;
    }
    (void)read_one(state, slot);
    return slot;
}

// A scan that runs again with the same parameters reads what it kept the time before.
TupleTableSlot *fetch_kept(RouteScanState *state)
{
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
    if (state->kept_is_complete) {
        if (tuplestore_gettupleslot(state->kept, true, false, state->kept_slot))
            return show_row(slot, state->kept_slot);
        return slot;
    }
    TupleTableSlot *row = fetch(state);
    if (!TupIsNull(row))
        tuplestore_puttupleslot(state->kept, row);
    return row;
}

// ---- keys of a join's other side ----------------------------------------------------------------

// A scan that has been reduced that many times, each time to other keys, reads all rows and keeps
// them.
constexpr int max_reductions = 100;

void take_route(RouteScanState *state, int number)
{
    CustomScan *scan = (CustomScan *)state->css.ss.ps.plan;
    const Route *route = (const Route *)list_nth(scan->custom_private, number);
    if (state->route != route)
        state->parameters = nullptr;
    state->route = route;
    forget_shards(state);
}

// Reduces the statement to the keys of the join's other side; false if there are none, so that no
// row can match.
bool take_keys(RouteScanState *state)
{
    if (state->route->key_param == 0)
        return true;
    const CollectedKeys *keys = collect_keys(state->css.ss.ps.state, state->route->key_source);
    if (keys->too_many || ++state->reductions > max_reductions) {
        take_route(state, 1);
        return true;
    }
    MemoryContext saved = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);
    if (state->key_generation != 0)
        pfree(DatumGetPointer(state->keys));
    state->keys = datumCopy(keys->array, false, -1);
    state->key_generation = keys->generation;
    take_route(state, 0);
    set_value(state, state->route->key_param, state->keys);
    MemoryContextSwitchTo(saved);
    return keys->n > 0;
}

// The rows of a scan that runs again are those of the keys which the time before had.
void drop_rows_of_other_keys(RouteScanState *state)
{
    state->checks_keys = false;
    if (state->route->key_param == 0 ||
        collect_keys(state->css.ss.ps.state, state->route->key_source)->generation ==
            state->key_generation)
        return;
    drop_queries(state);
    if (state->keeps_rows)
        tuplestore_clear(state->kept);
    state->kept_is_complete = false;
}

// Starts to look for the rows of this run's value, unless that was done; false if there are none.
bool look_up(RouteScanState *state)
{
    if (state->has_looked)
        return true;
    state->has_looked = true;
    return start_lookup(state);
}

// The next run looks for another value.
void end_lookup(RouteScanState *state)
{
    drop_queries(state);
    forget_shards(state);
    for (int i = 0; i < state->nvalues; i++)
        if (state->value_states[i] != nullptr) {
            state->values[i] = (Datum)0;
            state->nulls[i] = true;
        }
    state->has_looked = state->is_done = false;
    MemoryContextReset(state->run_context);
}

// Rows of reference tables have been locked, and may be written next. Whoever writes them meanwhile
// should not wait for that on a shard, while he holds up our write here.
bool claim_references(const Route *route)
{
    ListCell *cell;
    foreach (cell, route->locked_references)
        try_lock_reference_writes(lfirst_oid(cell));
    return true;
}

TupleTableSlot *next_tuple(ScanState *node)
{
    RouteScanState *state = (RouteScanState *)node;
    TupleTableSlot *slot = node->ss_ScanTupleSlot;

    ExecClearTuple(slot);
    if (state->is_done)
        return slot;
    if (state->checks_keys)
        drop_rows_of_other_keys(state);
    if (state->lookup != nullptr && !look_up(state)) {
        state->is_done = true;
        return slot;
    }
    if (reads_kept_rows(state->lookup))
        return next_kept_row(state);
    if (state->query == nullptr && state->gather == nullptr && !state->kept_is_complete) {
        if (!take_keys(state)) {
            state->is_done = true;
            return slot;
        }
        resolve_shards(state);
        if (OidIsValid(state->route->reference))
            lock_reference_writes(state->route->reference);
        if (runs_under_explain(state)) {
            run_explained(state);
            state->is_done = true;
            return slot;
        }
        start(state);
    }
    slot = state->keeps_rows ? fetch_kept(state) : fetch(state);
    if (TupIsNull(slot))
        finish(state);
    else if (!state->has_claimed)
        state->has_claimed = claim_references(state->route);
    return slot;
}

bool recheck_tuple(ScanState *, TupleTableSlot *)
{
    return true;
}

extern "C" TupleTableSlot *exec_scan(CustomScanState *node)
{
    return ExecScan(&node->ss, (ExecScanAccessMtd)next_tuple, (ExecScanRecheckMtd)recheck_tuple);
}

extern "C" void end_scan(CustomScanState *node)
{
    RouteScanState *state = (RouteScanState *)node;
    ended_execution = state->execution;
    drop_queries(state);
    end_write_turn(&state->turn);
    if (state->is_finding)
        give_up_finding();
    if (state->kept != nullptr)
        tuplestore_end(state->kept);
    state->kept = nullptr;
    if (state->lookup != nullptr)
        end_kept_rows(state->lookup);
}

void start_keeping(RouteScanState *state)
{
    MemoryContext saved = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);
    if (state->kept != nullptr)
        tuplestore_clear(state->kept);
    else
        state->kept = tuplestore_begin_heap(true, false, work_mem);
    if (state->kept_slot == nullptr)
        state->kept_slot = MakeSingleTupleTableSlot(
            state->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor, &TTSOpsMinimalTuple);
    state->keeps_rows = true;
    MemoryContextSwitchTo(saved);
}

extern "C" void rescan(CustomScanState *node)
{
    RouteScanState *state = (RouteScanState *)node;
    if (state->lookup != nullptr) {
        end_lookup(state);
        ExecScanReScan(&node->ss);
        return;
    }
    if (state->route->values_change) {
        drop_queries(state);
        forget_shards(state);
        state->is_done = false;
        state->checks_keys = state->route->key_param > 0;
        ExecScanReScan(&node->ss);
        return;
    }
    // No other parameter of the executor reaches a statement, so every scan yields the same rows.
    // What is scanned a second time may well be scanned a thousand times: keep the rows.
    if (state->keeps_rows && state->is_done) {
        state->kept_is_complete = true;
        tuplestore_rescan(state->kept);
    } else if (!state->kept_is_complete) {
        drop_queries(state);
        start_keeping(state);
    } else {
        tuplestore_rescan(state->kept);
    }
    state->is_done = false;
    state->checks_keys = state->route->key_param > 0;
    ExecScanReScan(&node->ss);
}

CustomScanMethods scan_methods = {route_scan_name, create_state};

} // namespace

// True for a node that has read all rows below it when its first comes.
static bool reads_all_first(const PlanState *node)
{
    if (!IsA(node, AggState))
        return IsA(node, SortState) || IsA(node, ModifyTableState);
    AggStrategy strategy = ((const Agg *)node->plan)->aggstrategy;
    return strategy == AGG_PLAIN || strategy == AGG_HASHED;
}

bool runs_once = true;

void announce_rows_wanted(PlanState *plan, uint64 count)
{
    bool all = count == 0;
    for (PlanState *node = plan; node != nullptr; node = outerPlanState(node)) {
        if (RouteScanState *scan = as_route_scan(node)) {
            scan->reads_all = all;
            return;
        }
        if (IsA(node, LimitState))
            all = false;
        else if (reads_all_first(node))
            all = true;
        else if (!IsA(node, AggState) && !IsA(node, ResultState) && !IsA(node, WindowAggState))
            return;
    }
}

uint64 take_ended_execution()
{
    uint64 ended = ended_execution;
    ended_execution = 0;
    return ended;
}

void start_early(RouteScanState *state, bool keys_are_there)
{
    bool needs_keys = state->route->key_param > 0;
    if (!only_reads(state) || state->lookup != nullptr || (needs_keys && !keys_are_there) ||
        state->query != nullptr || state->gather != nullptr)
        return;
    MemoryContext saved = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);
    if (!take_keys(state)) {
        state->is_done = true;
    } else {
        resolve_shards(state);
        start(state);
    }
    MemoryContextSwitchTo(saved);
}

bool only_reads(const RouteScanState *state)
{
    const PlannedStmt *plan = state->css.ss.ps.state->es_plannedstmt;
    return plan->commandType == CMD_SELECT && !plan->hasModifyingCTE && plan->rowMarks == NIL &&
           !state->route->writes;
}

bool is_pure_read(const RouteScanState *state)
{
    return only_reads(state) && !state->route->keeps_places;
}

void check_functions(const Route *route)
{
    ListCell *cell;
    foreach (cell, route->functions) {
        Oid function = lfirst_oid(cell);
        AclResult result = pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE);
        if (result != ACLCHECK_OK)
            aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
    }
}

Datum evaluate_lookup(RouteScanState *state, bool *is_null)
{
    CustomScan *scan = (CustomScan *)state->css.ss.ps.plan;
    int i = get_route(scan)->lookup_param - 1;
    Expr *expr = (Expr *)list_nth(scan->custom_exprs, i);
    int16 length;
    bool by_value;
    get_typlenbyval(exprType((Node *)expr), &length, &by_value);
    MemoryContext saved = MemoryContextSwitchTo(state->run_context);
    Datum value = ExecEvalExpr(state->value_states[i], state->css.ss.ps.ps_ExprContext, is_null);
    state->values[i] = *is_null ? (Datum)0 : datumCopy(value, by_value, length);
    state->nulls[i] = *is_null;
    MemoryContextSwitchTo(saved);
    return state->values[i];
}

void run_lookup_statement(RouteScanState *state)
{
    take_route(state, 0);
    resolve_shards(state);
    start(state);
}

void run_whole_statement(RouteScanState *state)
{
    take_route(state, 1);
    resolve_shards(state);
    start(state);
}

TupleTableSlot *fetch_row(RouteScanState *state)
{
    ExecClearTuple(state->css.ss.ss_ScanTupleSlot);
    return fetch(state);
}

void end_statement(RouteScanState *state)
{
    drop_queries(state);
}

RouteScanState *as_route_scan(PlanState *node)
{
    if (!IsA(node, CustomScanState) || ((CustomScanState *)node)->methods != &exec_methods)
        return nullptr;
    return (RouteScanState *)node;
}

void init_route_scan()
{
    exec_methods.CustomName = route_scan_name;
    exec_methods.BeginCustomScan = begin_scan;
    exec_methods.ExecCustomScan = exec_scan;
    exec_methods.EndCustomScan = end_scan;
    exec_methods.ReScanCustomScan = rescan;
    exec_methods.ExplainCustomScan = explain_route;
    RegisterCustomScanMethods(&scan_methods);
}

} // namespace shardwise
