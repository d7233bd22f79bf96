#include "pg/pg.hpp"

#include "catalog/catalog_columns.hpp"
#include "catalog/key_set.hpp"
#include "catalog/map_change.hpp"
#include "catalog/shard_map.hpp"
#include "core/shard_map.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "catalog/indexing.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

// Serialises changes of one keyspace's map until the end of the transaction; readers go on.
static void lock_shard_map(int32 keyspace_id)
{
    LockDatabaseObject(catalog_table_oid("keyspace"), keyspace_id, 0, ExclusiveLock);
}

// A catalog table open for writing, with its indexes.
struct Writer {
    Relation rel;
    CatalogIndexState indexes;
};

static Writer open_writer(const char *table)
{
    Relation rel = table_open(catalog_table_oid(table), RowExclusiveLock);
    return {rel, CatalogOpenIndexes(rel)};
}

static void close_writer(Writer *writer)
{
    CatalogCloseIndexes(writer->indexes);
    table_close(writer->rel, NoLock);
    CommandCounterIncrement();
}

// Finds rows of map_entry: `comparison` of the position with `position`, by the primary key.
static SysScanDesc scan_entries(const Writer *writer, int32 keyspace_id, StrategyNumber strategy,
                                RegProcedure comparison, int32 position)
{
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], column::entry_keyspace, BTEqualStrategyNumber, F_INT4EQ,
                Int32GetDatum(keyspace_id));
    ScanKeyInit(&keys[1], column::entry_position, strategy, comparison, Int32GetDatum(position));
    return systable_beginscan(writer->rel, RelationGetPrimaryKeyIndex(writer->rel), true, nullptr,
                              2, keys);
}

// One entry of the map as a row.
struct MapRow {
    int32 position;
    bool has_hash;
    int64 hash;
    ArrayType *key; // nullptr: MINVALUE
    int32 owner;
};

struct MapRows {
    int64 count;
    int64 room;
    MapRow *rows;
};

static MapRow *add_row(MapRows *rows)
{
    if (rows->count == rows->room) {
        rows->room = Max(64, 2 * rows->room);
        Size size = rows->room * sizeof(MapRow);
        rows->rows =
            static_cast<MapRow *>(rows->rows ? repalloc_huge(rows->rows, size)
                                             : MemoryContextAllocHuge(CurrentMemoryContext, size));
    }
    MapRow *row = &rows->rows[rows->count++];
    memset(row, 0, sizeof(*row));
    return row;
}

// Takes the entries from `position` on out of the table.
static MapRows remove_tail(const Writer *writer, int32 keyspace_id, int32 position)
{
    MapRows tail = {};
    SysScanDesc scan =
        scan_entries(writer, keyspace_id, BTGreaterEqualStrategyNumber, F_INT4GE, position);
    TupleDesc desc = RelationGetDescr(writer->rel);
    while (HeapTuple tuple = systable_getnext(scan)) {
        CHECK_FOR_INTERRUPTS();
        MapRow *row = add_row(&tail);
        bool isnull;
        row->position = DatumGetInt32(heap_getattr(tuple, column::entry_position, desc, &isnull));
        row->owner = DatumGetInt32(heap_getattr(tuple, column::entry_shard, desc, &isnull));
        row->hash = DatumGetInt64(heap_getattr(tuple, column::entry_lower_hash, desc, &isnull));
        row->has_hash = !isnull;
        Datum key = heap_getattr(tuple, column::entry_lower_key, desc, &isnull);
        row->key = isnull ? nullptr : DatumGetArrayTypePCopy(key);
        CatalogTupleDelete(writer->rel, &tuple->t_self);
    }
    systable_endscan(scan);
    std::sort(tail.rows, tail.rows + tail.count,
              [](const MapRow &a, const MapRow &b) { return a.position < b.position; });
    return tail;
}

static void insert_entry(const Writer *writer, int32 keyspace_id, int32 position, const MapRow *row)
{
    Datum values[column::entry_columns] = {Int32GetDatum(keyspace_id), Int32GetDatum(position),
                                           Int64GetDatum(row->hash), PointerGetDatum(row->key),
                                           Int32GetDatum(row->owner)};
    bool nulls[column::entry_columns] = {false, false, !row->has_hash, row->key == nullptr, false};
    HeapTuple tuple = heap_form_tuple(RelationGetDescr(writer->rel), values, nulls);
    CatalogTupleInsertWithInfo(writer->rel, tuple, writer->indexes);
    heap_freetuple(tuple);
}

// A new bound inside of the entry at `position`.
struct Cut {
    int32 position;
    int64 hash;
    Datum *key;      // strategy range: as values, and
    ArrayType *text; // as the catalog holds it
};

struct Cuts {
    int count;
    Cut *cuts;
};

static Datum *parse_bound(const Keyspace *keyspace, ArrayType *key)
{
    Datum *values = static_cast<Datum *>(palloc(keyspace->nkeys * sizeof(Datum)));
    key_from_text_array(keyspace, key, values);
    return values;
}

static int compare_with_bound(const Keyspace *keyspace, const Datum *key, size_t i)
{
    const ShardMap *map = keyspace->map;
    return compare_keys_with(keyspace, &map->functions, key, &map->bounds[i * keyspace->nkeys]);
}

static void add_hash_cut(const ShardMap *map, Cuts *cuts, int64 hash)
{
    size_t i = find_hash_range(map->lowers, map->count, hash);
    if (map->lowers[i] != hash)
        cuts->cuts[cuts->count++] = {static_cast<int32>(i), hash, nullptr, nullptr};
}

static void add_key_cut(const Keyspace *keyspace, Cuts *cuts, ArrayType *text)
{
    if (text == nullptr)
        return;
    Datum *key = parse_bound(keyspace, text);
    size_t i = find_key_range(keyspace, key);
    if (i == 0 || compare_with_bound(keyspace, key, i) != 0)
        cuts->cuts[cuts->count++] = {static_cast<int32>(i), 0, key, text};
}

static int compare_cuts(const void *left, const void *right, void *argument)
{
    auto *a = static_cast<const Cut *>(left);
    auto *b = static_cast<const Cut *>(right);
    if (a->key != nullptr)
        return compare_keys(static_cast<const Keyspace *>(argument), a->key, b->key);
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

// Finds the bounds of the move that the map does not have, in ascending order, each once.
static Cuts find_cuts(const Keyspace *keyspace, const Move *move)
{
    Cuts cuts = {0, static_cast<Cut *>(
                        palloc_extended((2 * move->nranges + 1) * sizeof(Cut), MCXT_ALLOC_HUGE))};
    for (int i = 0; i < move->nranges; i++) {
        const MoveRange *range = &move->ranges[i];
        if (range->kind != MoveRangeKind::Range)
            continue;
        if (is_hashed(keyspace)) {
            add_hash_cut(keyspace->map, &cuts, range->lower_hash);
            if (range->upper_hash < highest_hash)
                add_hash_cut(keyspace->map, &cuts, range->upper_hash + 1);
        } else {
            add_key_cut(keyspace, &cuts, range->lower_key);
            add_key_cut(keyspace, &cuts, range->upper_key);
        }
    }
    qsort_arg(cuts.cuts, cuts.count, sizeof(Cut), compare_cuts, const_cast<Keyspace *>(keyspace));
    int kept = 0;
    for (int i = 0; i < cuts.count; i++)
        if (kept == 0 || compare_cuts(&cuts.cuts[kept - 1], &cuts.cuts[i],
                                      const_cast<Keyspace *>(keyspace)) != 0)
            cuts.cuts[kept++] = cuts.cuts[i];
    cuts.count = kept;
    return cuts;
}

// Raises map_version, and sets the default shard where `default_shard` is not 0.
static void update_keyspace(int32 keyspace_id, int32 default_shard)
{
    Writer writer = open_writer("keyspace");
    ScanKeyData key;
    ScanKeyInit(&key, column::keyspace_id, BTEqualStrategyNumber, F_INT4EQ,
                Int32GetDatum(keyspace_id));
    SysScanDesc scan = systable_beginscan(writer.rel, RelationGetPrimaryKeyIndex(writer.rel), true,
                                          nullptr, 1, &key);
    HeapTuple tuple = systable_getnext(scan);
    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "keyspace %d has no row", keyspace_id);
    TupleDesc desc = RelationGetDescr(writer.rel);
    bool isnull;
    int64 version = DatumGetInt64(heap_getattr(tuple, column::keyspace_map_version, desc, &isnull));
    int natts = desc->natts;
    auto *values = static_cast<Datum *>(palloc0(natts * sizeof(Datum)));
    auto *nulls = static_cast<bool *>(palloc0(natts * sizeof(bool)));
    auto *replaces = static_cast<bool *>(palloc0(natts * sizeof(bool)));
    values[column::keyspace_map_version - 1] = Int64GetDatum(version + 1);
    replaces[column::keyspace_map_version - 1] = true;
    values[column::keyspace_default_shard - 1] = Int32GetDatum(default_shard);
    replaces[column::keyspace_default_shard - 1] = default_shard != 0;
    HeapTuple changed = heap_modify_tuple(tuple, desc, values, nulls, replaces);
    CatalogTupleUpdateWithInfo(writer.rel, &changed->t_self, changed, writer.indexes);
    systable_endscan(scan);
    close_writer(&writer);
    invalidate_shard_maps();
    CommandCounterIncrement();
}

void cut_map_for_move(const Move *move)
{
    lock_shard_map(move->keyspace_id);
    const Keyspace *keyspace = find_keyspace(move->keyspace_id);
    if (keyspace->strategy == Strategy::List)
        return;
    Cuts cuts = find_cuts(keyspace, move);
    if (cuts.count == 0)
        return;

    Writer writer = open_writer("map_entry");
    int32 position = cuts.cuts[0].position;
    MapRows tail = remove_tail(&writer, keyspace->id, position);
    CommandCounterIncrement();
    int next = 0;
    for (int64 i = 0; i < tail.count; i++) {
        MapRow row = tail.rows[i];
        insert_entry(&writer, keyspace->id, position++, &row);
        for (; next < cuts.count && cuts.cuts[next].position == row.position; next++) {
            row.hash = cuts.cuts[next].hash;
            row.key = cuts.cuts[next].text;
            insert_entry(&writer, keyspace->id, position++, &row);
        }
    }
    close_writer(&writer);
    update_keyspace(keyspace->id, 0);
}

static void raise_lost_ownership(const Move *move, int32 from)
{
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("shard \"%s\" no longer owns all that move %d takes",
                           NameStr(find_shard(from)->name), move->id),
                    errdetail("The shard map of keyspace %d has changed since the plan was made.",
                              move->keyspace_id),
                    errhint("Make a new plan.")));
}

static void set_entry_owner(const Writer *writer, HeapTuple tuple, int32 owner)
{
    Datum values[column::entry_columns] = {};
    bool nulls[column::entry_columns] = {}, replaces[column::entry_columns] = {};
    values[column::entry_shard - 1] = Int32GetDatum(owner);
    replaces[column::entry_shard - 1] = true;
    HeapTuple changed =
        heap_modify_tuple(tuple, RelationGetDescr(writer->rel), values, nulls, replaces);
    CatalogTupleUpdateWithInfo(writer->rel, &changed->t_self, changed, writer->indexes);
    heap_freetuple(changed);
}

// Gives the entries [first, last] of the map, which are whole, and returns their number.
static size_t give_entries(const Writer *writer, const Keyspace *keyspace, const Move *move,
                           size_t first, size_t last, int32 from, int32 to)
{
    for (size_t i = first; i <= last; i++) {
        CHECK_FOR_INTERRUPTS();
        if (keyspace->map->owners[i] != from)
            raise_lost_ownership(move, from);
        SysScanDesc scan = scan_entries(writer, keyspace->id, BTEqualStrategyNumber, F_INT4EQ, i);
        HeapTuple tuple = systable_getnext(scan);
        if (!HeapTupleIsValid(tuple))
            elog(ERROR, "keyspace %d has no map entry %zu", keyspace->id, i);
        set_entry_owner(writer, tuple, to);
        systable_endscan(scan);
    }
    return last + 1 - first;
}

// The map's entries that a range of a move touches.
struct Entries {
    size_t first;
    size_t last;
};

static Entries find_entries(const Keyspace *keyspace, const MoveRange *range)
{
    const ShardMap *map = keyspace->map;
    if (is_hashed(keyspace))
        return {find_hash_range(map->lowers, map->count, range->lower_hash),
                find_hash_range(map->lowers, map->count, range->upper_hash)};
    size_t first = range->lower_key == nullptr
                       ? 0
                       : find_key_range(keyspace, parse_bound(keyspace, range->lower_key));
    if (range->upper_key == nullptr)
        return {first, map->count - 1};
    const Datum *upper = parse_bound(keyspace, range->upper_key);
    size_t last = find_key_range(keyspace, upper);
    bool excludes = last > 0 && compare_with_bound(keyspace, upper, last) == 0;
    return {first, last - excludes};
}

static size_t give_range(const Writer *writer, const Keyspace *keyspace, const Move *move,
                         const MoveRange *range, int32 from, int32 to)
{
    auto [first, last] = find_entries(keyspace, range);
    return give_entries(writer, keyspace, move, first, last, from, to);
}

static bool owns_range(const Keyspace *keyspace, const MoveRange *range, int32 shard)
{
    const ShardMap *map = keyspace->map;
    if (range->kind == MoveRangeKind::Range) {
        if (map->count == 0)
            return false;
        auto [first, last] = find_entries(keyspace, range);
        return std::all_of(map->owners + first, map->owners + last + 1,
                           [shard](int32 owner) { return owner == shard; });
    }
    if (range->kind == MoveRangeKind::Default)
        return keyspace->default_shard == shard;
    if (range->kind == MoveRangeKind::Except)
        return find_explicit_key(keyspace, &map->pinned, parse_bound(keyspace, range->pin_key)) >=
               0;
    if (range->kind == MoveRangeKind::Pin)
        return find_owner(keyspace, parse_bound(keyspace, range->pin_key)) == shard;
    int listed = find_explicit_key(keyspace, &map->listed, parse_bound(keyspace, range->lower_key));
    return listed >= 0 && map->listed.owners[listed] == shard;
}

// True if a key inside of the move's ranges has been pinned since the plan was made: its rows are
// not where the range's are, and must not be taken for leftovers there.
static bool has_new_pin(const Keyspace *keyspace, const Move *move)
{
    const KeyIndex *pins = &keyspace->map->pinned;
    if (pins->count == 0)
        return false;
    const KeySet *set = load_key_set(keyspace, move->id, CurrentMemoryContext);
    KeySet ranges = *set, planned = *set;
    ranges.nkeys = 0;
    planned.nranges = 0;
    planned.is_default = false;
    for (int i = 0; i < pins->count; i++) {
        CHECK_FOR_INTERRUPTS();
        const Datum *key = &pins->keys[static_cast<size_t>(i) * keyspace->nkeys];
        if (key_set_contains(keyspace, &ranges, key) && !key_set_contains(keyspace, &planned, key))
            return true;
    }
    return false;
}

bool owns_ranges(const Move *move, int32 shard)
{
    const Keyspace *keyspace = find_keyspace(move->keyspace_id);
    return !has_new_pin(keyspace, move) &&
           std::all_of(move->ranges, move->ranges + move->nranges,
                       [=](const MoveRange &range) { return owns_range(keyspace, &range, shard); });
}

static int compare_texts(const ArrayType *a, const ArrayType *b)
{
    Size shorter = Min(VARSIZE(a), VARSIZE(b));
    int order = memcmp(a, b, shorter);
    return order != 0 ? order : static_cast<int>(VARSIZE(a)) - static_cast<int>(VARSIZE(b));
}

// Gives entries of strategy list. Their keys are compared as the catalog's text: a plan takes them
// from there.
static void give_listed_keys(const Writer *writer, const Keyspace *keyspace, const Move *move,
                             int32 from, int32 to)
{
    auto *keys = static_cast<ArrayType **>(
        palloc_extended((move->nranges + 1) * sizeof(ArrayType *), MCXT_ALLOC_HUGE));
    int count = 0, given = 0;
    for (int i = 0; i < move->nranges; i++)
        if (move->ranges[i].kind == MoveRangeKind::Key)
            keys[count++] = move->ranges[i].lower_key;
    if (count == 0)
        return;
    auto before = [](const ArrayType *a, const ArrayType *b) { return compare_texts(a, b) < 0; };
    std::sort(keys, keys + count, before);

    SysScanDesc scan =
        scan_entries(writer, keyspace->id, BTGreaterEqualStrategyNumber, F_INT4GE, 0);
    TupleDesc desc = RelationGetDescr(writer->rel);
    while (HeapTuple tuple = systable_getnext(scan)) {
        CHECK_FOR_INTERRUPTS();
        bool isnull;
        Datum key = heap_getattr(tuple, column::entry_lower_key, desc, &isnull);
        Datum owner = heap_getattr(tuple, column::entry_shard, desc, &isnull);
        if (!std::binary_search(keys, keys + count, DatumGetArrayTypePCopy(key), before))
            continue;
        if (DatumGetInt32(owner) != from)
            raise_lost_ownership(move, from);
        set_entry_owner(writer, tuple, to);
        given++;
    }
    systable_endscan(scan);
    if (given != count)
        raise_lost_ownership(move, from);
}

// The owner of a key if it were not pinned.
static int32 owner_below_pins(const Keyspace *keyspace, const Datum *key)
{
    ShardMap map = *keyspace->map;
    map.pinned.count = 0;
    Keyspace unpinned = *keyspace;
    unpinned.map = &map;
    return find_owner(&unpinned, key);
}

static void delete_pin(const Writer *writer, const Keyspace *keyspace, const Datum *key)
{
    ScanKeyData scan_key;
    ScanKeyInit(&scan_key, column::pin_keyspace, BTEqualStrategyNumber, F_INT4EQ,
                Int32GetDatum(keyspace->id));
    SysScanDesc scan = systable_beginscan(writer->rel, RelationGetPrimaryKeyIndex(writer->rel),
                                          true, nullptr, 1, &scan_key);
    while (HeapTuple tuple = systable_getnext(scan)) {
        bool isnull;
        Datum text = heap_getattr(tuple, column::pin_key, RelationGetDescr(writer->rel), &isnull);
        Datum pinned[max_key_columns];
        key_from_text_array(keyspace, DatumGetArrayTypePCopy(text), pinned);
        if (keys_are_equal(keyspace, &keyspace->map->functions, pinned, key))
            CatalogTupleDelete(writer->rel, &tuple->t_self);
    }
    systable_endscan(scan);
    CommandCounterIncrement();
}

static void give_pin(const Keyspace *keyspace, const Move *move, const MoveRange *range, int32 from,
                     int32 to)
{
    const Datum *key = parse_bound(keyspace, range->pin_key);
    if (find_owner(keyspace, key) != from)
        raise_lost_ownership(move, from);
    Writer writer = open_writer("pin");
    delete_pin(&writer, keyspace, key);
    if (owner_below_pins(keyspace, key) != to) {
        Datum values[] = {Int32GetDatum(keyspace->id), PointerGetDatum(range->pin_key),
                          Int32GetDatum(to)};
        bool nulls[] = {false, false, false};
        CatalogTupleInsertWithInfo(writer.rel,
                                   heap_form_tuple(RelationGetDescr(writer.rel), values, nulls),
                                   writer.indexes);
    }
    close_writer(&writer);
}

// The default shard after the change, 0 where it stays. That of a list owns keys; that of strategy
// range owns none by itself and follows its last range.
static int32 default_shard_after(const Keyspace *keyspace, const Move *move, size_t given,
                                 int32 from, int32 to)
{
    if (keyspace->default_shard != from)
        return 0;
    if (keyspace->strategy == Strategy::Range) {
        const int32 *owners = keyspace->map->owners;
        size_t owned = std::count(owners, owners + keyspace->map->count, from);
        return given > 0 && owned == given ? to : 0;
    }
    for (int i = 0; i < move->nranges; i++)
        if (move->ranges[i].kind == MoveRangeKind::Default)
            return to;
    return 0;
}

void give_ranges(const Move *move, int32 from, int32 to)
{
    cut_map_for_move(move);
    const Keyspace *keyspace = find_keyspace(move->keyspace_id);
    Writer writer = open_writer("map_entry");
    size_t given = 0;
    for (int i = 0; i < move->nranges; i++)
        if (move->ranges[i].kind == MoveRangeKind::Range)
            given += give_range(&writer, keyspace, move, &move->ranges[i], from, to);
        else if (move->ranges[i].kind == MoveRangeKind::Pin)
            give_pin(keyspace, move, &move->ranges[i], from, to);
        else if (move->ranges[i].kind == MoveRangeKind::Default && keyspace->default_shard != from)
            raise_lost_ownership(move, from);
    give_listed_keys(&writer, keyspace, move, from, to);
    close_writer(&writer);
    update_keyspace(keyspace->id, default_shard_after(keyspace, move, given, from, to));
}

void join_map_neighbours(int32 keyspace_id)
{
    lock_shard_map(keyspace_id);
    const Keyspace *keyspace = find_keyspace(keyspace_id);
    if (!is_hashed(keyspace))
        return;
    const ShardMap *map = keyspace->map;
    size_t first = 1;
    while (first < map->count && map->owners[first] != map->owners[first - 1])
        first++;
    if (first >= map->count)
        return;

    Writer writer = open_writer("map_entry");
    MapRows tail = remove_tail(&writer, keyspace->id, first);
    CommandCounterIncrement();
    int32 owner = map->owners[first - 1];
    int32 position = first;
    for (int64 i = 0; i < tail.count; i++) {
        if (tail.rows[i].owner == owner)
            continue;
        insert_entry(&writer, keyspace->id, position++, &tail.rows[i]);
        owner = tail.rows[i].owner;
    }
    close_writer(&writer);
    update_keyspace(keyspace->id, 0);
}

} // namespace shardwise
