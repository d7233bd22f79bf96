#include "executor/lookup.hpp"

#include "executor/route_scan.hpp"
#include "executor/row_file.hpp"
#include "executor/slots.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "executor/executor.h"
#include "utils/datum.h"
}

namespace shardwise
{

namespace
{

struct KeptRow {
    KeptRow *next;
    MinimalTuple tuple;
};

} // namespace

struct Lookup {
    const Route *route;
    ExprState *column; // over the scan's slot
    Oid key_type;
    Oid column_type;
    int sent; // statements with a value
    bool is_kept;
    int64 nrows;
    TupleHashTable table; // of KeptRow, first of a value by entry_pointer()
    RowFile *file;        // in its place, where the rows do not fit into memory
    MemoryContext context;
    FmgrInfo *key_hash, *column_hash;
    RowHash *key_row_hash;
    Oid collation;
    ExprState *equal; // key = column
    FmgrInfo *equal_function;
    TupleTableSlot *key_slot;
    TupleTableSlot *column_slot;
    TupleTableSlot *row_slot;
    const KeptRow *next; // of the value's rows
};

namespace
{

TupleTableSlot *make_value_slot(Oid type, Oid collation)
{
    TupleDesc columns = CreateTemplateTupleDesc(1);
    TupleDescInitEntry(columns, 1, "value", type, -1, 0);
    TupleDescInitEntryCollation(columns, 1, collation);
    return MakeSingleTupleTableSlot(columns, &TTSOpsVirtual);
}

TupleTableSlot *store_value(TupleTableSlot *slot, Datum value)
{
    ExecClearTuple(slot);
    slot->tts_values[0] = value;
    slot->tts_isnull[0] = false;
    return ExecStoreVirtualTuple(slot);
}

template <typename T> T *copy_one(T value)
{
    T *copy = (T *)palloc(sizeof(T));
    *copy = value;
    return copy;
}

FmgrInfo *make_function(Oid function)
{
    FmgrInfo *info = (FmgrInfo *)palloc(sizeof(FmgrInfo));
    fmgr_info(function, info);
    return info;
}

void make_table(RouteScanState *state)
{
    Lookup *lookup = state->lookup;
    PlanState *parent = &state->css.ss.ps;
    MemoryContext query = parent->state->es_query_cxt;
    MemoryContext saved = MemoryContextSwitchTo(query);
    Oid key_equal, column_equal;
    RegProcedure key_hash, column_hash;
    if (!get_compatible_hash_operators(lookup->route->lookup_op, &key_equal, &column_equal) ||
        !get_op_hash_functions(lookup->route->lookup_op, &key_hash, &column_hash))
        elog(ERROR, "could not find hash functions of operator %u", lookup->route->lookup_op);

    Oid *collation = copy_one(lookup->route->lookup_collation);
    AttrNumber *column = copy_one((AttrNumber)1);
    lookup->collation = *collation;
    lookup->column_hash = make_function(column_hash);
    lookup->key_hash = make_function(key_hash);
    lookup->equal_function = make_function(get_opcode(lookup->route->lookup_op));
    lookup->key_slot = make_value_slot(lookup->key_type, *collation);
    lookup->column_slot = make_value_slot(lookup->column_type, *collation);
    lookup->row_slot = MakeSingleTupleTableSlot(state->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor,
                                                &TTSOpsMinimalTuple);
    lookup->context = AllocSetContextCreate(query, "shardwise kept rows", ALLOCSET_DEFAULT_SIZES);
    TupleDesc columns = lookup->column_slot->tts_tupleDescriptor;
    lookup->table = BuildTupleHashTableExt(
        parent, columns, 1, column, copy_one(get_opcode(column_equal)), lookup->column_hash,
        collation, 1024, sizeof(KeptRow *), lookup->context, lookup->context,
        parent->ps_ExprContext->ecxt_per_tuple_memory, false);
    lookup->equal = ExecBuildGroupingEqual(
        lookup->key_slot->tts_tupleDescriptor, columns, &TTSOpsVirtual, &TTSOpsMinimalTuple, 1,
        column, copy_one(get_opcode(lookup->route->lookup_op)), collation, parent);
    lookup->key_row_hash = make_row_hash(lookup->key_slot->tts_tupleDescriptor, lookup->key_hash,
                                         collation, column, parent);
    MemoryContextSwitchTo(saved);
}

uint32 hash_of(const Lookup *lookup, FmgrInfo *function, Datum value)
{
    return DatumGetUInt32(FunctionCall1Coll(function, lookup->collation, value));
}

// Keeps a row in the table; false if that takes more memory than a hash may.
bool put_into_table(Lookup *lookup, Datum value, TupleTableSlot *row)
{
    bool is_new;
    TupleHashEntry entry = LookupTupleHashEntry(
        lookup->table, store_value(lookup->column_slot, value), &is_new, nullptr);
    MemoryContext saved = MemoryContextSwitchTo(lookup->context);
    KeptRow *kept = (KeptRow *)palloc(sizeof(KeptRow));
    kept->tuple = ExecCopySlotMinimalTuple(row);
    void **first = entry_pointer(lookup->table, entry);
    kept->next = is_new ? nullptr : (KeptRow *)*first;
    *first = kept;
    MemoryContextSwitchTo(saved);
    return MemoryContextMemAllocated(lookup->context, true) <= get_hash_memory_limit();
}

// What the table has goes to a file.
void spill_table(RouteScanState *state)
{
    Lookup *lookup = state->lookup;
    MemoryContext saved = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);
    lookup->file = begin_row_file();
    TupleHashIterator iterator;
    InitTupleHashIterator(lookup->table, &iterator);
    while (TupleHashEntry entry = ScanTupleHashTable(lookup->table, &iterator)) {
        bool is_null;
        TupleTableSlot *value = lookup->table->tableslot;
        ExecStoreMinimalTuple(entry->firstTuple, value, false);
        uint32 hash = hash_of(lookup, lookup->column_hash, slot_getattr(value, 1, &is_null));
        for (KeptRow *row = (KeptRow *)*entry_pointer(lookup->table, entry); row != nullptr;
             row = row->next)
            add_to_row_file(lookup->file, hash, row->tuple);
    }
    MemoryContextDelete(lookup->context);
    lookup->table = nullptr;
    MemoryContextSwitchTo(saved);
}

void keep_row(RouteScanState *state, ExprContext *econtext, TupleTableSlot *row)
{
    Lookup *lookup = state->lookup;
    bool is_null;
    econtext->ecxt_scantuple = row;
    Datum value = ExecEvalExprSwitchContext(lookup->column, econtext, &is_null);
    if (is_null)
        return; // equal to nothing
    lookup->nrows++;
    if (lookup->file != nullptr) {
        MemoryContext saved = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
        add_to_row_file(lookup->file, hash_of(lookup, lookup->column_hash, value),
                        ExecCopySlotMinimalTuple(row));
        MemoryContextSwitchTo(saved);
    } else if (!put_into_table(lookup, value, row)) {
        spill_table(state);
    }
}

void keep_all_rows(RouteScanState *state)
{
    Lookup *lookup = state->lookup;
    ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
    make_table(state);
    run_whole_statement(state);
    for (;;) {
        ResetExprContext(econtext);
        CHECK_FOR_INTERRUPTS();
        TupleTableSlot *row = fetch_row(state);
        if (TupIsNull(row))
            break;
        keep_row(state, econtext, row);
    }
    end_statement(state);
    if (lookup->file != nullptr)
        finish_row_file(lookup->file);
    lookup->is_kept = true;
}

// The next row of the file whose column is equal to the value; different ones may share a hash.
TupleTableSlot *next_in_file(RouteScanState *state)
{
    Lookup *lookup = state->lookup;
    ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
    while (MinimalTuple row = next_in_row_file(lookup->file)) {
        CHECK_FOR_INTERRUPTS();
        bool is_null;
        ExecStoreMinimalTuple(row, lookup->row_slot, false);
        econtext->ecxt_scantuple = show_row(state->css.ss.ss_ScanTupleSlot, lookup->row_slot);
        Datum value = ExecEvalExprSwitchContext(lookup->column, econtext, &is_null);
        if (DatumGetBool(FunctionCall2Coll(lookup->equal_function, lookup->collation,
                                           lookup->key_slot->tts_values[0], value)))
            return econtext->ecxt_scantuple;
    }
    return ExecClearTuple(state->css.ss.ss_ScanTupleSlot);
}

} // namespace

Lookup *make_lookup(RouteScanState *state)
{
    const Route *route = state->route;
    if (route->lookup_param == 0)
        return nullptr;
    List *exprs = ((CustomScan *)state->css.ss.ps.plan)->custom_exprs;
    Expr *column = (Expr *)list_nth(exprs, route->lookup_column);
    Lookup *lookup = (Lookup *)palloc0(sizeof(Lookup));
    lookup->route = route;
    lookup->column = ExecInitExpr(column, &state->css.ss.ps);
    lookup->column_type = exprType((Node *)column);
    lookup->key_type = exprType((Node *)list_nth(exprs, route->lookup_param - 1));
    return lookup;
}

bool start_lookup(RouteScanState *state)
{
    Lookup *lookup = state->lookup;
    if (!lookup->is_kept && lookup->sent >= lookup->route->max_lookups)
        keep_all_rows(state);
    bool is_null;
    Datum value = evaluate_lookup(state, &is_null);
    if (is_null)
        return false;
    if (!lookup->is_kept) {
        lookup->sent++;
        run_lookup_statement(state);
        return true;
    }
    (void)store_value(lookup->key_slot, value);
    if (lookup->file != nullptr) {
        seek_in_row_file(lookup->file, hash_of(lookup, lookup->key_hash, value));
        return true;
    }
    TupleHashEntry entry =
        FindTupleHashEntry(lookup->table, lookup->key_slot, lookup->equal, lookup->key_row_hash);
    lookup->next =
        entry != nullptr ? (const KeptRow *)*entry_pointer(lookup->table, entry) : nullptr;
    return lookup->next != nullptr;
}

bool reads_kept_rows(const Lookup *lookup)
{
    return lookup != nullptr && lookup->is_kept;
}

TupleTableSlot *next_kept_row(RouteScanState *state)
{
    Lookup *lookup = state->lookup;
    TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
    if (lookup->file != nullptr)
        return next_in_file(state);
    if (lookup->next == nullptr)
        return slot;
    ExecStoreMinimalTuple(lookup->next->tuple, lookup->row_slot, false);
    lookup->next = lookup->next->next;
    return show_row(slot, lookup->row_slot);
}

void end_kept_rows(Lookup *lookup)
{
    if (lookup->file != nullptr)
        end_row_file(lookup->file);
    lookup->file = nullptr;
}

int lookups_sent(const Lookup *lookup)
{
    return lookup->sent;
}

int64 rows_kept(const Lookup *lookup)
{
    return lookup->is_kept ? lookup->nrows : -1;
}

bool keeps_rows_in_file(const Lookup *lookup)
{
    return lookup->file != nullptr;
}

} // namespace shardwise
