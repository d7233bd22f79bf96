#include "executor/route_scan.hpp"

#include "executor/shard_choice.hpp"
#include "pg/nesting.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "executor/executor.h"
}

namespace shardwise
{

namespace
{

CustomExecMethods exec_methods;

extern "C" Node *create_state(CustomScan *scan)
{
    RouteScanState *state = (RouteScanState *) palloc0(sizeof(RouteScanState));
    state->css.ss.ps.type = T_CustomScanState;
    state->css.methods = &exec_methods;
    state->route = get_route(scan);
    return (Node *) state;
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

extern "C" void begin_scan(CustomScanState *node, EState *estate, int eflags)
{
    RouteScanState *state = (RouteScanState *) node;
    CustomScan *scan = (CustomScan *) node->ss.ps.plan;
    int n = list_length(scan->custom_exprs);
    ListCell *cell;

    state->is_insert = estate->es_plannedstmt->commandType == CMD_INSERT;
    state->nvalues = n;
    state->value_states = (ExprState **) palloc0(sizeof(ExprState *) * (n + 1));
    state->values = (Datum *) palloc0(sizeof(Datum) * (n + 1));
    state->nulls = (bool *) palloc0(sizeof(bool) * (n + 1));
    foreach (cell, scan->custom_exprs) {
        int i = foreach_current_index(cell);
        Expr *expr = (Expr *) lfirst(cell);
        if (IsA(expr, Const)) { // needs no expression machinery
            state->values[i] = ((Const *) expr)->constvalue;
            state->nulls[i] = ((Const *) expr)->constisnull;
        } else {
            state->value_states[i] = ExecInitExpr(expr, &node->ss.ps);
        }
    }
    if (state->route->functions != NIL && (eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
        check_functions(state->route);
}

// The values live as long as the query, since EXPLAIN may need them again.
void evaluate_values(RouteScanState *state)
{
    ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
    for (int i = 0; i < state->nvalues; i++)
        if (state->value_states[i] != nullptr)
            state->values[i] =
                ExecEvalExpr(state->value_states[i], econtext, &state->nulls[i]);
}

Connection *join(RouteScanState *state)
{
    // What the shard has committed on its own cannot be undone when the router fails later.
    bool alone = executor_depth == 1 && utility_depth == 0 &&
                 !(state->route->writes && state->route->may_fail_late);
    Access access = state->route->writes ? Access::Write : Access::Read;
    return join_shard(state->shard, access, alone);
}

[[noreturn]] void raise_check_violation(const WithCheckOption *check)
{
    switch (check->kind) {
    case WCO_VIEW_CHECK:
        ereport(ERROR,
                (errcode(ERRCODE_WITH_CHECK_OPTION_VIOLATION),
                 errmsg("new row violates check option for view \"%s\"", check->relname)));
    default:
        if (check->polname != nullptr)
            ereport(ERROR,
                    (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                     errmsg("new row violates row-level security policy \"%s\" for table \"%s\"",
                            check->polname, check->relname)));
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("new row violates row-level security policy for table \"%s\"",
                               check->relname)));
    }
    pg_unreachable();
}

// The shard's answers to WITH CHECK OPTION follow the visible columns.
void verify_checks(const RouteScanState *state, const PGresult *result, int row)
{
    int column = state->route->ncolumns - list_length(state->route->checks);
    ListCell *cell;
    foreach (cell, state->route->checks) {
        const char *value = PQgetvalue(result, row, column);
        bool passed = !PQgetisnull(result, row, column) &&
                      (state->route->binary_results ? value[0] != 0 : value[0] == 't');
        if (!passed)
            raise_check_violation((WithCheckOption *) lfirst(cell));
        column++;
    }
}

void finish(RouteScanState *state)
{
    EState *estate = state->css.ss.ps.state;
    if (state->route->counts_rows && state->query != nullptr)
        estate->es_processed += affected_rows(state->query);
    state->is_done = true;
}

TupleTableSlot *next_tuple(ScanState *node)
{
    RouteScanState *state = (RouteScanState *) node;
    TupleTableSlot *slot = node->ss_ScanTupleSlot;
    const PGresult *result;
    int row;

    ExecClearTuple(slot);
    if (state->is_done)
        return slot;
    if (state->query == nullptr) {
        resolve_shard(state);
        if (runs_under_explain(state)) {
            run_explained(state);
            state->is_done = true;
            return slot;
        }
        state->query = send_route(state, state->route->sql, state->route->statement_id,
                                  state->route->binary_results);
    }
    while (next_row(state->query, &result, &row)) {
        verify_checks(state, result, row);
        if (slot->tts_tupleDescriptor->natts == 0 && state->route->counts_rows &&
            !node->ps.state->es_plannedstmt->hasReturning)
            continue; // rows that only carried checks
        if (state->rows == nullptr) {
            MemoryContext saved = MemoryContextSwitchTo(node->ps.state->es_query_cxt);
            state->rows = make_row_reader(slot->tts_tupleDescriptor, state->route->binary_results);
            MemoryContextSwitchTo(saved);
        }
        MemoryContext saved =
            MemoryContextSwitchTo(node->ps.ps_ExprContext->ecxt_per_tuple_memory);
        read_row(state->rows, result, row, slot->tts_values, slot->tts_isnull);
        MemoryContextSwitchTo(saved);
        return ExecStoreVirtualTuple(slot);
    }
    finish(state);
    return slot;
}

bool recheck_tuple(ScanState *, TupleTableSlot *)
{
    return true;
}

extern "C" TupleTableSlot *exec_scan(CustomScanState *node)
{
    return ExecScan(&node->ss, (ExecScanAccessMtd) next_tuple, (ExecScanRecheckMtd) recheck_tuple);
}

void drop_query(RouteScanState *state)
{
    if (state->query != nullptr)
        end_query(state->query);
    state->query = nullptr;
}

extern "C" void end_scan(CustomScanState *node)
{
    drop_query((RouteScanState *) node);
}

extern "C" void rescan(CustomScanState *node)
{
    RouteScanState *state = (RouteScanState *) node;
    drop_query(state);
    state->is_done = false;
    state->shard = 0;
    ExecScanReScan(&node->ss);
}

CustomScanMethods scan_methods = {route_scan_name, create_state};

} // namespace

void resolve_shard(RouteScanState *state)
{
    if (state->shard != 0)
        return;
    evaluate_values(state);
    state->shard = choose_shard(state->route, state->values, state->nulls, state->is_insert);
}

RemoteQuery *send_route(RouteScanState *state, const char *sql, uint64 statement_id,
                        bool binary_results)
{
    const Route *route = state->route;
    MemoryContext context = state->css.ss.ps.state->es_query_cxt;
    MemoryContext saved = MemoryContextSwitchTo(context);

    if (state->parameters == nullptr) {
        List *exprs = ((CustomScan *) state->css.ss.ps.plan)->custom_exprs;
        Oid *types = (Oid *) palloc(sizeof(Oid) * (route->nparams + 1));
        for (int i = 0; i < route->nparams; i++)
            types[i] = exprType((Node *) list_nth(exprs, i));
        state->parameters = make_parameter_writer(route->nparams, types);
    }
    RemoteValues values = write_parameters(state->parameters, state->values, state->nulls);
    RemoteStatement statement = {statement_id, sql, route->nparams, route->param_types,
                                 binary_results};
    RemoteQuery *query = start_query(join(state), &statement, &values, context);
    MemoryContextSwitchTo(saved);
    return query;
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
