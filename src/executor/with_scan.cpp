#include "executor/with_scan.hpp"

#include "executor/slots.hpp"
#include "pg/pg.hpp"
#include "pg/versions.hpp"
#include "planner/modify_plan.hpp"
#include "planner/with_planner.hpp"

extern "C" {
#include "commands/explain.h"
#include "executor/executor.h"
#include "executor/tstoreReceiver.h"
#include "catalog/namespace.h"
#include "nodes/extensible.h"
#include "parser/parsetree.h"
#include "tcop/utility.h"
#include "utils/queryenvironment.h"
#include "utils/tuplestore.h"
}

namespace shardwise
{

namespace
{

CustomExecMethods exec_methods;

struct WithState {
    CustomScanState css;
    PlanState *main;
    List *parts; // PlannedStmt *
    List *names; // String *
    List *rows;  // Tuplestorestate *
    bool is_done;
};

extern "C" Node *create_with_state(CustomScan *scan)
{
    WithState *state = (WithState *)palloc0(sizeof(WithState));
    state->css.ss.ps.type = T_CustomScanState;
    state->css.methods = &exec_methods;
    state->parts = (List *)linitial(scan->custom_private);
    state->names = (List *)lsecond(scan->custom_private);
    return (Node *)state;
}

bool writes_temporary_table(const PlannedStmt *part)
{
    if (part->resultRelations == NIL)
        return false;
    const RangeTblEntry *rte = rt_fetch(linitial_int(part->resultRelations), part->rtable);
    return isTempNamespace(get_rel_namespace(rte->relid));
}

// In a READ ONLY transaction the whole statement is what cannot be executed, not its part.
void check_read_only(const WithState *state, const PlannedStmt *whole)
{
    ListCell *cell;
    foreach (cell, XactReadOnly ? state->parts : NIL) {
        const PlannedStmt *part = (const PlannedStmt *)lfirst(cell);
        if (part->commandType != CMD_SELECT && !writes_temporary_table(part))
            PreventCommandIfReadOnly(CreateCommandName((Node *)whole));
    }
}

extern "C" void begin_with(CustomScanState *node, EState *estate, int eflags)
{
    WithState *state = (WithState *)node;
    CustomScan *scan = (CustomScan *)node->ss.ps.plan;
    ListCell *cell;
    if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
        check_read_only(state, estate->es_plannedstmt);
    foreach (cell, state->names) {
        EphemeralNamedRelation rows = get_ENR(estate->es_queryEnv, strVal(lfirst(cell)));
        state->rows = lappend(state->rows, rows->reldata);
    }
    state->main = ExecInitNode((Plan *)linitial(scan->custom_plans), estate,
                               eflags & ~(EXEC_FLAG_REWIND | EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK));
    node->custom_ps = list_make1(state->main);
}

void run_part(WithState *state, PlannedStmt *part, Tuplestorestate *rows)
{
    EState *estate = state->css.ss.ps.state;
    bool has_rows = part->hasReturning || part->commandType == CMD_SELECT;
    DestReceiver *receiver = CreateDestReceiver(has_rows ? DestTuplestore : DestNone);
    if (has_rows)
        SetTuplestoreDestReceiverParams(receiver, rows, estate->es_query_cxt, false, nullptr,
                                        nullptr);
    QueryDesc *desc =
        CreateQueryDesc(part, estate->es_sourceText, GetActiveSnapshot(), InvalidSnapshot, receiver,
                        estate->es_param_list_info, estate->es_queryEnv, 0);
    ExecutorStart(desc, 0);
    ExecutorRun(desc, ForwardScanDirection, 0, true);
    ExecutorFinish(desc);
    if (part->canSetTag)
        estate->es_processed += desc->estate->es_processed;
    ExecutorEnd(desc);
    FreeQueryDesc(desc);
    receiver->rDestroy(receiver);
}

void run_parts(WithState *state)
{
    MemoryContext saved = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);
    ListCell *part, *rows;
    forboth (part, state->parts, rows, state->rows)
        run_part(state, (PlannedStmt *)lfirst(part), (Tuplestorestate *)lfirst(rows));
    MemoryContextSwitchTo(saved);
}

TupleTableSlot *next_tuple(ScanState *node)
{
    WithState *state = (WithState *)node;
    if (!state->is_done)
        run_parts(state);
    state->is_done = true;
    return show_row(node->ss_ScanTupleSlot, ExecProcNode(state->main));
}

bool recheck_tuple(ScanState *, TupleTableSlot *)
{
    return true;
}

extern "C" TupleTableSlot *exec_with(CustomScanState *node)
{
    return ExecScan(&node->ss, (ExecScanAccessMtd)next_tuple, (ExecScanRecheckMtd)recheck_tuple);
}

extern "C" void end_with(CustomScanState *node)
{
    WithState *state = (WithState *)node;
    ListCell *cell;
    ExecEndNode(state->main);
    foreach (cell, state->names)
        unregister_ENR(node->ss.ps.state->es_queryEnv, strVal(lfirst(cell)));
    foreach (cell, state->rows)
        tuplestore_end((Tuplestorestate *)lfirst(cell));
}

extern "C" void rescan_with(CustomScanState *)
{
    elog(ERROR, "a write cannot run again");
}

// A part's plan, as a child of the node. What ANALYZE measured is gone with its execution.
void explain_part(WithState *state, PlannedStmt *part, ExplainState *es)
{
    EState *estate = state->css.ss.ps.state;
    ExplainState around = *es;
    QueryDesc *desc =
        CreateQueryDesc(part, estate->es_sourceText, GetActiveSnapshot(), InvalidSnapshot,
                        None_Receiver, estate->es_param_list_info, estate->es_queryEnv, 0);
    es->analyze = es->buffers = es->wal = es->timing = es->settings = false;
    ExplainOpenGroup("Part", nullptr, true, es);
    ExecutorStart(desc, EXEC_FLAG_EXPLAIN_ONLY);
    ExplainPrintPlan(es, desc);
    ExecutorEnd(desc);
    ExplainCloseGroup("Part", nullptr, true, es);
    FreeQueryDesc(desc);
    List *groups = es->grouping_stack;
    *es = around;
    es->grouping_stack = groups;
}

// True for the part that makes late checks, of the rows that the part before it has written.
bool is_check(const PlannedStmt *part)
{
    const CustomScan *scan = (const CustomScan *)part->planTree;
    return IsA(scan, CustomScan) && strcmp(scan->methods->CustomName, modify_name) == 0 &&
           get_modify_plan(scan)->command == CMD_SELECT;
}

extern "C" void explain_with(CustomScanState *node, List *, ExplainState *es)
{
    WithState *state = (WithState *)node;
    ListCell *cell;
    ExplainOpenGroup("Parts", "Parts", false, es);
    foreach (cell, state->parts) {
        PlannedStmt *part = (PlannedStmt *)lfirst(cell);
        if (es->format == EXPLAIN_FORMAT_TEXT) {
            appendStringInfoSpaces(es->str, es->indent * 2);
            appendStringInfoString(es->str, part->commandType != CMD_SELECT ? "Write:\n"
                                            : is_check(part)                ? "Check:\n"
                                                                            : "Read First:\n");
        }
        explain_part(state, part, es);
    }
    ExplainCloseGroup("Parts", "Parts", false, es);
}

CustomScanMethods scan_methods = {with_name, create_with_state};

// Makes the rows of a write known under their name; there are none yet.
void announce_rows(QueryEnvironment *environment, const char *name, const PlannedStmt *part)
{
    Tuplestorestate *rows = tuplestore_begin_heap(false, false, work_mem);
    // Readers go back to the start on their own.
    tuplestore_set_eflags(rows, EXEC_FLAG_REWIND);
    EphemeralNamedRelation relation =
        (EphemeralNamedRelation)palloc0(sizeof(EphemeralNamedRelationData));
    relation->md.name = pstrdup(name);
    relation->md.tupdesc = ExecCleanTypeFromTL(part->planTree->targetlist);
    relation->md.enrtype = ENR_NAMED_TUPLESTORE;
    relation->reldata = rows;
    register_ENR(environment, relation);
}

} // namespace

// True for the node; one may stand on top of another.
static const CustomScan *as_with_scan(const Plan *plan)
{
    return plan != nullptr && IsA(plan, CustomScan) &&
                   ((const CustomScan *)plan)->methods == &scan_methods
               ? (const CustomScan *)plan
               : nullptr;
}

void announce_with_rows(QueryDesc *desc)
{
    const CustomScan *scan = as_with_scan(desc->plannedstmt->planTree);
    if (scan != nullptr && desc->queryEnv == nullptr)
        desc->queryEnv = create_queryEnv();
    while (scan != nullptr) {
        ListCell *part, *name;
        forboth (part, (List *)linitial(scan->custom_private), name,
                 (List *)lsecond(scan->custom_private))
            announce_rows(desc->queryEnv, strVal(lfirst(name)), (PlannedStmt *)lfirst(part));
        scan = as_with_scan((const Plan *)linitial(scan->custom_plans));
    }
}

void init_with_scan()
{
    exec_methods.CustomName = with_name;
    exec_methods.BeginCustomScan = begin_with;
    exec_methods.ExecCustomScan = exec_with;
    exec_methods.EndCustomScan = end_with;
    exec_methods.ReScanCustomScan = rescan_with;
    exec_methods.ExplainCustomScan = explain_with;
    RegisterCustomScanMethods(&scan_methods);
}

} // namespace shardwise
