// What the setting says. Of strategy range it is a text[]: hashes of pinned keys that the shard
// owns, of those that others own, 1 or 0 for whether the lowest key is the shard's, and for each
// column an array of the bounds at which that changes. Of other strategies all depends on the key's
// hash, and there may be many bounds (virtual nodes, entries of a list): the hashes are divided by
// their first bits, and the setting has an int8[] for each division, so that a row looks at few of
// them. Its bounds begin and end, in turns, what the shard owns.
#include "pg/pg.hpp"

#include "catalog/cache.hpp"
#include "catalog/catalog_tables.hpp"
#include "catalog/key_check.hpp"
#include "catalog/shard_map.hpp"
#include "core/shard_map.hpp"

extern "C" {
#include "catalog/pg_collation.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

// ---- which keyspaces ---------------------------------------------------------------------------

namespace
{

struct CheckedKeyspaces {
    int count;
    int32 numbers[FLEXIBLE_ARRAY_MEMBER];
};

const CheckedKeyspaces *checked = nullptr;

CheckedKeyspaces *load_checked_keyspaces(MemoryContext context)
{
    List *numbers = NIL;
    CatalogScan scan = scan_all_rows(CatalogTable::Keyspace, nullptr);
    while (HeapTuple row = next_row(&scan))
        if (DatumGetBool(get_column(&scan, row, column::keyspace_checks_keys)))
            numbers =
                lappend_int(numbers, DatumGetInt32(get_column(&scan, row, column::keyspace_id)));
    end_scan(&scan);
    int n = list_length(numbers);
    CheckedKeyspaces *found = (CheckedKeyspaces *)MemoryContextAlloc(
        context, offsetof(CheckedKeyspaces, numbers) + sizeof(int32) * n);
    found->count = n;
    for (int i = 0; i < n; i++)
        found->numbers[i] = list_nth_int(numbers, i);
    list_free(numbers);
    return found;
}

} // namespace

void drop_checked_keyspaces()
{
    if (checked != nullptr)
        retire(checked);
    checked = nullptr;
}

int list_checked_keyspaces(const int32 **keyspaces)
{
    const CheckedKeyspaces *found = checked;
    if (unlikely(found == nullptr)) {
        bool current;
        found = build_cache_object(load_checked_keyspaces, &current);
        if (current)
            checked = found;
    }
    *keyspaces = found->numbers;
    return found->count;
}

// ---- what a shard owns -------------------------------------------------------------------------

namespace
{

// Columns of a key by whose order the shard looks for its range.
constexpr int max_compared_columns = 3;

bool is_hashable(const Keyspace *keyspace)
{
    for (int i = 0; i < keyspace->nkeys; i++)
        if (!type_is_hashable(keyspace->key_types[i]))
            return false;
    return true;
}

// The hash of a key; of types that have none (with range and list), that of its text.
int64 digest_key(const Keyspace *keyspace, const Datum *values)
{
    if (is_hashable(keyspace))
        return hash_key(keyspace, values);
    Datum digest = Int64GetDatum(0);
    for (int i = 0; i < keyspace->nkeys; i++) {
        Oid output;
        bool is_varlena;
        getTypeOutputInfo(getBaseType(keyspace->key_types[i]), &output, &is_varlena);
        Datum text = CStringGetTextDatum(OidOutputFunctionCall(output, values[i]));
        digest = DirectFunctionCall2Coll(hashtextextended, DEFAULT_COLLATION_OID, text, digest);
    }
    return DatumGetInt64(digest);
}

char *digest_sql(const Keyspace *keyspace, const char *const *columns)
{
    if (is_hashable(keyspace))
        return hash_expression_sql(keyspace, columns);
    char *sql = pstrdup("0");
    for (int i = 0; i < keyspace->nkeys; i++)
        sql = psprintf("hashtextextended(%s::text, %s)", columns[i], sql);
    return sql;
}

int64 digest_of(const Keyspace *keyspace, const KeyIndex *index, int i)
{
    return digest_key(keyspace, &index->keys[(size_t)i * keyspace->nkeys]);
}

Datum pinned_keys(const Keyspace *keyspace, int32 shard_id, bool own)
{
    const KeyIndex *pinned = &keyspace->map->pinned;
    StringInfoData text;
    initStringInfo(&text);
    for (int i = 0; i < pinned->count; i++)
        if ((pinned->owners[i] == shard_id) == own)
            appendStringInfo(&text, "%s" INT64_FORMAT, text.len > 0 ? "," : "",
                             digest_of(keyspace, pinned, i));
    return CStringGetTextDatum(psprintf("{%s}", text.data));
}

// ---- hashes ------------------------------------------------------------------------------------

constexpr int division_bits = 6;
constexpr int divisions = 1 << division_bits;

// From a hash on, up to the next change.
struct Change {
    int64 from;
    bool is_own;
};

void add_points(const Keyspace *keyspace, const KeyIndex *index, int32 shard_id, List **points)
{
    for (int i = 0; i < index->count; i++) {
        Change *point = (Change *)palloc(sizeof(Change));
        *point = {digest_of(keyspace, index, i), index->owners[i] == shard_id};
        *points = lappend(*points, point);
    }
}

int compare_points(const ListCell *a, const ListCell *b)
{
    int64 left = ((const Change *)lfirst(a))->from, right = ((const Change *)lfirst(b))->from;
    return left < right ? -1 : left > right;
}

// Whether the shard owns what no single key is named for.
bool owns_hash(const Keyspace *keyspace, int32 shard_id, int64 hash)
{
    const ShardMap *map = keyspace->map;
    int32 owner = map->count > 0 ? map->owners[find_hash_range(map->lowers, map->count, hash)]
                                 : keyspace->default_shard;
    return owner == shard_id;
}

// All hashes at which ownership may change, in order: ranges, divisions, and single keys with what
// follows them.
Change *list_changes(const Keyspace *keyspace, int32 shard_id, int *count)
{
    const ShardMap *map = keyspace->map;
    List *points = NIL;
    add_points(keyspace, &map->listed, shard_id, &points);
    add_points(keyspace, &map->pinned, shard_id, &points);
    list_sort(points, compare_points);
    int n = list_length(points);
    Change *changes = (Change *)palloc(sizeof(Change) * (is_hashed(keyspace) ? map->count : 0) +
                                       sizeof(Change) * (divisions + 2 * n));
    int k = 0;
    for (size_t i = 0; is_hashed(keyspace) && i < map->count; i++)
        changes[k++] = {map->lowers[i], map->owners[i] == shard_id};
    for (int64 i = 0; i < divisions; i++) {
        int64 from = PG_INT64_MIN + (int64)((uint64)i << (64 - division_bits));
        changes[k++] = {from, owns_hash(keyspace, shard_id, from)};
    }
    ListCell *cell;
    foreach (cell, points) {
        int64 hash = ((const Change *)lfirst(cell))->from;
        if (hash < PG_INT64_MAX)
            changes[k++] = {hash + 1, owns_hash(keyspace, shard_id, hash + 1)};
    }
    foreach (cell, points)
        changes[k++] = *(const Change *)lfirst(cell);
    // Of what begins at one hash the last counts.
    std::stable_sort(changes, changes + k,
                     [](const Change &a, const Change &b) { return a.from < b.from; });
    *count = k;
    return changes;
}

char *owned_hashes(const Keyspace *keyspace, int32 shard_id)
{
    int n;
    const Change *changes = list_changes(keyspace, shard_id, &n);
    StringInfoData text;
    initStringInfo(&text);
    bool is_own = false, is_first = true;
    int64 division = -1;
    for (int i = 0; i < n; i++) {
        if (i + 1 < n && changes[i + 1].from == changes[i].from)
            continue;
        int64 own_division = (changes[i].from >> (64 - division_bits)) + divisions / 2;
        if (own_division != division) {
            appendStringInfoString(&text, division < 0 ? "{" : "};{");
            division = own_division;
            is_own = false;
            is_first = true;
        }
        if (changes[i].is_own == is_own)
            continue;
        appendStringInfo(&text, "%s" INT64_FORMAT, is_first ? "" : ",", changes[i].from);
        is_own = changes[i].is_own;
        is_first = false;
    }
    appendStringInfoChar(&text, '}');
    return text.data;
}

// ---- strategy range ----------------------------------------------------------------------------

bool owns_lowest(const Keyspace *keyspace, int32 shard_id)
{
    const ShardMap *map = keyspace->map;
    return (map->count > 0 ? map->owners[0] : keyspace->default_shard) == shard_id;
}

// The numbers of the ranges with which the shard's part of the key space begins or ends.
List *find_changes(const ShardMap *map, int32 shard_id)
{
    List *changes = NIL;
    for (size_t i = 1; i < map->count; i++)
        if ((map->owners[i] == shard_id) != (map->owners[i - 1] == shard_id))
            changes = lappend_int(changes, static_cast<int>(i));
    return changes;
}

// One column of the bounds, as the text of an array.
Datum bounds_of_column(const Keyspace *keyspace, const List *changes, int column)
{
    const ShardMap *map = keyspace->map;
    Oid type = getBaseType(keyspace->key_types[column]);
    Datum *bounds = (Datum *)palloc(sizeof(Datum) * (list_length(changes) + 1));
    ListCell *cell;
    foreach (cell, changes) {
        size_t i = lfirst_int(cell);
        bounds[foreach_current_index(cell)] = map->bounds[i * keyspace->nkeys + column];
    }
    int16 length;
    bool by_value;
    char alignment;
    get_typlenbyvalalign(type, &length, &by_value, &alignment);
    ArrayType *array =
        construct_array(bounds, list_length(changes), type, length, by_value, alignment);
    return CStringGetTextDatum(OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(array)));
}

int compared_columns(const Keyspace *keyspace)
{
    return Min(keyspace->nkeys, max_compared_columns);
}

} // namespace

char *owned_keys_setting(int32 keyspace_id)
{
    return psprintf("shardwise_shard.owned_keys_%d", keyspace_id);
}

static char *owned_ranges(const Keyspace *keyspace, int32 shard_id)
{
    Datum parts[3 + max_compared_columns];
    int n = 0;
    parts[n++] = pinned_keys(keyspace, shard_id, true);
    parts[n++] = pinned_keys(keyspace, shard_id, false);
    parts[n++] = CStringGetTextDatum(owns_lowest(keyspace, shard_id) ? "1" : "0");
    const List *changes = find_changes(keyspace->map, shard_id);
    for (int i = 0; i < compared_columns(keyspace); i++)
        parts[n++] = bounds_of_column(keyspace, changes, i);
    ArrayType *array = construct_array(parts, n, TEXTOID, -1, false, TYPALIGN_INT);
    return OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(array));
}

char *owned_keys_value(const Keyspace *keyspace, int32 shard_id)
{
    int nest_level = use_text_settings();
    char *value = keyspace->strategy == Strategy::Range ? owned_ranges(keyspace, shard_id)
                                                        : owned_hashes(keyspace, shard_id);
    AtEOXact_GUC(true, nest_level);
    return value;
}

// ---- the condition -----------------------------------------------------------------------------

namespace
{

char *setting_sql(const Keyspace *keyspace)
{
    return psprintf("nullif(current_setting(%s, true), '')",
                    quote_literal_cstr(owned_keys_setting(keyspace->id)));
}

char *part_sql(const Keyspace *keyspace, int part)
{
    return psprintf("((%s::text[])[%d])", setting_sql(keyspace), part + 1);
}

// How many bounds, of those that are numbered from + 1 to `to`, are not above the key: by a column,
// and where bounds have its value, by the next ones.
char *rank_sql(const Keyspace *keyspace, const char *const *columns, int column, const char *from,
               const char *to)
{
    Oid type = getBaseType(keyspace->key_types[column]);
    const char *value = psprintf("%s::%s", columns[column],
                                 format_type_extended(type, -1, FORMAT_TYPE_FORCE_QUALIFY));
    const char *bounds = psprintf(
        "(%s::%s)[%s + 1:%s]", part_sql(keyspace, 3 + column),
        format_type_extended(get_array_type(type), -1, FORMAT_TYPE_FORCE_QUALIFY), from, to);
    char *rank = psprintf("(%s + width_bucket(%s, %s))", from, value, bounds);
    if (column + 1 == compared_columns(keyspace))
        return rank;
    char *equal = psprintf("array_position(%s, %s)", bounds, value);
    char *first = psprintf("(%s + %s - 1)", from, equal);
    return psprintf("CASE WHEN %s IS NULL THEN %s ELSE %s END", equal, rank,
                    rank_sql(keyspace, columns, column + 1, first, rank));
}

} // namespace

char *foreign_key_condition(const Keyspace *keyspace, const char *const *column_sqls)
{
    char *digest = digest_sql(keyspace, column_sqls);
    if (keyspace->strategy != Strategy::Range)
        return psprintf("width_bucket(%s, split_part(%s, ';', ((%s >> %d) + %d)::int4)::int8[]) "
                        "%% 2 = 0",
                        digest, setting_sql(keyspace), digest, 64 - division_bits,
                        divisions / 2 + 1);
    char *number = psprintf("cardinality(%s::text[])", part_sql(keyspace, 3));
    return psprintf("CASE WHEN %s = ANY (%s::int8[]) THEN false "
                    "WHEN %s = ANY (%s::int8[]) THEN true "
                    "ELSE (%s + %s::int4) %% 2 = 0 END",
                    digest, part_sql(keyspace, 0), digest, part_sql(keyspace, 1),
                    rank_sql(keyspace, column_sqls, 0, "0", number), part_sql(keyspace, 2));
}

} // namespace shardwise
