// PostgreSQL locks rows one by one as LIMIT asks for them. Over several shards that would be a
// round trip a row, and a LIMIT on each shard would lock that many rows on each. So one statement
// finds rows in their order, without locks, and tells their places; as many as are still needed are
// then locked by a second one, which looks at their conditions again. Rows that it does not return
// were locked by others (SKIP LOCKED: the next ones are tried) or have changed since they were
// found (all is looked for again: they may still belong to the answer).
#include "executor/lock_scan.hpp"

#include "executor/route_scan.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/extensible.h"
#include "utils/hsearch.h"
}

namespace shardwise
{

namespace
{

CustomExecMethods exec_methods;

// Rows that change again and again are left to their writers.
constexpr int max_searches = 20;

// With SKIP LOCKED, how many times as many rows are looked for where too few could be locked.
constexpr int growth = 8;

struct FoundPlace {
    int32 shard;
    ItemPointerData place;
    uint16 unused; // the key is compared as bytes
};

// A row that was found, in the order of finding.
struct FoundRow {
    FoundPlace place; // key
    int64 number;
    bool is_returned;
};

struct LockedRow {
    int64 number; // of the row as it was found
    MinimalTuple row;
};

struct LockState {
    CustomScanState css;
    RouteScanState *finder;
    RouteScanState *locker;
    ExprState *bound_state;
    int64 bound; // rows needed; -1: all
    bool skips;
    HTAB *found; // FoundRow
    int64 numbers;
    LockedRow *rows;
    int64 nrows;
    int64 room;
    int64 next; // to be returned
    bool is_done;
    TupleTableSlot *kept_slot;
    MemoryContext context; // of one search
};

extern "C" Node *create_lock_state(CustomScan *scan)
{
    LockState *state = (LockState *)palloc0(sizeof(LockState));
    state->css.ss.ps.type = T_CustomScanState;
    state->css.methods = &exec_methods;
    state->skips = boolVal(linitial(scan->custom_private));
    return (Node *)state;
}

extern "C" void begin_lock(CustomScanState *node, EState *estate, int eflags)
{
    LockState *state = (LockState *)node;
    CustomScan *scan = (CustomScan *)node->ss.ps.plan;
    int flags = eflags & ~(EXEC_FLAG_REWIND | EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK);
    PlanState *finder = ExecInitNode((Plan *)linitial(scan->custom_plans), estate, flags);
    PlanState *locker = ExecInitNode((Plan *)lsecond(scan->custom_plans), estate, flags);
    node->custom_ps = list_make2(finder, locker);
    state->finder = as_route_scan(finder);
    state->locker = as_route_scan(locker);
    state->bound_state = ExecInitExpr((Expr *)linitial(scan->custom_exprs), &node->ss.ps);
    state->context = AllocSetContextCreate(estate->es_query_cxt, "shardwise locked rows",
                                           ALLOCSET_DEFAULT_SIZES);
    state->kept_slot =
        ExecInitExtraTupleSlot(estate, ExecGetResultType(finder), &TTSOpsMinimalTuple);
}

// ---- the two scans -----------------------------------------------------------------------------

void start_anew(RouteScanState *scan)
{
    end_statement(scan);
    scan->is_done = false;
}

// Lets the finder find so many rows a shard; all of them, if negative.
void scan_with_limit(RouteScanState *scan, int64 limit)
{
    int number = scan->route->limit_param - 1;
    start_anew(scan);
    route_values(scan)[number] = Int64GetDatum(limit);
    route_nulls(scan)[number] = limit < 0;
}

// Lets the locker lock rows by their places (ShardPlaces *).
void scan_places(RouteScanState *scan, List *places)
{
    start_anew(scan);
    scan->places = places;
    scan->shards = NIL;
    ListCell *cell;
    foreach (cell, places)
        scan->shards = lappend_int(scan->shards, ((ShardPlaces *)lfirst(cell))->shard);
}

// ---- places ------------------------------------------------------------------------------------

// The last two columns of both statements: shard and ctid.
FoundPlace place_of(TupleTableSlot *row)
{
    bool isnull;
    int n = row->tts_tupleDescriptor->natts;
    FoundPlace place = {};
    place.shard = (int32)DatumGetCommandId(slot_getattr(row, n - 1, &isnull));
    place.place = *(ItemPointer)DatumGetPointer(slot_getattr(row, n, &isnull));
    return place;
}

void start_search(LockState *state)
{
    HASHCTL control = {};
    MemoryContextReset(state->context);
    control.keysize = sizeof(FoundPlace);
    control.entrysize = sizeof(FoundRow);
    control.hcxt = state->context;
    state->found =
        hash_create("shardwise found rows", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    state->rows = nullptr;
    state->numbers = state->nrows = state->room = state->next = 0;
}

// Takes up to `wanted` rows that have not been tried yet.
List *find_rows(LockState *state, int64 wanted, int64 *delivered)
{
    List *rows = NIL;
    while (wanted < 0 || list_length(rows) < wanted) {
        TupleTableSlot *row = ExecProcNode((PlanState *)state->finder);
        if (TupIsNull(row))
            break;
        ++*delivered;
        FoundPlace place = place_of(row);
        bool is_known;
        FoundRow *found = (FoundRow *)hash_search(state->found, &place, HASH_ENTER, &is_known);
        if (is_known)
            continue;
        found->number = state->numbers++;
        found->is_returned = false;
        rows = lappend(rows, found);
    }
    return rows;
}

// The rows' places, by shard.
List *group_places(List *rows)
{
    List *groups = NIL;
    List *done = NIL;
    ListCell *cell;
    foreach (cell, rows) {
        int32 shard = ((FoundRow *)lfirst(cell))->place.shard;
        if (list_member_int(done, shard))
            continue;
        done = lappend_int(done, shard);
        Datum *tids = (Datum *)palloc(sizeof(Datum) * list_length(rows));
        int n = 0;
        ListCell *other;
        foreach (other, rows) {
            FoundRow *row = (FoundRow *)lfirst(other);
            if (row->place.shard == shard)
                tids[n++] = PointerGetDatum(&row->place.place);
        }
        ShardPlaces *places = (ShardPlaces *)palloc(sizeof(ShardPlaces));
        *places = ShardPlaces{
            shard, PointerGetDatum(construct_array(tids, n, TIDOID, sizeof(ItemPointerData), false,
                                                   TYPALIGN_SHORT))};
        groups = lappend(groups, places);
    }
    return groups;
}

// ---- locking -----------------------------------------------------------------------------------

void keep_row(LockState *state, int64 number, TupleTableSlot *row)
{
    if (state->nrows == state->room) {
        state->room = std::max<int64>(64, state->room * 2);
        Size size = sizeof(LockedRow) * (Size)state->room;
        state->rows = state->rows == nullptr
                          ? (LockedRow *)MemoryContextAllocHuge(state->context, size)
                          : (LockedRow *)repalloc_huge(state->rows, size);
    }
    state->rows[state->nrows++] = LockedRow{number, ExecCopySlotMinimalTuple(row)};
}

// The number of a locked row: its own, or, where somebody changed it while its lock was awaited and
// it has another place now, that of some row of its shard which did not come.
int64 number_of(LockState *state, List *rows, TupleTableSlot *locked)
{
    FoundPlace place = place_of(locked);
    FoundRow *found = (FoundRow *)hash_search(state->found, &place, HASH_FIND, nullptr);
    if (found != nullptr) {
        found->is_returned = true;
        return found->number;
    }
    int64 number = state->numbers;
    ListCell *cell;
    foreach (cell, rows) {
        FoundRow *row = (FoundRow *)lfirst(cell);
        if (row->place.shard != place.shard || row->is_returned)
            continue;
        row->is_returned = true;
        number = row->number;
        break;
    }
    // It is not to be found again.
    found = (FoundRow *)hash_search(state->found, &place, HASH_ENTER, nullptr);
    found->number = number;
    found->is_returned = true;
    return number;
}

// Locks rows; returns how many of them there still are.
int64 lock_rows(LockState *state, List *rows)
{
    int64 locked = 0;
    scan_places(state->locker, group_places(rows));
    for (;;) {
        MemoryContext saved = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);
        TupleTableSlot *row = ExecProcNode((PlanState *)state->locker);
        MemoryContextSwitchTo(saved);
        if (TupIsNull(row))
            return locked;
        keep_row(state, number_of(state, rows, row), row);
        locked++;
    }
}

// Finds rows and locks them until there are enough. False if some have changed meanwhile.
bool search(LockState *state)
{
    int64 limit = state->bound;
    int64 delivered = 0;
    start_search(state);
    scan_with_limit(state->finder, limit);
    while (state->bound < 0 || state->nrows < state->bound) {
        CHECK_FOR_INTERRUPTS();
        int64 missing = state->bound < 0 ? -1 : state->bound - state->nrows;
        List *rows = find_rows(state, missing, &delivered);
        if (rows != NIL) {
            if (lock_rows(state, rows) < list_length(rows) && !state->skips)
                return false;
            continue;
        }
        if (limit < 0 || delivered < limit)
            return true; // there are no more
        limit = limit > PG_INT64_MAX / growth ? -1 : limit * growth;
        delivered = 0;
        scan_with_limit(state->finder, limit);
    }
    return true;
}

extern "C" int compare_numbers(const void *a, const void *b)
{
    int64 left = ((const LockedRow *)a)->number, right = ((const LockedRow *)b)->number;
    return left < right ? -1 : left > right;
}

void lock_all(LockState *state)
{
    bool isnull;
    Datum bound =
        ExecEvalExprSwitchContext(state->bound_state, state->css.ss.ps.ps_ExprContext, &isnull);
    state->bound = isnull ? -1 : std::max<int64>(0, DatumGetInt64(bound));
    resolve_shards(state->locker); // from here on no move swaps the rows
    resolve_shards(state->finder);
    MemoryContext saved = MemoryContextSwitchTo(state->context);
    for (int i = 0; i < max_searches && !search(state); i++)
        ;
    MemoryContextSwitchTo(saved);
    if (state->nrows > 1)
        qsort(state->rows, state->nrows, sizeof(LockedRow), compare_numbers);
}

TupleTableSlot *next_tuple(ScanState *node)
{
    LockState *state = (LockState *)node;
    TupleTableSlot *slot = node->ss_ScanTupleSlot;
    ExecClearTuple(slot);
    if (!state->is_done)
        lock_all(state);
    state->is_done = true;
    if (state->next == state->nrows)
        return slot;
    ExecStoreMinimalTuple(state->rows[state->next++].row, state->kept_slot, false);
    slot_getallattrs(state->kept_slot);
    int n = slot->tts_tupleDescriptor->natts;
    memcpy(slot->tts_values, state->kept_slot->tts_values, sizeof(Datum) * n);
    memcpy(slot->tts_isnull, state->kept_slot->tts_isnull, sizeof(bool) * n);
    return ExecStoreVirtualTuple(slot);
}

bool recheck_tuple(ScanState *, TupleTableSlot *)
{
    return true;
}

extern "C" TupleTableSlot *exec_lock(CustomScanState *node)
{
    return ExecScan(&node->ss, (ExecScanAccessMtd)next_tuple, (ExecScanRecheckMtd)recheck_tuple);
}

extern "C" void end_lock(CustomScanState *node)
{
    LockState *state = (LockState *)node;
    ExecClearTuple(state->kept_slot);
    ExecEndNode((PlanState *)state->finder);
    ExecEndNode((PlanState *)state->locker);
}

// The rows are the same each time, and locked already.
extern "C" void rescan_lock(CustomScanState *node)
{
    ((LockState *)node)->next = 0;
    ExecScanReScan(&node->ss);
}

CustomScanMethods scan_methods = {lock_scan_name, create_lock_state};

} // namespace

void init_lock_scan()
{
    exec_methods.CustomName = lock_scan_name;
    exec_methods.BeginCustomScan = begin_lock;
    exec_methods.ExecCustomScan = exec_lock;
    exec_methods.EndCustomScan = end_lock;
    exec_methods.ReScanCustomScan = rescan_lock;
    RegisterCustomScanMethods(&scan_methods);
}

} // namespace shardwise
