#include "pg/pg.hpp"

#include "catalog/catalog_tables.hpp"
#include "catalog/key_types.hpp"
#include "catalog/moves.hpp"
#include "pg/server_query.hpp"

extern "C" {
#include "access/xlog.h"
#include "catalog/indexing.h"
#include "common/hashfn.h"
#include "executor/spi.h"
}

namespace shardwise
{

// In the order of MoveRangeKind.
static constexpr const char *kind_names[] = {"range", "key", "default", "pin", "except"};

static const char *move_range_kind_name(MoveRangeKind kind)
{
    return kind_names[static_cast<int>(kind)];
}

static MoveRangeKind kind_from_name(const char *name)
{
    for (size_t i = 0; i < lengthof(kind_names); i++)
        if (strcmp(kind_names[i], name) == 0)
            return static_cast<MoveRangeKind>(i);
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("unknown kind of range \"%s\"", name)));
}

static ArrayType *read_key_column(const CatalogScan *scan, HeapTuple row, AttrNumber column)
{
    bool isnull;
    Datum value = get_column(scan, row, column, &isnull);
    return isnull ? nullptr : DatumGetArrayTypePCopy(value);
}

struct OrderedRange {
    int32 ordinal;
    MoveRange range;
};

static void read_ranges(Move *move)
{
    OrderedRange *read = nullptr;
    int room = 0;
    CatalogScan scan = scan_rows_by_number(CatalogTable::MoveRange, nullptr, move->id);
    while (HeapTuple row = next_row(&scan)) {
        if (move->nranges == room) {
            room = Max(16, 2 * room);
            Size size = sizeof(OrderedRange) * room;
            read = static_cast<OrderedRange *>(read ? repalloc_huge(read, size) : palloc(size));
        }
        OrderedRange *entry = &read[move->nranges++];
        MoveRange *range = &entry->range;
        entry->ordinal = DatumGetInt32(get_column(&scan, row, column::range_ordinal));
        range->kind =
            kind_from_name(TextDatumGetCString(get_column(&scan, row, column::range_kind)));
        bool isnull;
        range->lower_hash =
            DatumGetInt64(get_column(&scan, row, column::range_lower_hash, &isnull));
        range->is_hashed = !isnull;
        range->upper_hash =
            DatumGetInt64(get_column(&scan, row, column::range_upper_hash, &isnull));
        range->lower_key = read_key_column(&scan, row, column::range_lower_key);
        range->upper_key = read_key_column(&scan, row, column::range_upper_key);
        range->pin_key = read_key_column(&scan, row, column::range_pin_key);
    }
    end_scan(&scan);
    std::sort(read, read + move->nranges,
              [](const OrderedRange &a, const OrderedRange &b) { return a.ordinal < b.ordinal; });
    move->ranges = static_cast<MoveRange *>(
        palloc_extended((move->nranges + 1) * sizeof(MoveRange), MCXT_ALLOC_HUGE));
    for (int i = 0; i < move->nranges; i++)
        move->ranges[i] = read[i].range;
}

Move *read_move(int32 move_id)
{
    CatalogScan scan = scan_rows_by_number(CatalogTable::Move, nullptr, move_id);
    HeapTuple row = next_row(&scan);
    if (!HeapTupleIsValid(row))
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("move %d does not exist", move_id)));
    Move *move = static_cast<Move *>(palloc0(sizeof(Move)));
    auto number = [&](AttrNumber column) { return DatumGetInt32(get_column(&scan, row, column)); };
    move->id = move_id;
    move->plan_id = number(column::move_plan);
    move->position = number(column::move_position);
    move->keyspace_id = number(column::move_keyspace);
    move->source = number(column::move_source);
    move->target = number(column::move_target);
    const char *state = TextDatumGetCString(get_column(&scan, row, column::move_state));
    if (!find_move_state(state, &move->state))
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("move %d is in the unknown state \"%s\"", move_id, state)));
    move->rows = DatumGetFloat8(get_column(&scan, row, column::move_rows));
    move->bytes = DatumGetFloat8(get_column(&scan, row, column::move_bytes));
    move->seconds = DatumGetFloat8(get_column(&scan, row, column::move_seconds));
    end_scan(&scan);
    read_ranges(move);
    return move;
}

void raise_no_plan(int32 plan_id)
{
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("plan %d does not exist", plan_id),
                    errhint("SELECT * FROM shardwise.plans lists the plans.")));
}

int64 read_plan_topology(int32 plan_id)
{
    CatalogScan scan = scan_rows_by_number(CatalogTable::Plan, nullptr, plan_id);
    HeapTuple row = next_row(&scan);
    if (!HeapTupleIsValid(row))
        raise_no_plan(plan_id);
    int64 hash = DatumGetInt64(get_column(&scan, row, column::plan_topology));
    end_scan(&scan);
    return hash;
}

struct PlannedPosition {
    int32 position;
    int32 move_id;
};

List *list_moves(int32 plan_id)
{
    List *found = NIL;
    CatalogScan scan = scan_all_rows(CatalogTable::Move, nullptr);
    while (HeapTuple row = next_row(&scan)) {
        if (DatumGetInt32(get_column(&scan, row, column::move_plan)) != plan_id)
            continue;
        auto *entry = static_cast<PlannedPosition *>(palloc(sizeof(PlannedPosition)));
        entry->position = DatumGetInt32(get_column(&scan, row, column::move_position));
        entry->move_id = DatumGetInt32(get_column(&scan, row, column::move_id));
        found = lappend(found, entry);
    }
    end_scan(&scan);
    list_sort(found, [](const ListCell *a, const ListCell *b) {
        return static_cast<PlannedPosition *>(lfirst(a))->position -
               static_cast<PlannedPosition *>(lfirst(b))->position;
    });
    List *ids = NIL;
    ListCell *cell;
    foreach (cell, found)
        ids = lappend_int(ids, static_cast<PlannedPosition *>(lfirst(cell))->move_id);
    return ids;
}

// A row to insert: every column is NULL until it is set.
struct NewRow {
    Relation rel;
    Datum *values;
    bool *nulls;
};

static NewRow make_row(Relation rel)
{
    int natts = RelationGetNumberOfAttributes(rel);
    NewRow row = {rel, static_cast<Datum *>(palloc0(natts * sizeof(Datum))),
                  static_cast<bool *>(palloc(natts * sizeof(bool)))};
    memset(row.nulls, true, natts * sizeof(bool));
    return row;
}

static void set_column(NewRow *row, AttrNumber column, Datum value)
{
    row->values[column - 1] = value;
    row->nulls[column - 1] = false;
}

static void set_key(NewRow *row, AttrNumber column, ArrayType *key)
{
    if (key != nullptr)
        set_column(row, column, PointerGetDatum(key));
}

static void insert_row(NewRow *row, CatalogIndexState indexes)
{
    HeapTuple tuple = heap_form_tuple(RelationGetDescr(row->rel), row->values, row->nulls);
    CatalogTupleInsertWithInfo(row->rel, tuple, indexes);
    heap_freetuple(tuple);
    pfree(row->values);
    pfree(row->nulls);
}

// Runs an INSERT with RETURNING of a number. By SQL, because other columns of these tables have
// defaults.
static int32 insert_returning(const char *sql, int count, const Oid *types, const Datum *values)
{
    int nest_level = use_text_settings();
    ServerQuery query = begin_server_query();
    int code = SPI_execute_with_args(sql, count, const_cast<Oid *>(types),
                                     const_cast<Datum *>(values), nullptr, false, 0);
    if (code != SPI_OK_INSERT_RETURNING || SPI_processed != 1)
        elog(ERROR, "unexpected result %d of an INSERT into the catalog", code);
    bool isnull;
    int32 number =
        DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
    end_server_query(&query);
    AtEOXact_GUC(true, nest_level);
    return number;
}

int32 insert_plan(const NewPlan *plan)
{
    const Oid types[] = {TEXTOID, TEXTOID, OIDOID, INT8OID};
    Datum values[] = {CStringGetTextDatum(plan->kind), CStringGetTextDatum(plan->description),
                      ObjectIdGetDatum(GetUserId()), Int64GetDatum(plan->topology_hash)};
    return insert_returning("INSERT INTO shardwise.plan (kind, description, owner, topology_hash) "
                            "VALUES ($1, $2, $3, $4) RETURNING plan_id",
                            lengthof(types), types, values);
}

static void insert_ranges(const Move *move)
{
    Relation rel = table_open(catalog_table_oid("move_range"), RowExclusiveLock);
    CatalogIndexState indexes = CatalogOpenIndexes(rel);
    for (int i = 0; i < move->nranges; i++) {
        CHECK_FOR_INTERRUPTS();
        const MoveRange *range = &move->ranges[i];
        NewRow row = make_row(rel);
        set_column(&row, column::range_move, Int32GetDatum(move->id));
        set_column(&row, column::range_ordinal, Int32GetDatum(i + 1));
        set_column(&row, column::range_kind,
                   CStringGetTextDatum(move_range_kind_name(range->kind)));
        if (range->is_hashed) {
            set_column(&row, column::range_lower_hash, Int64GetDatum(range->lower_hash));
            set_column(&row, column::range_upper_hash, Int64GetDatum(range->upper_hash));
        }
        set_key(&row, column::range_lower_key, range->lower_key);
        set_key(&row, column::range_upper_key, range->upper_key);
        set_key(&row, column::range_pin_key, range->pin_key);
        insert_row(&row, indexes);
    }
    CatalogCloseIndexes(indexes);
    table_close(rel, NoLock);
}

void insert_move(Move *move)
{
    const Oid types[] = {INT4OID, INT4OID,   INT4OID,   INT4OID,  INT4OID,
                         TEXTOID, FLOAT8OID, FLOAT8OID, FLOAT8OID};
    Datum values[] = {
        Int32GetDatum(move->plan_id),     Int32GetDatum(move->position),
        Int32GetDatum(move->keyspace_id), Int32GetDatum(move->source),
        Int32GetDatum(move->target),      CStringGetTextDatum(move_state_name(move->state)),
        Float8GetDatum(move->rows),       Float8GetDatum(move->bytes),
        Float8GetDatum(move->seconds)};
    static_assert(lengthof(types) == lengthof(values));
    move->id = insert_returning(
        "INSERT INTO shardwise.move (plan_id, position, keyspace_id, source_shard, target_shard, "
        "state, estimated_rows, estimated_bytes, estimated_seconds) VALUES ($1, $2, $3, $4, $5, "
        "$6, $7, $8, $9) "
        "RETURNING move_id",
        lengthof(types), types, values);
    insert_ranges(move);
    CommandCounterIncrement();
}

char *move_object_prefix()
{
    // Of this database on this server, so that several routers may share their shards' servers.
    uint64 identity = GetSystemIdentifier() ^ (static_cast<uint64>(MyDatabaseId) << 32);
    uint32 hash = hash_bytes(reinterpret_cast<const unsigned char *>(&identity), sizeof(identity));
    return psprintf("shardwise_%08x_", hash);
}

} // namespace shardwise

SHARDWISE_FUNCTION(shardwise_require_plan)
{
    (void)shardwise::read_plan_topology(PG_GETARG_INT32(0));
    PG_RETURN_VOID();
}
