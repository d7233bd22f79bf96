#include "pg/pg.hpp"

#include "catalog/catalog_tables.hpp"
#include "catalog/key_set.hpp"
#include "catalog/shard_map.hpp"
#include "core/shard_map.hpp"

extern "C" {
#include "utils/datum.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

// A row of move_range; keys are nullptr where the column is NULL.
struct RangeRow {
    int32 ordinal;
    char kind; // r(ange), k(ey), d(efault), p(in), e(xcept)
    int64 lower_hash, upper_hash;
    Datum *lower_key, *upper_key, *pin_key;
};

struct Loader {
    const Keyspace *keyspace;
    MemoryContext context;
    KeyFunctions functions;
    List *rows; // of RangeRow
};

Datum *read_key(const Loader *loader, const CatalogScan *scan, HeapTuple row, AttrNumber column)
{
    bool isnull;
    Datum array = get_column(scan, row, column, &isnull);
    if (isnull)
        return nullptr;
    int n = loader->keyspace->nkeys;
    MemoryContext caller = MemoryContextSwitchTo(loader->context);
    Datum *values = (Datum *)palloc(sizeof(Datum) * n);
    parse_key(loader->keyspace, DatumGetArrayTypeP(array), values);
    for (int i = 0; i < n; i++)
        values[i] = datumCopy(values[i], loader->functions.columns[i].by_value,
                              loader->functions.columns[i].length);
    MemoryContextSwitchTo(caller);
    return values;
}

int64 read_hash(const CatalogScan *scan, HeapTuple row, AttrNumber column, int64 otherwise)
{
    bool isnull;
    Datum hash = get_column(scan, row, column, &isnull);
    return isnull ? otherwise : DatumGetInt64(hash);
}

void read_rows(Loader *loader, int32 move_id)
{
    Snapshot snapshot = take_catalog_snapshot();
    CatalogScan scan = scan_rows_by_number(CatalogTable::MoveRange, snapshot, move_id);
    while (HeapTuple row = next_row(&scan)) {
        RangeRow *range = (RangeRow *)palloc0(sizeof(RangeRow));
        range->ordinal = DatumGetInt32(get_column(&scan, row, column::range_ordinal));
        range->kind = TextDatumGetCString(get_column(&scan, row, column::range_kind))[0];
        range->lower_hash = read_hash(&scan, row, column::range_lower_hash, lowest_hash);
        range->upper_hash = read_hash(&scan, row, column::range_upper_hash, highest_hash);
        range->lower_key = read_key(loader, &scan, row, column::range_lower_key);
        range->upper_key = read_key(loader, &scan, row, column::range_upper_key);
        range->pin_key = read_key(loader, &scan, row, column::range_pin_key);
        loader->rows = lappend(loader->rows, range);
    }
    end_scan(&scan);
    release_catalog_snapshot(snapshot);
    list_sort(loader->rows, [](const ListCell *a, const ListCell *b) {
        return ((const RangeRow *)lfirst(a))->ordinal - ((const RangeRow *)lfirst(b))->ordinal;
    });
}

// What a default covers is what no entry of the list and no pin names.
int add_listed(const KeyIndex *index, int nkeys, Datum **excepts)
{
    for (int i = 0; i < index->count; i++)
        excepts[i] = &index->keys[(size_t)i * nkeys];
    return index->count;
}

template <typename T> T *allocate(MemoryContext context, int count)
{
    return (T *)MemoryContextAllocHuge(context, sizeof(T) * Max(count, 1));
}

KeySet *build_set(const Loader *loader)
{
    int n = list_length(loader->rows);
    const ShardMap *map = loader->keyspace->map;
    int listed = map != nullptr ? map->listed.count + map->pinned.count : 0;
    KeySet *set = (KeySet *)MemoryContextAllocZero(loader->context, sizeof(KeySet));
    set->lower_hashes = allocate<int64>(loader->context, n);
    set->upper_hashes = allocate<int64>(loader->context, n);
    set->lower_keys = allocate<Datum *>(loader->context, n);
    set->upper_keys = allocate<Datum *>(loader->context, n);
    set->keys = allocate<Datum *>(loader->context, n);
    set->excepts = allocate<Datum *>(loader->context, n + listed);
    ListCell *cell;
    foreach (cell, loader->rows) {
        const RangeRow *row = (const RangeRow *)lfirst(cell);
        switch (row->kind) {
        case 'k':
            set->keys[set->nkeys++] = row->lower_key;
            break;
        case 'p':
            set->keys[set->nkeys++] = row->pin_key;
            break;
        case 'e':
            set->excepts[set->nexcept++] = row->pin_key;
            break;
        case 'd':
            set->is_default = true;
            break;
        default:
            set->lower_hashes[set->nranges] = row->lower_hash;
            set->upper_hashes[set->nranges] = row->upper_hash;
            set->lower_keys[set->nranges] = row->lower_key;
            set->upper_keys[set->nranges++] = row->upper_key;
        }
    }
    if (set->is_default) {
        int nkeys = loader->keyspace->nkeys;
        set->nexcept += add_listed(&map->listed, nkeys, set->excepts + set->nexcept);
        set->nexcept += add_listed(&map->pinned, nkeys, set->excepts + set->nexcept);
    }
    return set;
}

bool is_among(const Keyspace *keyspace, Datum *const *keys, int count, const Datum *values)
{
    for (int i = 0; i < count; i++)
        if (compare_keys(keyspace, keys[i], values) == 0)
            return true;
    return false;
}

bool is_in_hash_range(const KeySet *set, int64 hash)
{
    const int64 *end = set->lower_hashes + set->nranges;
    const int64 *above = std::upper_bound((const int64 *)set->lower_hashes, end, hash);
    return above != set->lower_hashes && hash <= set->upper_hashes[above - set->lower_hashes - 1];
}

bool is_in_key_range(const Keyspace *keyspace, const KeySet *set, const Datum *values)
{
    for (int i = 0; i < set->nranges; i++) {
        if (set->lower_keys[i] && compare_keys(keyspace, values, set->lower_keys[i]) < 0)
            continue;
        if (!set->upper_keys[i] || compare_keys(keyspace, values, set->upper_keys[i]) < 0)
            return true;
    }
    return false;
}

// ---- as SQL ------------------------------------------------------------------------------------

// A key as a list of typed literals.
char *literals_sql(const Keyspace *keyspace, const Datum *values)
{
    StringInfoData sql;
    initStringInfo(&sql);
    for (int i = 0; i < keyspace->nkeys; i++) {
        Oid output;
        bool is_varlena;
        Oid type = getBaseType(keyspace->key_types[i]);
        getTypeOutputInfo(type, &output, &is_varlena);
        appendStringInfo(&sql, "%s%s::%s", i > 0 ? ", " : "",
                         quote_literal_cstr(OidOutputFunctionCall(output, values[i])),
                         format_type_extended(type, -1, FORMAT_TYPE_FORCE_QUALIFY));
    }
    return sql.data;
}

char *columns_sql(const Keyspace *keyspace, const char *const *column_sqls)
{
    StringInfoData sql;
    initStringInfo(&sql);
    for (int i = 0; i < keyspace->nkeys; i++)
        appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "", column_sqls[i]);
    return sql.data;
}

// One column is compared as it is: a row of one needs ROW(), and indexes do not know it.
char *compare_sql(const Keyspace *keyspace, const char *columns, const char *op,
                  const Datum *values)
{
    const char *format = keyspace->nkeys == 1 ? "%s %s %s" : "(%s) %s (%s)";
    return psprintf(format, columns, op, literals_sql(keyspace, values));
}

void append_or(StringInfo sql, const char *term)
{
    appendStringInfo(sql, "%s%s", sql->len > 0 ? " OR " : "", term);
}

// Bounds in order; an odd bucket is inside of a range. Ranges that touch share a bound and merge.
char *hash_ranges_sql(const Keyspace *keyspace, const KeySet *set, const char *const *column_sqls)
{
    char *hash = hash_expression_sql(keyspace, column_sqls);
    if (set->nranges == 1)
        return psprintf("%s BETWEEN '" INT64_FORMAT "'::pg_catalog.int8 AND '" INT64_FORMAT
                        "'::pg_catalog.int8",
                        hash, set->lower_hashes[0], set->upper_hashes[0]);
    StringInfoData bounds;
    initStringInfo(&bounds);
    for (int i = 0; i < set->nranges; i++) {
        bool touches_last = i > 0 && set->lower_hashes[i] == set->upper_hashes[i - 1] + 1;
        bool touches_next = i + 1 < set->nranges && set->upper_hashes[i] != highest_hash &&
                            set->upper_hashes[i] + 1 == set->lower_hashes[i + 1];
        if (!touches_last)
            appendStringInfo(&bounds, "%s" INT64_FORMAT, bounds.len ? "," : "",
                             set->lower_hashes[i]);
        if (!touches_next && set->upper_hashes[i] != highest_hash)
            appendStringInfo(&bounds, "," INT64_FORMAT, set->upper_hashes[i] + 1);
    }
    return psprintf("pg_catalog.width_bucket(%s, '{%s}'::pg_catalog.int8[]) %% 2 = 1", hash,
                    bounds.data);
}

char *key_range_sql(const Keyspace *keyspace, const char *columns, const Datum *lower,
                    const Datum *upper)
{
    if (lower == nullptr && upper == nullptr)
        return pstrdup("true");
    char *from = lower ? compare_sql(keyspace, columns, ">=", lower) : nullptr;
    char *to = upper ? compare_sql(keyspace, columns, "<", upper) : nullptr;
    if (from == nullptr || to == nullptr)
        return from ? from : to;
    return psprintf("(%s AND %s)", from, to);
}

// Values of a key of one column as a typed array; nullptr where that is not worth it, or its type
// has none. `value` gives the i-th one.
template <typename Value> char *array_sql(const Keyspace *keyspace, int count, Value &&value)
{
    constexpr int few = 2;
    Oid type = getBaseType(keyspace->key_types[0]), array_type = get_array_type(type);
    if (keyspace->nkeys != 1 || count <= few || !OidIsValid(array_type))
        return nullptr;
    Datum *elements = (Datum *)MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Datum) * count);
    for (int i = 0; i < count; i++)
        elements[i] = value(i);
    int16 length;
    bool by_value;
    char alignment;
    get_typlenbyvalalign(type, &length, &by_value, &alignment);
    ArrayType *array = construct_array(elements, count, type, length, by_value, alignment);
    return psprintf("%s::%s",
                    quote_literal_cstr(OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(array))),
                    format_type_extended(array_type, -1, FORMAT_TYPE_FORCE_QUALIFY));
}

// True if the first alone begins at MINVALUE, the last alone ends at MAXVALUE, and none reaches
// into the next.
bool ranges_are_sorted(const Keyspace *keyspace, const KeySet *set)
{
    for (int i = 1; i < set->nranges; i++)
        if (set->lower_keys[i] == nullptr || set->upper_keys[i - 1] == nullptr ||
            compare_keys(keyspace, set->upper_keys[i - 1], set->lower_keys[i]) > 0)
            return false;
    return true;
}

// Many ranges of keys: a binary search in their bounds, as of hashes. nullptr where a comparison of
// each is as good, or the only way.
char *many_key_ranges_sql(const Keyspace *keyspace, const KeySet *set, const char *columns)
{
    if (keyspace->nkeys != 1 || !ranges_are_sorted(keyspace, set))
        return nullptr;
    Datum *bounds = (Datum *)MemoryContextAllocHuge(CurrentMemoryContext,
                                                    sizeof(Datum) * (2 * set->nranges + 1));
    int count = 0;
    bool from_lowest = set->nranges > 0 && set->lower_keys[0] == nullptr;
    for (int i = 0; i < set->nranges; i++) {
        const Datum *lower = set->lower_keys[i], *upper = set->upper_keys[i];
        bool touches = i > 0 && compare_keys(keyspace, set->upper_keys[i - 1], lower) == 0;
        if (touches)
            count--; // one range
        else if (lower != nullptr)
            bounds[count++] = lower[0];
        if (upper != nullptr)
            bounds[count++] = upper[0];
    }
    char *array = array_sql(keyspace, count, [&](int i) { return bounds[i]; });
    return array == nullptr ? nullptr
                            : psprintf("pg_catalog.width_bucket(%s, %s) %% 2 = %d", columns, array,
                                       from_lowest ? 0 : 1);
}

void append_keys(StringInfo sql, const Keyspace *keyspace, const char *columns, Datum *const *keys,
                 int count)
{
    char *array = array_sql(keyspace, count, [&](int i) { return keys[i][0]; });
    if (array != nullptr)
        return append_or(sql, psprintf("%s = ANY (%s)", columns, array));
    for (int i = 0; i < count; i++)
        append_or(sql, compare_sql(keyspace, columns, "=", keys[i]));
}

void append_key_ranges(StringInfo sql, const Keyspace *keyspace, const char *columns,
                       const KeySet *set)
{
    char *many = many_key_ranges_sql(keyspace, set, columns);
    if (many != nullptr)
        return append_or(sql, many);
    for (int i = 0; i < set->nranges; i++)
        append_or(sql, key_range_sql(keyspace, columns, set->lower_keys[i], set->upper_keys[i]));
}

} // namespace

KeySet *load_key_set(const Keyspace *keyspace, int32 move_id, MemoryContext context)
{
    Loader loader = {keyspace, context, {}, NIL};
    load_key_functions(keyspace, &loader.functions, context);
    int nest_level = use_text_settings();
    read_rows(&loader, move_id);
    AtEOXact_GUC(true, nest_level);
    return build_set(&loader);
}

static void take_owned_keys(const KeyIndex *index, int nkeys, int32 shard_id, KeySet *set,
                            bool except_others)
{
    for (int i = 0; i < index->count; i++) {
        Datum *key = &index->keys[(size_t)i * nkeys];
        if (index->owners[i] == shard_id)
            set->keys[set->nkeys++] = key;
        else if (except_others)
            set->excepts[set->nexcept++] = key;
    }
}

KeySet *owned_key_set(const Keyspace *keyspace, int32 shard_id)
{
    const ShardMap *map = keyspace->map;
    MemoryContext context = CurrentMemoryContext;
    int n = static_cast<int>(map->count), explicit_keys = map->listed.count + map->pinned.count;
    KeySet *set = (KeySet *)palloc0(sizeof(KeySet));
    set->lower_hashes = allocate<int64>(context, n);
    set->upper_hashes = allocate<int64>(context, n);
    set->lower_keys = allocate<Datum *>(context, n);
    set->upper_keys = allocate<Datum *>(context, n);
    set->keys = allocate<Datum *>(context, explicit_keys);
    set->excepts = allocate<Datum *>(context, explicit_keys);
    for (int i = 0; i < n; i++) {
        if (map->owners[i] != shard_id)
            continue;
        bool last = i + 1 == n;
        int at = set->nranges++;
        if (is_hashed(keyspace)) {
            set->lower_hashes[at] = map->lowers[i];
            set->upper_hashes[at] = last ? highest_hash : map->lowers[i + 1] - 1;
        } else {
            size_t nkeys = keyspace->nkeys;
            set->lower_keys[at] = i == 0 ? nullptr : &map->bounds[i * nkeys];
            set->upper_keys[at] = last ? nullptr : &map->bounds[(i + 1) * nkeys];
        }
    }
    bool has_list = keyspace->strategy == Strategy::List;
    set->is_default = has_list && keyspace->default_shard == shard_id;
    take_owned_keys(&map->listed, keyspace->nkeys, shard_id, set, set->is_default);
    take_owned_keys(&map->pinned, keyspace->nkeys, shard_id, set, true);
    return set;
}

bool key_set_contains(const Keyspace *keyspace, const KeySet *set, const Datum *values)
{
    if (is_among(keyspace, set->keys, set->nkeys, values))
        return true;
    bool found = set->is_default;
    if (!found && set->nranges > 0)
        found = is_hashed(keyspace) ? is_in_hash_range(set, hash_key(keyspace, values))
                                    : is_in_key_range(keyspace, set, values);
    return found && !is_among(keyspace, set->excepts, set->nexcept, values);
}

char *key_set_sql(const Keyspace *keyspace, const KeySet *set, const char *const *column_sqls)
{
    int nest_level = use_text_settings();
    const char *columns = columns_sql(keyspace, column_sqls);
    StringInfoData ranges, excepts, all;
    initStringInfo(&ranges);
    initStringInfo(&excepts);
    initStringInfo(&all);
    if (set->is_default)
        append_or(&ranges, "true");
    else if (set->nranges > 0 && is_hashed(keyspace))
        append_or(&ranges, hash_ranges_sql(keyspace, set, column_sqls));
    else
        append_key_ranges(&ranges, keyspace, columns, set);
    append_keys(&excepts, keyspace, columns, set->excepts, set->nexcept);
    if (ranges.len > 0)
        append_or(&all, excepts.len > 0 ? psprintf("((%s) AND NOT (%s))", ranges.data, excepts.data)
                                        : ranges.data);
    append_keys(&all, keyspace, columns, set->keys, set->nkeys);
    AtEOXact_GUC(true, nest_level);
    return all.len > 0 ? psprintf("(%s)", all.data) : pstrdup("false");
}

} // namespace shardwise
