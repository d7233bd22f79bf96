// The setting is a text[]: hashes of single keys (pins, entries of a list) that the shard owns, of
// those that others own, 1 or 0 for whether the lowest key is the shard's, and for each column an
// array of the bounds at which that changes. Of hash strategies the bounds are of the key's hash.
#include "pg/pg.hpp"

#include "catalog/cache.hpp"
#include "catalog/catalog_tables.hpp"
#include "catalog/key_check.hpp"
#include "catalog/shard_map.hpp"

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

void append_digests(const Keyspace *keyspace, const KeyIndex *index, int32 shard_id, bool own,
                    List **digests)
{
    for (int i = 0; i < index->count; i++)
        if ((index->owners[i] == shard_id) == own)
            *digests =
                lappend(*digests,
                        psprintf(INT64_FORMAT,
                                 digest_key(keyspace, &index->keys[(size_t)i * keyspace->nkeys])));
}

Datum single_keys(const Keyspace *keyspace, int32 shard_id, bool own)
{
    List *digests = NIL;
    append_digests(keyspace, &keyspace->map->listed, shard_id, own, &digests);
    append_digests(keyspace, &keyspace->map->pinned, shard_id, own, &digests);
    StringInfoData text;
    initStringInfo(&text);
    ListCell *cell;
    foreach (cell, digests)
        appendStringInfo(&text, "%s%s", text.len > 0 ? "," : "", (char *)lfirst(cell));
    return CStringGetTextDatum(psprintf("{%s}", text.data));
}

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
    Oid type = is_hashed(keyspace) ? INT8OID : getBaseType(keyspace->key_types[column]);
    Datum *bounds = (Datum *)palloc(sizeof(Datum) * (list_length(changes) + 1));
    ListCell *cell;
    foreach (cell, changes) {
        size_t i = lfirst_int(cell);
        bounds[foreach_current_index(cell)] = is_hashed(keyspace)
                                                  ? Int64GetDatum(map->lowers[i])
                                                  : map->bounds[i * keyspace->nkeys + column];
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
    return is_hashed(keyspace) ? 1 : Min(keyspace->nkeys, max_compared_columns);
}

} // namespace

char *owned_keys_setting(int32 keyspace_id)
{
    return psprintf("shardwise_shard.owned_keys_%d", keyspace_id);
}

char *owned_keys_value(const Keyspace *keyspace, int32 shard_id)
{
    Datum parts[3 + max_compared_columns];
    int n = 0;
    int nest_level = use_text_settings();
    parts[n++] = single_keys(keyspace, shard_id, true);
    parts[n++] = single_keys(keyspace, shard_id, false);
    parts[n++] = CStringGetTextDatum(owns_lowest(keyspace, shard_id) ? "1" : "0");
    const List *changes = find_changes(keyspace->map, shard_id);
    if (keyspace->strategy != Strategy::List)
        for (int i = 0; i < compared_columns(keyspace); i++)
            parts[n++] = bounds_of_column(keyspace, changes, i);
    AtEOXact_GUC(true, nest_level);
    ArrayType *array = construct_array(parts, n, TEXTOID, -1, false, TYPALIGN_INT);
    return OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(array));
}

// ---- the condition -----------------------------------------------------------------------------

namespace
{

char *part_sql(const Keyspace *keyspace, int part)
{
    return psprintf("((nullif(current_setting(%s, true), '')::text[])[%d])",
                    quote_literal_cstr(owned_keys_setting(keyspace->id)), part + 1);
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

char *rank_sql(const Keyspace *keyspace, const char *const *columns, const char *digest)
{
    if (keyspace->strategy == Strategy::List)
        return pstrdup("0");
    char *bounds = part_sql(keyspace, 3);
    if (is_hashed(keyspace))
        return psprintf("width_bucket(%s, %s::int8[])", digest, bounds);
    return rank_sql(keyspace, columns, 0, "0", psprintf("cardinality(%s::text[])", bounds));
}

} // namespace

char *foreign_key_condition(const Keyspace *keyspace, const char *const *column_sqls)
{
    char *digest = digest_sql(keyspace, column_sqls);
    return psprintf("CASE WHEN %s = ANY (%s::int8[]) THEN false "
                    "WHEN %s = ANY (%s::int8[]) THEN true "
                    "ELSE (%s + %s::int4) %% 2 = 0 END",
                    digest, part_sql(keyspace, 0), digest, part_sql(keyspace, 1),
                    rank_sql(keyspace, column_sqls, digest), part_sql(keyspace, 2));
}

} // namespace shardwise
