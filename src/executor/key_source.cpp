#include "executor/key_source.hpp"

#include "executor/slots.hpp"
#include "pg/types.hpp"
#include "pg/versions.hpp"
#include "planner/key_filter.hpp"

extern "C" {
#include "commands/explain.h"
#include "executor/executor.h"
#include "nodes/extensible.h"
#include "utils/ruleutils.h"
#include "utils/tuplestore.h"
}

namespace shardwise
{

namespace
{

CustomExecMethods exec_methods;

// Keys take no more memory than that, either.
constexpr Size max_key_memory = 16 * 1024 * 1024;

struct KeySource {
    CustomScanState css;
    PlanState *child;
    ExprState *key;
    ExprContext *key_context; // not the node's: what it has returned may still be in use
    Oid key_type;
    Oid sent_type; // integers may be sent as others
    TupleHashTable table;
    MemoryContext table_context; // of the keys
    TupleTableSlot *key_slot;
    CollectedKeys keys;
    bool is_complete;      // all rows were read, or there are too many keys
    bool child_is_over;    // no more rows of it
    bool has_passed;       // rows that are not in the store went to the node above
    bool keeps_all;        // all rows are stored before the first is returned
    bool reads_store;      // rows come from the store
    Tuplestorestate *rows; // the store; nullptr: not needed so far
    TupleTableSlot *stored_slot;
};

extern "C" Node *create_source(CustomScan *)
{
    KeySource *source = (KeySource *)palloc0(sizeof(KeySource));
    source->css.ss.ps.type = T_CustomScanState;
    source->css.methods = &exec_methods;
    return (Node *)source;
}

void make_key_table(KeySource *source)
{
    CustomScan *scan = (CustomScan *)source->css.ss.ps.plan;
    List *functions = (List *)lsecond(scan->custom_private);
    EState *estate = source->css.ss.ps.state;
    TupleDesc columns = source->key_slot->tts_tupleDescriptor;
    AttrNumber *column = (AttrNumber *)palloc(sizeof(AttrNumber));
    Oid *equal = (Oid *)palloc(sizeof(Oid));
    Oid *collation = (Oid *)palloc(sizeof(Oid));
    FmgrInfo *hash = (FmgrInfo *)palloc(sizeof(FmgrInfo));
    *column = 1;
    *equal = linitial_oid(functions);
    fmgr_info(lsecond_oid(functions), hash);
    *collation = lthird_oid(functions);
    source->table =
        BuildTupleHashTableExt(&source->css.ss.ps, columns, 1, column, equal, hash, collation, 1024,
                               0, estate->es_query_cxt, source->table_context,
                               source->key_context->ecxt_per_tuple_memory, false);
}

extern "C" void begin_source(CustomScanState *node, EState *estate, int eflags)
{
    KeySource *source = (KeySource *)node;
    CustomScan *scan = (CustomScan *)node->ss.ps.plan;
    Expr *key = (Expr *)linitial(scan->custom_exprs);
    source->child =
        ExecInitNode((Plan *)linitial(scan->custom_plans), estate,
                     eflags & ~(EXEC_FLAG_REWIND | EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK));
    node->custom_ps = list_make1(source->child);
    estate->es_param_exec_vals[linitial_int((List *)linitial(scan->custom_private))].value =
        PointerGetDatum(source);
    // The key is read from the child's rows, whose slots are of any kind; this node's are virtual.
    bool fixed = node->ss.ps.scanopsfixed;
    node->ss.ps.scanopsfixed = false;
    source->key = ExecInitExpr(key, &node->ss.ps);
    node->ss.ps.scanopsfixed = fixed;
    source->key_type = exprType((Node *)key);
    source->sent_type = lfourth_oid((List *)lsecond(scan->custom_private));
    source->keys.generation = 1;
    if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0)
        return;
    TupleDesc columns = CreateTemplateTupleDesc(1);
    TupleDescInitEntry(columns, 1, "key", source->key_type, -1, 0);
    TupleDescInitEntryCollation(columns, 1, exprCollation((Node *)key));
    source->key_slot = MakeSingleTupleTableSlot(columns, &TTSOpsVirtual);
    source->table_context =
        AllocSetContextCreate(estate->es_query_cxt, "shardwise keys", ALLOCSET_DEFAULT_SIZES);
    source->key_context = CreateExprContext(estate);
    make_key_table(source);
}

// ---- keys --------------------------------------------------------------------------------------

void forget_keys(KeySource *source)
{
    ResetTupleHashTable(source->table);
    MemoryContextReset(source->table_context);
    source->keys = CollectedKeys{false, 0, (Datum)0, source->keys.generation};
}

bool has_too_many(const KeySource *source)
{
    return source->keys.n > max_sent_keys ||
           MemoryContextMemAllocated(source->table_context, true) > max_key_memory;
}

void add_key(KeySource *source, TupleTableSlot *row)
{
    ExprContext *econtext = source->key_context;
    bool is_null, is_new;
    ResetExprContext(econtext);
    econtext->ecxt_scantuple = row;
    Datum key = ExecEvalExprSwitchContext(source->key, econtext, &is_null);
    if (is_null)
        return;
    ExecClearTuple(source->key_slot);
    source->key_slot->tts_values[0] = key;
    source->key_slot->tts_isnull[0] = false;
    ExecStoreVirtualTuple(source->key_slot);
    (void)LookupTupleHashEntry(source->table, source->key_slot, &is_new, nullptr);
    if (!is_new)
        return;
    source->keys.n++;
    if (has_too_many(source)) {
        forget_keys(source);
        source->keys.too_many = source->is_complete = true;
    }
}

// Puts the keys into an array; they lie in the table's tuples.
void finish_keys(KeySource *source)
{
    source->is_complete = true;
    MemoryContext saved = MemoryContextSwitchTo(source->table_context);
    TupleTableSlot *slot =
        MakeSingleTupleTableSlot(source->key_slot->tts_tupleDescriptor, &TTSOpsMinimalTuple);
    Datum *values = (Datum *)palloc(sizeof(Datum) * Max(source->keys.n, 1));
    TupleHashIterator iterator;
    TupleHashEntry entry;
    int n = 0;
    InitTupleHashIterator(source->table, &iterator);
    while ((entry = ScanTupleHashTable(source->table, &iterator)) != nullptr) {
        bool is_null;
        ExecStoreMinimalTuple(entry->firstTuple, slot, false);
        values[n] = slot_getattr(slot, 1, &is_null);
        if (source->key_type == source->sent_type || !is_integer_type(source->sent_type) ||
            convert_integer(source->key_type, source->sent_type, &values[n]))
            n++;
    }
    int16 length;
    bool by_value;
    char alignment;
    get_typlenbyvalalign(source->sent_type, &length, &by_value, &alignment);
    source->keys.array =
        PointerGetDatum(construct_array(values, n, source->sent_type, length, by_value, alignment));
    source->keys.n = n;
    ExecDropSingleTupleTableSlot(slot);
    pfree(values);
    MemoryContextSwitchTo(saved);
}

// ---- rows --------------------------------------------------------------------------------------

void make_store(KeySource *source)
{
    MemoryContext saved = MemoryContextSwitchTo(source->css.ss.ps.state->es_query_cxt);
    source->rows = tuplestore_begin_heap(true, false, work_mem);
    source->stored_slot = MakeSingleTupleTableSlot(
        source->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor, &TTSOpsMinimalTuple);
    MemoryContextSwitchTo(saved);
}

// The child's next row, whose key is noted; empty at the end.
TupleTableSlot *read_child(KeySource *source)
{
    if (source->child_is_over)
        return nullptr;
    TupleTableSlot *row = ExecProcNode(source->child);
    if (TupIsNull(row)) {
        source->child_is_over = true;
        if (!source->is_complete)
            finish_keys(source);
        return nullptr;
    }
    if (!source->is_complete)
        add_key(source, row);
    return row;
}

// A join may hold on to the row that it got last, which the next one would take the values from.
void keep_shown_row(KeySource *source)
{
    PlanState *node = &source->css.ss.ps;
    TupleTableSlot *shown =
        node->ps_ProjInfo != nullptr ? node->ps_ResultTupleSlot : source->css.ss.ss_ScanTupleSlot;
    if (!TupIsNull(shown))
        ExecMaterializeSlot(shown);
}

// Stores rows that nobody has asked for yet, until the keys are complete, or to the end.
void read_ahead(KeySource *source)
{
    keep_shown_row(source);
    if (source->rows == nullptr)
        make_store(source);
    while (!source->child_is_over && (source->keeps_all || !source->is_complete)) {
        CHECK_FOR_INTERRUPTS();
        TupleTableSlot *row = read_child(source);
        if (row != nullptr)
            tuplestore_puttupleslot(source->rows, row);
    }
    source->reads_store = true;
}

TupleTableSlot *next_row(KeySource *source)
{
    if (source->keeps_all && !source->reads_store)
        read_ahead(source);
    if (source->reads_store &&
        tuplestore_gettupleslot(source->rows, true, false, source->stored_slot))
        return show_row(source->css.ss.ss_ScanTupleSlot, source->stored_slot);
    // Of too many keys the first were enough: the rest of the rows was not read ahead.
    TupleTableSlot *row = read_child(source);
    source->has_passed |= row != nullptr;
    return show_row(source->css.ss.ss_ScanTupleSlot, row);
}

extern "C" TupleTableSlot *exec_source(CustomScanState *node)
{
    CHECK_FOR_INTERRUPTS();
    TupleTableSlot *row = next_row((KeySource *)node);
    if (TupIsNull(row) || node->ss.ps.ps_ProjInfo == nullptr)
        return row;
    ExprContext *econtext = node->ss.ps.ps_ExprContext;
    ResetExprContext(econtext);
    econtext->ecxt_scantuple = row;
    return ExecProject(node->ss.ps.ps_ProjInfo);
}

extern "C" void end_source(CustomScanState *node)
{
    KeySource *source = (KeySource *)node;
    ExecEndNode(source->child);
    if (source->rows != nullptr)
        tuplestore_end(source->rows);
}

extern "C" void rescan_source(CustomScanState *node)
{
    KeySource *source = (KeySource *)node;
    if (node->ss.ps.chgParam != nullptr)
        UpdateChangedParamSet(source->child, node->ss.ps.chgParam);
    bool same_rows = source->child->chgParam == nullptr;
    if (same_rows && source->child_is_over && source->rows != nullptr && !source->has_passed) {
        tuplestore_rescan(source->rows);
        source->reads_store = true;
        return;
    }
    forget_keys(source);
    source->keys.generation++;
    source->is_complete = source->child_is_over = source->has_passed = source->reads_store = false;
    // Whoever asks a second time may ask again.
    source->keeps_all = true;
    if (source->rows != nullptr)
        tuplestore_clear(source->rows);
    if (same_rows)
        ExecReScan(source->child);
}

extern "C" void explain_source(CustomScanState *node, List *ancestors, ExplainState *es)
{
    KeySource *source = (KeySource *)node;
    CustomScan *scan = (CustomScan *)node->ss.ps.plan;
    List *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, ancestors);
    ExplainPropertyText(
        "Key", deparse_expression((Node *)linitial(scan->custom_exprs), context, true, false), es);
    if (!es->analyze || !source->is_complete)
        return;
    if (source->keys.too_many)
        ExplainPropertyText("Distinct Keys", "too many to send", es);
    else
        ExplainPropertyInteger("Distinct Keys", nullptr, source->keys.n, es);
}

CustomScanMethods scan_methods = {key_source_name, create_source};

} // namespace

const CollectedKeys *collect_keys(EState *estate, int parameter)
{
    KeySource *source = (KeySource *)DatumGetPointer(estate->es_param_exec_vals[parameter].value);
    if (source->css.ss.ps.chgParam != nullptr)
        ExecReScan(&source->css.ss.ps);
    if (source->is_complete)
        return &source->keys;
    read_ahead(source);
    return &source->keys;
}

void init_key_source()
{
    exec_methods.CustomName = key_source_name;
    exec_methods.BeginCustomScan = begin_source;
    exec_methods.ExecCustomScan = exec_source;
    exec_methods.EndCustomScan = end_source;
    exec_methods.ReScanCustomScan = rescan_source;
    exec_methods.ExplainCustomScan = explain_source;
    RegisterCustomScanMethods(&scan_methods);
}

} // namespace shardwise
