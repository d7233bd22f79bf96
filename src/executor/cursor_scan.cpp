#include "executor/cursor_scan.hpp"

#include "catalog/catalog.hpp"
#include "executor/route_scan.hpp"
#include "pg/versions.hpp"
#include "planner/cursor_plan.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/partition.h"
#include "executor/executor.h"
#include "nodes/extensible.h"
#include "partitioning/partdesc.h"
#include "tcop/pquery.h"
#include "utils/portal.h"
}

namespace shardwise
{

namespace
{

CustomExecMethods exec_methods;

// Where the current row's part of one table is.
struct CursorPlace {
    Oid relid;
    const int *columns; // place_columns numbers of the row's columns
    bool is_known;      // false for the empty side of an outer join
    int32 shard;
    ItemPointerData place;
    Oid partition;      // on the shard
    uint64 map_version; // before the rows were asked for
};

struct CursorState {
    CustomScanState css;
    PlanState *source;
    int n;
    CursorPlace *places;
};

// A shard's Oid travels as a cid, as the numbers of shards do (planner/locked_rows).
uint32 number_in(TupleTableSlot *row, int column)
{
    bool isnull;
    return column > 0 ? DatumGetCommandId(slot_getattr(row, column, &isnull)) : 0;
}

uint64 map_version(Oid relid, MapUse use)
{
    const Table *table = find_table(relid);
    return table == nullptr || table->is_reference
               ? 0
               : find_keyspace_for(table->keyspace->id, use)->moved_by;
}

extern "C" Node *create_cursor_state(CustomScan *scan)
{
    CursorState *state = (CursorState *)palloc0(sizeof(CursorState));
    List *tables = (List *)linitial(scan->custom_private);
    List *columns = (List *)lsecond(scan->custom_private);
    int *numbers = (int *)palloc(sizeof(int) * list_length(columns));
    ListCell *cell;
    foreach (cell, columns)
        numbers[foreach_current_index(cell)] = lfirst_int(cell);
    state->css.ss.ps.type = T_CustomScanState;
    state->css.methods = &exec_methods;
    state->n = list_length(tables);
    state->places = (CursorPlace *)palloc0(sizeof(CursorPlace) * state->n);
    foreach (cell, tables) {
        int i = foreach_current_index(cell);
        state->places[i].relid = lfirst_oid(cell);
        state->places[i].columns = numbers + i * place_columns;
    }
    return (Node *)state;
}

extern "C" void begin_cursor(CustomScanState *node, EState *estate, int eflags)
{
    CursorState *state = (CursorState *)node;
    CustomScan *scan = (CustomScan *)node->ss.ps.plan;
    state->source = ExecInitNode((Plan *)linitial(scan->custom_plans), estate, eflags);
    node->custom_ps = list_make1(state->source);
    for (int i = 0; i < state->n; i++)
        state->places[i].map_version = map_version(state->places[i].relid, {});
}

void note_place(CursorPlace *place, TupleTableSlot *row)
{
    bool isnull;
    Datum tid = slot_getattr(row, place->columns[1], &isnull);
    place->is_known = !isnull;
    if (isnull)
        return;
    place->shard = (int32)number_in(row, place->columns[0]);
    place->place = *(ItemPointer)DatumGetPointer(tid);
    place->partition = number_in(row, place->columns[2]);
}

extern "C" TupleTableSlot *exec_cursor(CustomScanState *node)
{
    CursorState *state = (CursorState *)node;
    TupleTableSlot *row = ExecProcNode(state->source);
    for (int i = 0; !TupIsNull(row) && i < state->n; i++)
        note_place(&state->places[i], row);
    return row;
}

extern "C" void end_cursor(CustomScanState *node)
{
    ExecEndNode(((CursorState *)node)->source);
}

extern "C" void rescan_cursor(CustomScanState *node)
{
    ExecReScan(((CursorState *)node)->source);
}

CustomScanMethods scan_methods = {cursor_name, create_cursor_state};

// ---- opening -----------------------------------------------------------------------------------

// True while a portal with a name is opened. One that is held at once, outside of a transaction
// block, is read as a statement of its own.
bool opens_cursor()
{
    const Portal portal = ActivePortal;
    return portal != nullptr && portal->name[0] != '\0' && portal->status == PORTAL_DEFINED &&
           portal->strategy == PORTAL_ONE_SELECT &&
           ((portal->cursorOptions & CURSOR_OPT_HOLD) == 0 || IsTransactionBlock());
}

// `recursion`: a node around this one, or nullptr.
bool start_scans(PlanState *node, void *recursion)
{
    if (node == nullptr)
        return false;
    if (RouteScanState *scan = as_route_scan(node))
        start_early(scan, recursion == nullptr); // each round has keys of its own
    if (IsA(node, RecursiveUnionState))
        recursion = node;
    return planstate_tree_walker(node, (bool (*)())start_scans, recursion);
}

// Commands that change a table look whether this session still reads it (CheckTableNotInUse()).
void use_tables(EState *estate)
{
    MemoryContext saved = MemoryContextSwitchTo(estate->es_query_cxt);
    for (Index i = 1; i <= estate->es_range_table_size; i++) {
        const RangeTblEntry *rte = exec_rt_fetch(i, estate);
        if (rte->rtekind == RTE_RELATION && find_table(rte->relid) != nullptr)
            (void)ExecGetRangeTableRelation(estate, i);
    }
    MemoryContextSwitchTo(saved);
}

// ---- WHERE CURRENT OF --------------------------------------------------------------------------

// The query of a cursor, with PostgreSQL's errors (execCurrentOf()).
const QueryDesc *find_cursor_query(const char *cursor)
{
    Portal portal = GetPortalByName(cursor);
    if (!PortalIsValid(portal))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_CURSOR),
                        errmsg("cursor \"%s\" does not exist", cursor)));
    if (portal->strategy != PORTAL_ONE_SELECT)
        ereport(ERROR, (errcode(ERRCODE_INVALID_CURSOR_STATE),
                        errmsg("cursor \"%s\" is not a SELECT query", cursor)));
    if (portal->queryDesc == nullptr || portal->queryDesc->estate == nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_CURSOR_STATE),
                        errmsg("cursor \"%s\" is held from a previous transaction", cursor)));
    return portal->queryDesc;
}

// The first partition without partitions of its own that the cursor does not scan, if any:
// PostgreSQL looks at one after the other.
Oid find_unscanned(const CursorState *state, Oid relid)
{
    for (int i = 0; state != nullptr && i < state->n; i++)
        if (state->places[i].relid == relid)
            return InvalidOid;
    if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
        return relid;
    Relation relation = table_open(relid, AccessShareLock);
    PartitionDesc partitions = RelationGetPartitionDesc(relation, true);
    Oid found = InvalidOid;
    for (int i = 0; i < partitions->nparts && !OidIsValid(found); i++)
        found = find_unscanned(state, partitions->oids[i]);
    table_close(relation, NoLock);
    return found;
}

[[noreturn]] void refuse_cursor(const char *cursor, const QueryDesc *desc, const CursorState *state,
                                Oid relid)
{
    Oid leaf = find_unscanned(state, relid);
    const char *table = get_rel_name(OidIsValid(leaf) ? leaf : relid);
    ereport(
        ERROR,
        (errcode(ERRCODE_INVALID_CURSOR_STATE),
         desc->plannedstmt->rowMarks != NIL
             ? errmsg("cursor \"%s\" does not have a FOR UPDATE/SHARE reference to table \"%s\"",
                      cursor, table)
             : errmsg("cursor \"%s\" is not a simply updatable scan of table \"%s\"", cursor,
                      table)));
}

// A partition's rows are those of the tables that it is a part of.
bool holds_rows_of(Oid table, Oid relid)
{
    return table == relid || (get_rel_relispartition(relid) &&
                              list_member_oid(get_partition_ancestors(relid), table));
}

const CursorPlace *find_place_in(const CursorState *state, const char *cursor, Oid relid)
{
    const CursorPlace *found = nullptr;
    for (int i = 0; i < state->n; i++) {
        if (!holds_rows_of(state->places[i].relid, relid))
            continue;
        if (found != nullptr)
            ereport(ERROR,
                    (errcode(ERRCODE_INVALID_CURSOR_STATE),
                     errmsg("cursor \"%s\" has multiple FOR UPDATE/SHARE references to table "
                            "\"%s\"",
                            cursor, get_rel_name(relid))));
        found = &state->places[i];
    }
    return found;
}

// The place of a cursor's row of a table; nullptr where it has none.
const CursorPlace *find_place(const char *cursor, Oid relid)
{
    const QueryDesc *desc = find_cursor_query(cursor);
    CustomScanState *top = (CustomScanState *)desc->planstate;
    bool tells_places = IsA(top, CustomScanState) && top->methods == &exec_methods;
    const CursorState *state = tells_places ? (CursorState *)top : nullptr;
    const CursorPlace *place = state != nullptr ? find_place_in(state, cursor, relid) : nullptr;
    if (place == nullptr)
        refuse_cursor(cursor, desc, state, relid);
    Portal portal = GetPortalByName(cursor);
    if (portal->atStart || portal->atEnd)
        ereport(ERROR, (errcode(ERRCODE_INVALID_CURSOR_STATE),
                        errmsg("cursor \"%s\" is not positioned on a row", cursor)));
    if (place->map_version != map_version(relid, {true, 0}))
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("rows of table \"%s\" have moved to another shard since cursor "
                               "\"%s\" was opened",
                               get_rel_name(relid), cursor),
                        errhint("The cursor's query may lock its rows with FOR UPDATE.")));
    return place->is_known ? place : nullptr;
}

} // namespace

void start_cursor(QueryDesc *desc)
{
    if (!opens_cursor() || (desc->estate->es_top_eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0 ||
        !extension_exists())
        return;
    use_tables(desc->estate);
    (void)start_scans(desc->planstate, nullptr);
}

void init_cursor_scan()
{
    exec_methods.CustomName = cursor_name;
    exec_methods.BeginCustomScan = begin_cursor;
    exec_methods.ExecCustomScan = exec_cursor;
    exec_methods.EndCustomScan = end_cursor;
    exec_methods.ReScanCustomScan = rescan_cursor;
    RegisterCustomScanMethods(&scan_methods);
}

static const CursorPlace *find_place(FunctionCallInfo fcinfo)
{
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("cursor name is NULL")));
    return find_place(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_OID(1));
}

} // namespace shardwise

// What the planner puts in place of WHERE CURRENT OF: arguments are the cursor's name and the
// table's Oid; NULL where the row has no part of the table. Errors: 34000, 24000; 40001 after a
// move.
SHARDWISE_FUNCTION(shardwise_cursor_shard)
{
    const shardwise::CursorPlace *place = shardwise::find_place(fcinfo);
    if (place == nullptr)
        PG_RETURN_NULL();
    PG_RETURN_INT32(place->shard);
}

SHARDWISE_FUNCTION(shardwise_cursor_place)
{
    const shardwise::CursorPlace *place = shardwise::find_place(fcinfo);
    if (place == nullptr)
        PG_RETURN_NULL();
    ItemPointer copy = (ItemPointer)palloc(sizeof(ItemPointerData));
    *copy = place->place;
    PG_RETURN_POINTER(copy);
}

SHARDWISE_FUNCTION(shardwise_cursor_partition)
{
    const shardwise::CursorPlace *place = shardwise::find_place(fcinfo);
    if (place == nullptr || !OidIsValid(place->partition))
        PG_RETURN_NULL();
    PG_RETURN_OID(place->partition);
}
