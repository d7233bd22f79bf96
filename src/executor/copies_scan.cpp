#include "executor/copies_scan.hpp"

#include "catalog/write_locks.hpp"
#include "executor/slots.hpp"
#include "executor/values.hpp"
#include "pg/versions.hpp"
#include "planner/numbered_rows.hpp"
#include "routing/shard_choice.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "commands/explain.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
}

namespace shardwise
{

namespace
{

CustomExecMethods exec_methods;

// Where a copy of a row is.
struct CopyPlace {
    ItemPointerData tuple;
    Oid table;
};

struct KeptRow {
    MinimalTuple row;
    CopyPlace *places; // one a shard; nullptr: an outer join yields no row of the table
};

struct CopiesState {
    CustomScanState css;
    Oid relid;
    const char *sql;
    CopyColumns columns;
    PlanState *source;
    bool is_over; // the source
    List *shards;
    MemoryContext context; // of the rows at hand
    List *rows;            // KeptRow *
    int next;              // of them, to be returned
    List *sought;          // KeptRow *: those with places
    TupleTableSlot *slot;
};

extern "C" Node *create_copies_state(CustomScan *scan)
{
    CopiesState *state = (CopiesState *)palloc0(sizeof(CopiesState));
    state->css.ss.ps.type = T_CustomScanState;
    state->css.methods = &exec_methods;
    state->relid = (Oid)intVal(linitial(scan->custom_private));
    state->sql = strVal(lsecond(scan->custom_private));
    state->columns = read_copy_columns((List *)lthird(scan->custom_private));
    return (Node *)state;
}

extern "C" void begin_copies(CustomScanState *node, EState *estate, int eflags)
{
    CopiesState *state = (CopiesState *)node;
    CustomScan *scan = (CustomScan *)node->ss.ps.plan;
    state->source =
        ExecInitNode((Plan *)linitial(scan->custom_plans), estate,
                     eflags & ~(EXEC_FLAG_REWIND | EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK));
    node->custom_ps = list_make1(state->source);
    state->context =
        AllocSetContextCreate(estate->es_query_cxt, "shardwise copies", ALLOCSET_DEFAULT_SIZES);
    state->slot =
        ExecInitExtraTupleSlot(estate, ExecGetResultType(state->source), &TTSOpsMinimalTuple);
}

// ---- asking the shards -------------------------------------------------------------------------

// The texts and numbers of rows, as the two parameters.
struct SoughtRows {
    ArrayWriter texts, numbers;
};

RemoteValues write_sought(SoughtRows *sought)
{
    const char **values = (const char **)palloc(sizeof(char *) * 2);
    int *lengths = (int *)palloc(sizeof(int) * 4);
    finish_array(&sought->texts);
    finish_array(&sought->numbers);
    values[0] = sought->texts.bytes.data;
    values[1] = sought->numbers.bytes.data;
    lengths[0] = sought->texts.bytes.len;
    lengths[1] = sought->numbers.bytes.len;
    lengths[2] = lengths[3] = 1; // formats
    return {values, lengths, lengths + 2};
}

[[noreturn]] void raise_copy_missing(const CopiesState *state)
{
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("the copies of a reference table differ between shards"),
                    errdetail("A row of table \"%s\" is not on all of them.",
                              get_rel_name(state->relid))));
}

// Reads a shard's answer: the number of each row, its ctid and table.
void read_places(CopiesState *state, RemoteQuery *query, int shard)
{
    const PGresult *result;
    int row;
    int found = 0;
    while (next_row(query, &result, &row)) {
        int number = pg_strtoint32(PQgetvalue(result, row, 0)) - 1;
        CopyPlace *place = &((KeptRow *)list_nth(state->sought, number))->places[shard];
        place->tuple = *(ItemPointer)DatumGetPointer(
            DirectFunctionCall1(tidin, CStringGetDatum(PQgetvalue(result, row, 1))));
        place->table = (Oid)strtoul(PQgetvalue(result, row, 2), nullptr, 10);
        found++;
    }
    end_query(query);
    if (found != list_length(state->sought))
        raise_copy_missing(state);
}

// Asks all shards but the one that the rows come from.
void ask_shards(CopiesState *state, SoughtRows *sought, int32 known)
{
    static const Oid types[] = {TEXTARRAYOID, INT8ARRAYOID};
    RemoteStatement statement = {0, state->sql, 2, types, false};
    RemoteValues values = write_sought(sought);
    List *queries = NIL;
    ListCell *cell;
    foreach (cell, state->shards) {
        RemoteQuery *query = nullptr;
        if (lfirst_int(cell) != known)
            query = start_query(join_shard(lfirst_int(cell), Access::Read, false), &statement,
                                &values, state->context);
        queries = lappend(queries, query);
    }
    foreach (cell, queries)
        if (lfirst(cell) != nullptr)
            read_places(state, (RemoteQuery *)lfirst(cell), foreach_current_index(cell));
}

// ---- rows --------------------------------------------------------------------------------------

Datum column_of(TupleTableSlot *row, int column)
{
    bool is_null;
    return slot_getattr(row, column + 1, &is_null);
}

int32 shard_of(const CopiesState *state, TupleTableSlot *row)
{
    return (int32)DatumGetCommandId(column_of(row, state->columns.shard));
}

// Makes room for the places of a row, of which one is known.
CopyPlace *start_places(const CopiesState *state, TupleTableSlot *row)
{
    CopyPlace *places = (CopyPlace *)palloc0(sizeof(CopyPlace) * list_length(state->shards));
    int32 known = shard_of(state, row);
    ListCell *cell;
    foreach (cell, state->shards) {
        if (lfirst_int(cell) != known)
            continue;
        CopyPlace *place = &places[foreach_current_index(cell)];
        place->tuple = *(ItemPointer)DatumGetPointer(column_of(row, state->columns.place));
        if (state->columns.table >= 0)
            place->table = DatumGetCommandId(column_of(row, state->columns.table));
    }
    return places;
}

void keep_row(CopiesState *state, TupleTableSlot *row, SoughtRows *sought)
{
    KeptRow *kept = (KeptRow *)palloc0(sizeof(KeptRow));
    kept->row = ExecCopySlotMinimalTuple(row);
    state->rows = lappend(state->rows, kept);
    if (slot_attisnull(row, state->columns.place + 1))
        return;
    kept->places = start_places(state, row);
    state->sought = lappend(state->sought, kept);
    append_element(&sought->texts, column_of(row, state->columns.text), false);
    append_element(&sought->numbers, column_of(row, state->columns.number), false);
}

// Reads as many rows as memory holds, and finds their copies: for each time, the shards read the
// whole table.
void read_rows(CopiesState *state)
{
    MemoryContextReset(state->context);
    state->rows = state->sought = NIL;
    state->next = 0;
    MemoryContext saved = MemoryContextSwitchTo(state->context);
    SoughtRows sought;
    int32 known = 0;
    init_array_writer(&sought.texts, TEXTOID);
    init_array_writer(&sought.numbers, INT8OID);
    while (!state->is_over &&
           MemoryContextMemAllocated(state->context, true) < maintenance_work_mem * (Size)1024) {
        CHECK_FOR_INTERRUPTS();
        MemoryContextSwitchTo(saved);
        TupleTableSlot *row = ExecProcNode(state->source);
        MemoryContextSwitchTo(state->context);
        state->is_over = TupIsNull(row);
        if (state->is_over)
            break;
        keep_row(state, row, &sought);
        if (known == 0 && state->sought != NIL)
            known = shard_of(state, row);
    }
    if (state->sought != NIL)
        ask_shards(state, &sought, known);
    MemoryContextSwitchTo(saved);
}

Datum tid_array(const CopyPlace *places, int n)
{
    Datum *elements = (Datum *)palloc(sizeof(Datum) * n);
    for (int i = 0; i < n; i++)
        elements[i] = PointerGetDatum(&places[i].tuple);
    return PointerGetDatum(
        construct_array(elements, n, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT));
}

Datum oid_array(const CopyPlace *places, int n)
{
    Datum *elements = (Datum *)palloc(sizeof(Datum) * n);
    for (int i = 0; i < n; i++)
        elements[i] = ObjectIdGetDatum(places[i].table);
    return PointerGetDatum(construct_array(elements, n, OIDOID, sizeof(Oid), true, TYPALIGN_INT));
}

void show_places(const CopiesState *state, const CopyPlace *places, TupleTableSlot *slot)
{
    int n = list_length(state->shards);
    slot->tts_values[state->columns.places] = tid_array(places, n);
    slot->tts_values[state->columns.tables] = oid_array(places, n);
    slot->tts_isnull[state->columns.places] = slot->tts_isnull[state->columns.tables] = false;
}

// Before the rows are read: nobody else changes them from now on.
void start(CopiesState *state)
{
    lock_reference_writes(state->relid);
    MemoryContext saved = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);
    state->shards = list_all_shards();
    MemoryContextSwitchTo(saved);
}

TupleTableSlot *next_tuple(ScanState *node)
{
    CopiesState *state = (CopiesState *)node;
    TupleTableSlot *slot = node->ss_ScanTupleSlot;
    if (state->shards == NIL)
        start(state);
    while (state->next == list_length(state->rows) && !state->is_over)
        read_rows(state);
    if (state->next == list_length(state->rows))
        return ExecClearTuple(slot);
    const KeptRow *kept = (KeptRow *)list_nth(state->rows, state->next++);
    ExecStoreMinimalTuple(kept->row, state->slot, false);
    (void)show_row(slot, state->slot);
    if (kept->places != nullptr)
        show_places(state, kept->places, slot);
    return slot;
}

bool recheck_tuple(ScanState *, TupleTableSlot *)
{
    return true;
}

extern "C" TupleTableSlot *exec_copies(CustomScanState *node)
{
    return ExecScan(&node->ss, (ExecScanAccessMtd)next_tuple, (ExecScanRecheckMtd)recheck_tuple);
}

extern "C" void end_copies(CustomScanState *node)
{
    ExecEndNode(((CopiesState *)node)->source);
}

extern "C" void rescan_copies(CustomScanState *)
{
    elog(ERROR, "a write cannot run again");
}

extern "C" void explain_copies(CustomScanState *node, List *, ExplainState *es)
{
    if (es->verbose)
        ExplainPropertyText("Remote SQL", ((CopiesState *)node)->sql, es);
}

CustomScanMethods scan_methods = {copies_name, create_copies_state};

} // namespace

void init_copies_scan()
{
    exec_methods.CustomName = copies_name;
    exec_methods.BeginCustomScan = begin_copies;
    exec_methods.ExecCustomScan = exec_copies;
    exec_methods.EndCustomScan = end_copies;
    exec_methods.ReScanCustomScan = rescan_copies;
    exec_methods.ExplainCustomScan = explain_copies;
    RegisterCustomScanMethods(&scan_methods);
}

} // namespace shardwise
