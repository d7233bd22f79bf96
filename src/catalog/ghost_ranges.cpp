// The condition that hides the rows which a shard holds without owning them.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/key_types.hpp"
#include "catalog/shard_map.hpp"

extern "C" {
#include "utils/regproc.h"
}

namespace shardwise
{

namespace
{

// The key columns of a table in SQL.
struct KeySql {
    const Keyspace *keyspace;
    const char *columns[max_key_columns];
};

KeySql name_columns(const Table *table, const Keyspace *keyspace)
{
    KeySql key = {keyspace, {}};
    quote_key_columns(table, key.columns);
    return key;
}

char *operator_sql(Oid op)
{
    List *names, *arguments;
    format_operator_parts(op, &names, &arguments, false);
    return psprintf("OPERATOR(%s.%s)", quote_identifier((char *)linitial(names)),
                    (char *)lsecond(names));
}

char *literal_sql(Oid type, Datum value)
{
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(type, &output, &is_varlena);
    return psprintf("%s::%s", quote_literal_cstr(OidOutputFunctionCall(output, value)),
                    format_type_extended(type, -1, FORMAT_TYPE_FORCE_QUALIFY));
}

// One column compared with one value.
char *compare_sql(const KeySql *key, int column, Datum value, bool less)
{
    Oid type = getBaseType(key->keyspace->key_types[column]);
    TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_LT_OPR | TYPECACHE_EQ_OPR);
    return psprintf("%s %s %s", key->columns[column],
                    operator_sql(less ? entry->lt_opr : entry->eq_opr), literal_sql(type, value));
}

char *equals_sql(const KeySql *key, const Datum *values)
{
    StringInfoData sql;
    initStringInfo(&sql);
    for (int i = 0; i < key->keyspace->nkeys; i++)
        appendStringInfo(&sql, "%s%s", i > 0 ? " AND " : "", compare_sql(key, i, values[i], false));
    return psprintf("(%s)", sql.data);
}

// Column by column, as an index orders keys.
char *less_sql(const KeySql *key, const Datum *values)
{
    int last = key->keyspace->nkeys - 1;
    char *sql = compare_sql(key, last, values[last], true);
    for (int i = last - 1; i >= 0; i--)
        sql = psprintf("%s OR (%s AND (%s))", compare_sql(key, i, values[i], true),
                       compare_sql(key, i, values[i], false), sql);
    return psprintf("(%s)", sql);
}

void append_term(StringInfo sql, const char *conjunction, const char *term)
{
    appendStringInfo(sql, "%s%s", sql->len > 0 ? conjunction : "", term);
}

// ---- hash strategies ---------------------------------------------------------------------------

struct HashRange {
    int64 lower;
    int64 upper; // inclusive
};

// The shard's ranges in order, those that touch made one.
int merged_hash_ranges(const GhostRanges *ghosts, int32 shard, HashRange *merged)
{
    int n = 0;
    for (int i = 0; i < ghosts->count; i++)
        if (ghosts->ranges[i].shard == shard && ghosts->ranges[i].key == nullptr)
            merged[n++] = {ghosts->ranges[i].lower_hash, ghosts->ranges[i].upper_hash};
    std::sort(merged, merged + n,
              [](const HashRange &a, const HashRange &b) { return a.lower < b.lower; });
    int last = 0;
    for (int i = 1; i < n; i++) {
        if (merged[last].upper == PG_INT64_MAX || merged[i].lower <= merged[last].upper + 1)
            merged[last].upper = std::max(merged[last].upper, merged[i].upper);
        else
            merged[++last] = merged[i];
    }
    return n > 0 ? last + 1 : 0;
}

// A binary search over the bounds: an odd bucket is inside a range.
char *outside_hash_ranges(const KeySql *key, const HashRange *ranges, int n)
{
    StringInfoData bounds;
    initStringInfo(&bounds);
    for (int i = 0; i < n; i++) {
        appendStringInfo(&bounds, "%s" INT64_FORMAT, i > 0 ? "," : "", ranges[i].lower);
        if (ranges[i].upper < PG_INT64_MAX)
            appendStringInfo(&bounds, "," INT64_FORMAT, ranges[i].upper + 1);
    }
    return psprintf(
        "pg_catalog.width_bucket(%s, '{%s}'::pg_catalog.int8[]) OPERATOR(pg_catalog.%%) "
        "2 OPERATOR(pg_catalog.=) 0",
        hash_expression_sql(key->keyspace, key->columns), bounds.data);
}

// ---- strategy range ----------------------------------------------------------------------------

char *outside_key_range(const KeySql *key, const GhostRange *range)
{
    char *above = range->upper != nullptr ? psprintf("NOT %s", less_sql(key, range->upper))
                                          : pstrdup("false");
    return range->lower != nullptr ? psprintf("(%s OR %s)", less_sql(key, range->lower), above)
                                   : above;
}

char *outside_key_ranges(const KeySql *key, const GhostRanges *ghosts, int32 shard)
{
    StringInfoData sql;
    initStringInfo(&sql);
    for (int i = 0; i < ghosts->count; i++)
        if (ghosts->ranges[i].shard == shard && ghosts->ranges[i].key == nullptr)
            append_term(&sql, " AND ", outside_key_range(key, &ghosts->ranges[i]));
    return sql.len > 0 ? sql.data : nullptr;
}

// ---- strategy list -----------------------------------------------------------------------------

void append_literals(StringInfo list, const KeyIndex *index, Oid type)
{
    for (int i = 0; i < index->count; i++)
        append_term(list, ", ", literal_sql(type, index->keys[i]));
}

void append_equals(StringInfo sql, const KeySql *key, const KeyIndex *index)
{
    for (int i = 0; i < index->count; i++)
        append_term(sql, " OR ", equals_sql(key, &index->keys[(size_t)i * key->keyspace->nkeys]));
}

// Keys that an entry or a pin names. An array of one column's values is hashed by the shard.
char *named_keys(const KeySql *key)
{
    const ShardMap *map = key->keyspace->map;
    StringInfoData sql;
    initStringInfo(&sql);
    if (key->keyspace->nkeys > 1) {
        append_equals(&sql, key, &map->listed);
        append_equals(&sql, key, &map->pinned);
        return sql.len > 0 ? sql.data : pstrdup("false");
    }
    Oid type = getBaseType(key->keyspace->key_types[0]);
    append_literals(&sql, &map->listed, type);
    append_literals(&sql, &map->pinned, type);
    return sql.len == 0 ? pstrdup("false")
                        : psprintf("%s %s ANY (ARRAY[%s])", key->columns[0],
                                   operator_sql(lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr),
                                   sql.data);
}

char *outside_default(const KeySql *key, const GhostRanges *ghosts, int32 shard)
{
    for (int i = 0; i < ghosts->count; i++)
        if (ghosts->ranges[i].shard == shard && ghosts->ranges[i].is_default)
            return named_keys(key);
    return nullptr;
}

// ---- all ----------------------------------------------------------------------------------------

char *outside_ranges(const KeySql *key, const GhostRanges *ghosts, int32 shard)
{
    if (key->keyspace->strategy == Strategy::Range)
        return outside_key_ranges(key, ghosts, shard);
    if (key->keyspace->strategy == Strategy::List)
        return outside_default(key, ghosts, shard);
    HashRange *merged = (HashRange *)palloc(sizeof(HashRange) * ghosts->count);
    int n = merged_hash_ranges(ghosts, shard, merged);
    return n > 0 ? outside_hash_ranges(key, merged, n) : nullptr;
}

// Pinned keys that the shard owns stay visible, though a range around them is a ghost.
char *owned_pins(const KeySql *key, int32 shard)
{
    const KeyIndex *pins = &key->keyspace->map->pinned;
    StringInfoData sql;
    initStringInfo(&sql);
    for (int i = 0; i < pins->count; i++)
        if (pins->owners[i] == shard)
            append_term(&sql, " OR ", equals_sql(key, &pins->keys[i * key->keyspace->nkeys]));
    return sql.len > 0 ? sql.data : nullptr;
}

char *ghost_keys(const KeySql *key, const GhostRanges *ghosts, int32 shard)
{
    StringInfoData sql;
    initStringInfo(&sql);
    for (int i = 0; i < ghosts->count; i++)
        if (ghosts->ranges[i].shard == shard && ghosts->ranges[i].key != nullptr)
            append_term(&sql, " OR ", equals_sql(key, ghosts->ranges[i].key));
    return sql.len > 0 ? sql.data : nullptr;
}

} // namespace

bool has_ghosts(const Keyspace *keyspace, int32 shard_id)
{
    const GhostRanges *ghosts = &keyspace->map->ghosts;
    for (int i = 0; i < ghosts->count; i++)
        if (ghosts->ranges[i].shard == shard_id)
            return true;
    return false;
}

char *ghost_filter_sql(const Table *table, const Keyspace *keyspace, int32 shard_id)
{
    if (table->is_reference || !has_ghosts(keyspace, shard_id))
        return nullptr;
    KeySql key = name_columns(table, keyspace);
    const GhostRanges *ghosts = &keyspace->map->ghosts;
    int nest_level = use_text_settings();
    char *ranges = outside_ranges(&key, ghosts, shard_id);
    char *pins = ranges != nullptr ? owned_pins(&key, shard_id) : nullptr;
    char *keys = ghost_keys(&key, ghosts, shard_id);
    AtEOXact_GUC(true, nest_level);

    StringInfoData sql;
    initStringInfo(&sql);
    if (ranges != nullptr)
        append_term(&sql, "",
                    pins != nullptr ? psprintf("(%s OR %s)", ranges, pins)
                                    : psprintf("(%s)", ranges));
    if (keys != nullptr)
        append_term(&sql, " AND ", psprintf("NOT (%s)", keys));
    return sql.data;
}

} // namespace shardwise
