#include "pg/pg.hpp"

#include "ddl/keyspace_builder.hpp"
#include "core/hash_ring.hpp"
#include "core/shard_map.hpp"
#include "core/splits.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/table_definition.hpp"
#include "pg/guard.hpp"

#include <vector>

namespace shardwise
{

Strategy parse_strategy(const char *name)
{
    Strategy strategy;
    if (!find_strategy(name, &strategy))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown strategy \"%s\"", name),
                 errhint("Use \"hash\", \"consistent_hash\", \"range\" or \"list\".")));
    return strategy;
}

static List *all_shards()
{
    const Shard *const *shards;
    int count = list_shards(&shards);
    List *ids = NIL;
    for (int i = 0; i < count; i++)
        ids = lappend_int(ids, shards[i]->id);
    if (ids == NIL)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("there are no shards"),
                 errhint("Add one with shardwise.add_shard() or "
                         "shardwise.add_local_shard().")));
    return ids;
}

// Reads the argument `shards`: the numbers, in the order given; all shards where it is null.
static List *chosen_shards(ArrayType *names, bool may_repeat)
{
    List *all = all_shards();
    if (names == nullptr)
        return all;
    Datum *elements;
    bool *nulls;
    int count;
    deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
    List *ids = NIL;
    for (int i = 0; i < count; i++) {
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("shard name must not be null")));
        const Shard *shard = find_existing_shard(TextDatumGetCString(elements[i]));
        if (!may_repeat && list_member_int(ids, shard->id))
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("shard \"%s\" is named twice", NameStr(shard->name)),
                            errhint("To give a shard more keys, use strategy \"consistent_hash\" "
                                    "and a greater weight.")));
        ids = lappend_int(ids, shard->id);
    }
    if (ids == NIL)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no shard is named"),
                        errhint("Leave out \"shards\" to use all of them.")));
    return ids;
}

// Memory for results of core, which must not leave by ereport.
template <typename T> static T *allocate_for_core(size_t count)
{
    void *memory = palloc_extended((count + 1) * sizeof(T), MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
    if (memory == nullptr)
        throw std::bad_alloc();
    return static_cast<T *>(memory);
}

static WeightedShard *weighted_shards(const List *ids)
{
    WeightedShard *shards =
        static_cast<WeightedShard *>(palloc(list_length(ids) * sizeof(WeightedShard)));
    int count = 0;
    ListCell *cell;
    foreach (cell, ids)
        shards[count++] = {lfirst_int(cell), find_shard(lfirst_int(cell))->weight};
    return shards;
}

static void write_hash_map(int32 keyspace_id, const KeyspaceOptions *options, const List *ids)
{
    int count = list_length(ids);
    const WeightedShard *members = weighted_shards(ids);
    HashRange *ranges = nullptr;
    size_t nranges = 0;
    raise_exceptions_as_errors([&] {
        std::vector<WeightedShard> shards(members, members + count);
        // Equal slices, whatever the weights: those belong to consistent_hash.
        for (WeightedShard &shard : shards)
            if (options->strategy == Strategy::Hash)
                shard.weight = 1;
        std::vector<HashRange> made = options->strategy == Strategy::Hash
                                          ? make_slices(shards)
                                          : make_ring(shards, options->virtual_nodes);
        nranges = made.size();
        ranges = allocate_for_core<HashRange>(nranges);
        std::copy(made.begin(), made.end(), ranges);
    });
    for (size_t i = 0; i < nranges; i++)
        insert_hash_entry(keyspace_id, i, ranges[i].lower, ranges[i].owner);
}

// Reads one split: the key itself, or a row literal where the key has several columns. The
// session's settings apply, as to any literal that the user writes.
static Datum *parse_split(const KeyColumns *key, char *text, TupleDesc row_type)
{
    Datum *values = static_cast<Datum *>(palloc(key->count * sizeof(Datum)));
    if (key->count == 1) {
        Oid input, parameter;
        getTypeInputInfo(key->types[0], &input, &parameter);
        values[0] = OidInputFunctionCall(input, text, parameter, -1);
        return values;
    }
    Oid input, parameter;
    getTypeInputInfo(RECORDOID, &input, &parameter);
    HeapTupleHeader row = DatumGetHeapTupleHeader(
        OidInputFunctionCall(input, text, row_type->tdtypeid, row_type->tdtypmod));
    HeapTupleData tuple = {};
    tuple.t_len = HeapTupleHeaderGetDatumLength(row);
    tuple.t_data = row;
    bool nulls[max_key_columns];
    heap_deform_tuple(&tuple, row_type, values, nulls);
    for (int i = 0; i < key->count; i++)
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("a split must not contain null")));
    return values;
}

static TupleDesc key_row_type(const KeyColumns *key)
{
    TupleDesc desc = CreateTemplateTupleDesc(key->count);
    for (int i = 0; i < key->count; i++) {
        TupleDescInitEntry(desc, i + 1, key->names[i], key->types[i], -1, 0);
        TupleDescInitEntryCollation(desc, i + 1, key->collations[i]);
    }
    return BlessTupleDesc(desc);
}

struct Splits {
    int count;
    Datum **keys;
};

static Splits parse_splits(const KeyColumns *key, ArrayType *texts)
{
    Splits splits = {};
    if (texts == nullptr)
        return splits;
    Datum *elements;
    bool *nulls;
    deconstruct_array(texts, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &splits.count);
    splits.keys = static_cast<Datum **>(palloc((splits.count + 1) * sizeof(Datum *)));
    TupleDesc row_type = key_row_type(key);
    for (int i = 0; i < splits.count; i++) {
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("a split must not contain null")));
        splits.keys[i] = parse_split(key, TextDatumGetCString(elements[i]), row_type);
    }
    return splits;
}

// Assigns `count` parts to shards through core, into an array of owners.
template <typename Assign> static int32 *owners_from_core(const List *ids, Assign assign)
{
    int32 *members = static_cast<int32 *>(palloc(list_length(ids) * sizeof(int32)));
    int count = 0;
    ListCell *cell;
    foreach (cell, ids)
        members[count++] = lfirst_int(cell);
    int32 *owners = nullptr;
    raise_exceptions_as_errors([&] {
        std::vector<int32_t> made = assign(std::vector<int32_t>(members, members + count));
        owners = allocate_for_core<int32>(made.size());
        std::copy(made.begin(), made.end(), owners);
    });
    return owners;
}

static void refuse_surplus_shards(int shards, int parts, const char *part)
{
    if (shards > parts)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%d shards are named for %d %s", shards, parts, part),
                        errhint("Give more splits, or name fewer shards.")));
}

static void write_range_map(int32 keyspace_id, const Keyspace *shape, const Splits *splits,
                            const List *ids, int32 default_shard, bool shards_given)
{
    size_t wrong = find_unordered_split(splits->count, [&](size_t a, size_t b) {
        return compare_keys(shape, splits->keys[a], splits->keys[b]);
    });
    if (wrong != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("splits overlap"),
                        errdetail("Split %zu is not greater than the one before it.", wrong),
                        errhint("Give the splits in ascending order, each once.")));
    if (shards_given)
        refuse_surplus_shards(list_length(ids),
                              default_shard ? splits->count - 1 : splits->count + 1, "ranges");
    size_t nsplits = splits->count;
    const int32 *owners = owners_from_core(ids, [&](const std::vector<int32_t> &shards) {
        return assign_ranges(nsplits, shards,
                             default_shard ? std::optional<int32_t>(default_shard) : std::nullopt);
    });
    for (size_t i = 0; i <= nsplits; i++)
        insert_key_entry(keyspace_id, i,
                         i == 0 ? nullptr : key_to_text_array(shape, splits->keys[i - 1]),
                         owners[i]);
}

static void write_list_map(int32 keyspace_id, const Keyspace *shape, const Splits *splits,
                           const List *ids, bool shards_given)
{
    size_t count = splits->count;
    uint32_t *order = static_cast<uint32_t *>(palloc((2 * count + 1) * sizeof(uint32_t)));
    RepeatedKey repeated = find_repeated_key(count, order, [&](size_t a, size_t b) {
        return compare_keys(shape, splits->keys[a], splits->keys[b]);
    });
    if (repeated.second != 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("splits overlap"),
                 errdetail("Splits %zu and %zu are the same key.", repeated.first, repeated.second),
                 errhint("Name each key once.")));
    if (shards_given)
        refuse_surplus_shards(list_length(ids), count, "keys");
    const int32 *owners = owners_from_core(
        ids, [&](const std::vector<int32_t> &shards) { return assign_keys(count, shards); });
    for (size_t i = 0; i < count; i++)
        insert_key_entry(keyspace_id, i, key_to_text_array(shape, splits->keys[order[i]]),
                         owners[order[i]]);
}

static void check_options(const KeyspaceOptions *options)
{
    bool hashed = is_hashed(options->strategy);
    if (hashed && (options->splits != nullptr || options->default_shard != nullptr))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a hash strategy has neither splits nor a default shard"),
                        errhint("Use strategy \"range\" or \"list\".")));
    if (!hashed && options->splits == nullptr && options->default_shard == nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("splits are missing"),
                 errhint("Strategies \"range\" and \"list\" need the argument \"splits\".")));
    if (options->strategy == Strategy::ConsistentHash
            ? options->virtual_nodes < 1 || options->virtual_nodes > 100000
            : options->virtual_nodes != default_virtual_nodes)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("invalid virtual_nodes: %d", options->virtual_nodes),
                        errhint("Strategy \"consistent_hash\" takes 1 to 100000; the others have "
                                "none.")));
}

int32 create_keyspace(const KeyspaceOptions *options, const KeyColumns *key)
{
    bool hashed = is_hashed(options->strategy);
    check_options(options);
    List *ids = chosen_shards(options->shards, !hashed);
    int32 default_shard =
        options->default_shard ? find_existing_shard(options->default_shard)->id : 0;

    Keyspace shape = {};
    shape.strategy = options->strategy;
    shape.nkeys = key->count;
    memcpy(shape.key_types, key->types, sizeof(shape.key_types));
    memcpy(shape.key_collations, key->collations, sizeof(shape.key_collations));
    Splits splits = parse_splits(key, options->splits);

    int32 id = insert_keyspace(options->strategy, key->count, key->types, key->collations,
                               options->virtual_nodes, default_shard);
    if (hashed)
        write_hash_map(id, options, ids);
    else if (options->strategy == Strategy::Range)
        write_range_map(id, &shape, &splits, ids, default_shard, options->shards != nullptr);
    else
        write_list_map(id, &shape, &splits, ids, options->shards != nullptr);
    invalidate_shard_maps();
    CommandCounterIncrement();
    return id;
}

void check_colocation(const Table *with, const KeyspaceOptions *options, const KeyColumns *key)
{
    const Keyspace *keyspace = with->keyspace;
    bool same_types = keyspace->nkeys == key->count;
    for (int i = 0; same_types && i < key->count; i++)
        same_types = keyspace->key_types[i] == key->types[i] &&
                     keyspace->key_collations[i] == key->collations[i];
    if (!same_types)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("shard key does not match the shard key of %s",
                               qualified_table_name(with->relid)),
                        errdetail("Colocated tables have keys of the same number, types and "
                                  "collations of columns, so that equal keys live together."),
                        errhint("Change the column's type, or leave out colocate_with.")));
    bool contradicts =
        (options->strategy != Strategy::Hash && options->strategy != keyspace->strategy) ||
        (options->virtual_nodes != default_virtual_nodes &&
         options->virtual_nodes != keyspace->virtual_nodes) ||
        options->shards || options->splits || options->default_shard;
    if (contradicts)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("colocate_with already decides strategy, shards and splits"),
                        errhint("Leave them out, or leave out colocate_with.")));
}

} // namespace shardwise
