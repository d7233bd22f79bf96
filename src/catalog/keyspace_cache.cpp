// Cache of keyspaces with their shard maps and pins.
#include "pg/pg.hpp"

#include "catalog/cache.hpp"
#include "catalog/catalog.hpp"
#include "catalog/catalog_tables.hpp"
#include "catalog/key_set.hpp"
#include "catalog/shard_map.hpp"
#include "core/shard_map.hpp"

extern "C" {
#include "utils/datum.h"
#include "utils/xid8.h"
#include "utils/hsearch.h"
}

namespace shardwise
{

struct KeyspaceEntry {
    int32 id; // the hash key
    const Keyspace *keyspace;
};

static HTAB *entries;
static uint64 last_serial = 0;

// What was asked for last, which mostly is asked for again; nullptr: nothing, or it was dropped.
static const Keyspace *latest = nullptr;

void drop_keyspaces()
{
    latest = nullptr;
    drop_checked_keyspaces();
    if (!entries)
        return;
    HASH_SEQ_STATUS status;
    hash_seq_init(&status, entries);
    while (auto *entry = (KeyspaceEntry *)hash_seq_search(&status)) {
        retire(entry->keyspace);
        hash_search(entries, &entry->id, HASH_REMOVE, nullptr);
    }
}

bool find_strategy(const char *name, Strategy *strategy)
{
    static constexpr struct {
        const char *name;
        Strategy strategy;
    } names[] = {{"hash", Strategy::Hash},
                 {"consistent_hash", Strategy::ConsistentHash},
                 {"range", Strategy::Range},
                 {"list", Strategy::List}};
    for (const auto &known : names) {
        if (strcmp(name, known.name) != 0)
            continue;
        *strategy = known.strategy;
        return true;
    }
    return false;
}

static Strategy strategy_from_name(const char *name)
{
    Strategy strategy;
    if (!find_strategy(name, &strategy))
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("unknown strategy \"%s\"", name)));
    return strategy;
}

// Reads an array of oids (regtype[], regcollation[]); returns its length.
static int read_oids(Datum array, Oid element_type, Oid *oids)
{
    Datum *values;
    int count;
    deconstruct_array(DatumGetArrayTypeP(array), element_type, sizeof(Oid), true, TYPALIGN_INT,
                      &values, nullptr, &count);
    if (count < 1 || count > max_key_columns)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("a keyspace in the catalog has %d key columns", count)));
    for (int i = 0; i < count; i++)
        oids[i] = DatumGetObjectId(values[i]);
    return count;
}

// Reads the row of a keyspace, without its map; nullptr where there is none.
static Keyspace *read_keyspace(int32 id, Snapshot snapshot, MemoryContext context)
{
    Keyspace *keyspace = nullptr;
    CatalogScan scan = scan_rows_by_number(CatalogTable::Keyspace, snapshot, id);
    if (HeapTuple row = next_row(&scan)) {
        auto read = [&](AttrNumber column) { return get_column(&scan, row, column); };
        bool isnull;
        keyspace = (Keyspace *)MemoryContextAllocZero(context, sizeof(Keyspace));
        keyspace->id = id;
        keyspace->strategy =
            strategy_from_name(TextDatumGetCString(read(column::keyspace_strategy)));
        keyspace->nkeys =
            read_oids(read(column::keyspace_key_types), REGTYPEOID, keyspace->key_types);
        int collations = read_oids(read(column::keyspace_key_collations), REGCOLLATIONOID,
                                   keyspace->key_collations);
        if (collations != keyspace->nkeys)
            ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                            errmsg("keyspace %d has %d key types and %d collations", id,
                                   keyspace->nkeys, collations)));
        Datum nodes = get_column(&scan, row, column::keyspace_virtual_nodes, &isnull);
        keyspace->virtual_nodes = isnull ? 0 : DatumGetInt32(nodes);
        Datum shard = get_column(&scan, row, column::keyspace_default_shard, &isnull);
        keyspace->default_shard = isnull ? 0 : DatumGetInt32(shard);
        keyspace->map_version = DatumGetInt64(read(column::keyspace_map_version));
        Datum moved_by = get_column(&scan, row, column::keyspace_moved_by, &isnull);
        keyspace->moved_by =
            isnull ? 0 : U64FromFullTransactionId(DatumGetFullTransactionId(moved_by));
        keyspace->checks_keys = DatumGetBool(read(column::keyspace_checks_keys));
        keyspace->serial = ++last_serial;
    }
    end_scan(&scan);
    return keyspace;
}

// A row of map_entry or pin.
struct OwnedKey {
    int32 position;
    bool has_hash;
    int64 hash;
    Datum *key; // nullptr: MINVALUE
    int32 owner;
};

struct OwnedKeys {
    int count;
    int room;
    OwnedKey *keys;
};

static OwnedKey *add_key(OwnedKeys *list)
{
    if (list->count == list->room) {
        list->room = Max(64, 2 * list->room);
        Size size = sizeof(OwnedKey) * list->room;
        list->keys = (OwnedKey *)(list->keys ? repalloc_huge(list->keys, size)
                                             : MemoryContextAllocHuge(CurrentMemoryContext, size));
    }
    OwnedKey *key = &list->keys[list->count++];
    memset(key, 0, sizeof(*key));
    return key;
}

// Reads a key; the values are copied into `context`.
static Datum *read_key(const Keyspace *keyspace, const KeyFunctions *functions, Datum array,
                       MemoryContext context)
{
    MemoryContext caller = MemoryContextSwitchTo(context);
    auto *values = (Datum *)palloc(sizeof(Datum) * keyspace->nkeys);
    MemoryContextSwitchTo(caller);
    parse_key(keyspace, DatumGetArrayTypeP(array), values);
    MemoryContextSwitchTo(context);
    for (int i = 0; i < keyspace->nkeys; i++)
        values[i] =
            datumCopy(values[i], functions->columns[i].by_value, functions->columns[i].length);
    MemoryContextSwitchTo(caller);
    return values;
}

static OwnedKeys read_map_entries(const Keyspace *keyspace, Snapshot snapshot,
                                  MemoryContext context)
{
    OwnedKeys entries_read = {};
    CatalogScan scan = scan_rows_by_number(CatalogTable::MapEntry, snapshot, keyspace->id);
    while (HeapTuple row = next_row(&scan)) {
        OwnedKey *entry = add_key(&entries_read);
        bool isnull;
        entry->position = DatumGetInt32(get_column(&scan, row, column::entry_position));
        entry->owner = DatumGetInt32(get_column(&scan, row, column::entry_shard));
        Datum hash = get_column(&scan, row, column::entry_lower_hash, &isnull);
        entry->has_hash = !isnull;
        entry->hash = isnull ? 0 : DatumGetInt64(hash);
        Datum key = get_column(&scan, row, column::entry_lower_key, &isnull);
        entry->key = isnull ? nullptr : read_key(keyspace, &keyspace->map->functions, key, context);
    }
    end_scan(&scan);
    std::sort(entries_read.keys, entries_read.keys + entries_read.count,
              [](const OwnedKey &a, const OwnedKey &b) { return a.position < b.position; });
    return entries_read;
}

static OwnedKeys read_pins(const Keyspace *keyspace, Snapshot snapshot, MemoryContext context)
{
    OwnedKeys pins = {};
    CatalogScan scan = scan_rows_by_number(CatalogTable::Pin, snapshot, keyspace->id);
    while (HeapTuple row = next_row(&scan)) {
        OwnedKey *pin = add_key(&pins);
        pin->owner = DatumGetInt32(get_column(&scan, row, column::pin_shard));
        pin->key = read_key(keyspace, &keyspace->map->functions,
                            get_column(&scan, row, column::pin_key), context);
    }
    end_scan(&scan);
    return pins;
}

static GhostRanges read_ghosts(const Keyspace *keyspace, Snapshot snapshot, MemoryContext context)
{
    GhostRanges ghosts = {};
    CatalogScan scan = scan_rows_by_number(CatalogTable::GhostRange, snapshot, keyspace->id);
    while (HeapTuple row = next_row(&scan)) {
        auto read = [&](AttrNumber column) -> Datum * {
            bool isnull;
            Datum key = get_column(&scan, row, column, &isnull);
            return isnull ? nullptr : read_key(keyspace, &keyspace->map->functions, key, context);
        };
        auto read_hash = [&](AttrNumber column, int64 otherwise) {
            bool isnull;
            Datum hash = get_column(&scan, row, column, &isnull);
            return isnull ? otherwise : DatumGetInt64(hash);
        };
        Size size = sizeof(GhostRange) * (ghosts.count + 1);
        ghosts.ranges =
            (GhostRange *)(ghosts.ranges != nullptr ? repalloc(ghosts.ranges, size)
                                                    : MemoryContextAlloc(context, size));
        GhostRange *ghost = &ghosts.ranges[ghosts.count++];
        ghost->shard = DatumGetInt32(get_column(&scan, row, column::ghost_shard));
        ghost->lower_hash = read_hash(column::ghost_lower_hash, lowest_hash);
        ghost->upper_hash = read_hash(column::ghost_upper_hash, PG_INT64_MAX);
        ghost->lower = read(column::ghost_lower_key);
        ghost->upper = read(column::ghost_upper_key);
        ghost->key = read(column::ghost_pin_key);
        if (ghost->key == nullptr && keyspace->strategy == Strategy::List)
            ghost->key = ghost->lower;
        ghost->is_default = ghost->key == nullptr && keyspace->strategy == Strategy::List;
    }
    end_scan(&scan);
    return ghosts;
}

static void raise_bad_map(const Keyspace *keyspace, int position)
{
    ereport(ERROR,
            (errcode(ERRCODE_DATA_CORRUPTED),
             errmsg("shard map of keyspace %d is damaged at entry %d", keyspace->id, position),
             errdetail("Lower bounds must start at the lowest key and increase.")));
}

template <typename T> static T *allocate(MemoryContext context, size_t count)
{
    return (T *)MemoryContextAllocHuge(context, sizeof(T) * Max(count, size_t{1}));
}

static void fill_hash_ranges(Keyspace *keyspace, const OwnedKeys *rows, MemoryContext context)
{
    ShardMap *map = keyspace->map;
    map->count = rows->count;
    map->lowers = allocate<int64>(context, map->count);
    map->owners = allocate<int32>(context, map->count);
    for (int i = 0; i < rows->count; i++) {
        const OwnedKey *row = &rows->keys[i];
        bool in_order = i == 0 ? row->hash == lowest_hash : row->hash > map->lowers[i - 1];
        if (!row->has_hash || !in_order)
            raise_bad_map(keyspace, i);
        map->lowers[i] = row->hash;
        map->owners[i] = row->owner;
    }
}

static void fill_ordered_ranges(Keyspace *keyspace, const OwnedKeys *rows, MemoryContext context)
{
    ShardMap *map = keyspace->map;
    size_t nkeys = keyspace->nkeys;
    map->count = rows->count;
    map->bounds = allocate<Datum>(context, map->count * nkeys);
    map->owners = allocate<int32>(context, map->count);
    for (int i = 0; i < rows->count; i++) {
        const OwnedKey *row = &rows->keys[i];
        if ((i == 0) != (row->key == nullptr))
            raise_bad_map(keyspace, i);
        if (i > 0)
            memcpy(&map->bounds[i * nkeys], row->key, sizeof(Datum) * nkeys);
        if (i > 1 && compare_keys_with(keyspace, &map->functions, &map->bounds[(i - 1) * nkeys],
                                       &map->bounds[i * nkeys]) >= 0)
            raise_bad_map(keyspace, i);
        map->owners[i] = row->owner;
    }
}

static int compare_owned_keys(const void *a, const void *b, void *keyspace)
{
    return compare_keys((const Keyspace *)keyspace, ((const OwnedKey *)a)->key,
                        ((const OwnedKey *)b)->key);
}

static void fill_key_index(Keyspace *keyspace, const OwnedKeys *rows, KeyIndex *index,
                           MemoryContext context)
{
    const KeyFunctions *functions = &keyspace->map->functions;
    for (int i = 0; i < rows->count; i++) {
        if (!rows->keys[i].key)
            raise_bad_map(keyspace, i);
        if (functions->hashable)
            rows->keys[i].hash = hash_key_with(keyspace, functions, rows->keys[i].key);
    }
    if (functions->hashable)
        std::sort(rows->keys, rows->keys + rows->count,
                  [](const OwnedKey &a, const OwnedKey &b) { return a.hash < b.hash; });
    else if (rows->count > 1)
        qsort_arg(rows->keys, rows->count, sizeof(OwnedKey), compare_owned_keys, keyspace);

    size_t nkeys = keyspace->nkeys;
    index->count = rows->count;
    index->hashes = functions->hashable ? allocate<int64>(context, rows->count) : nullptr;
    index->keys = allocate<Datum>(context, rows->count * nkeys);
    index->owners = allocate<int32>(context, rows->count);
    for (int i = 0; i < rows->count; i++) {
        if (index->hashes)
            index->hashes[i] = rows->keys[i].hash;
        memcpy(&index->keys[i * nkeys], rows->keys[i].key, sizeof(Datum) * nkeys);
        index->owners[i] = rows->keys[i].owner;
    }
}

static void load_map(Keyspace *keyspace, Snapshot snapshot, MemoryContext context)
{
    keyspace->map = (ShardMap *)MemoryContextAllocZero(context, sizeof(ShardMap));
    load_key_functions(keyspace, &keyspace->map->functions, context);

    int nest_level = use_text_settings();
    OwnedKeys rows = read_map_entries(keyspace, snapshot, context);
    OwnedKeys pins = read_pins(keyspace, snapshot, context);
    keyspace->map->ghosts = read_ghosts(keyspace, snapshot, context);
    AtEOXact_GUC(true, nest_level);
    if (keyspace->strategy == Strategy::List)
        fill_key_index(keyspace, &rows, &keyspace->map->listed, context);
    else if (keyspace->strategy == Strategy::Range)
        fill_ordered_ranges(keyspace, &rows, context);
    else
        fill_hash_ranges(keyspace, &rows, context);
    fill_key_index(keyspace, &pins, &keyspace->map->pinned, context);
}

static void load_gates(Keyspace *keyspace, Snapshot snapshot, MemoryContext context)
{
    List *moves = NIL;
    CatalogScan scan = scan_rows_by_number(CatalogTable::Gate, snapshot, keyspace->id);
    while (HeapTuple row = next_row(&scan))
        moves = lappend_int(moves, DatumGetInt32(get_column(&scan, row, column::gate_move)));
    end_scan(&scan);
    if (moves == NIL)
        return;
    keyspace->gates = (Gate *)MemoryContextAlloc(context, sizeof(Gate) * list_length(moves));
    ListCell *cell;
    foreach (cell, moves)
        keyspace->gates[keyspace->ngates++] = {lfirst_int(cell),
                                               load_key_set(keyspace, lfirst_int(cell), context)};
}

const Keyspace *load_keyspace(int32 id, MemoryContext context, Snapshot snapshot)
{
    MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "shardwise shard map rows",
                                                  ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(scratch);
    Keyspace *keyspace = read_keyspace(id, snapshot, context);
    if (keyspace) {
        load_map(keyspace, snapshot, context);
        load_gates(keyspace, snapshot, context);
    }
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(scratch);
    return keyspace;
}

static const Keyspace *load_current_keyspace(int32 id, MemoryContext context)
{
    Snapshot snapshot = take_catalog_snapshot();
    const Keyspace *keyspace = load_keyspace(id, context, snapshot);
    release_catalog_snapshot(snapshot);
    return keyspace;
}

static void make_entries()
{
    HASHCTL control = {};
    control.keysize = sizeof(int32);
    control.entrysize = sizeof(KeyspaceEntry);
    control.hcxt = cache_context();
    entries =
        hash_create("shardwise keyspaces", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

const Keyspace *find_keyspace(int32 keyspace_id)
{
    if (likely(latest != nullptr && latest->id == keyspace_id))
        return latest;
    if (unlikely(!entries))
        make_entries();
    auto *entry = (KeyspaceEntry *)hash_search(entries, &keyspace_id, HASH_FIND, nullptr);
    if (likely(entry != nullptr))
        return latest = entry->keyspace;

    bool current;
    const Keyspace *keyspace = build_cache_object(
        [&](MemoryContext context) { return load_current_keyspace(keyspace_id, context); },
        &current);
    if (!keyspace)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("keyspace %d does not exist", keyspace_id)));
    if (current) {
        bool found; // by a nested call, see table_cache.cpp
        entry = (KeyspaceEntry *)hash_search(entries, &keyspace_id, HASH_ENTER, &found);
        if (found)
            retire(entry->keyspace);
        latest = nullptr;
        entry->keyspace = keyspace;
    }
    return keyspace;
}

} // namespace shardwise
