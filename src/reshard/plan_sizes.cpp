#include "pg/pg.hpp"

#include "reshard/plan_sizes.hpp"
#include "catalog/catalog_columns.hpp"
#include "catalog/key_types.hpp"
#include "pg/names.hpp"
#include "remote/session.hpp"

extern "C" {
#include "foreign/foreign.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

// Blocks that a sample reads of one shard.
static constexpr int sampled_blocks = 200;

// Values print as the catalog's keys do, whatever the shard's own settings are.
static constexpr const char *session_settings =
    "SET search_path = pg_catalog; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; "
    "SET IntervalStyle = 'postgres'; SET extra_float_digits = 3; SET bytea_output = 'hex'; "
    "SET lc_monetary = 'C'; SET default_transaction_read_only = on; ";

static int compare_names(const ListCell *a, const ListCell *b)
{
    return strcmp(qualified_table_name(lfirst_oid(a)), qualified_table_name(lfirst_oid(b)));
}

List *list_keyspace_tables(int32 keyspace_id)
{
    List *relids = NIL;
    Relation rel = table_open(catalog_table_oid("distribution"), AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, column::distribution_keyspace, BTEqualStrategyNumber, F_INT4EQ,
                Int32GetDatum(keyspace_id));
    SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, nullptr, 1, &key);
    while (HeapTuple row = systable_getnext(scan)) {
        bool isnull;
        Oid relid = DatumGetObjectId(
            heap_getattr(row, column::distribution_relation, RelationGetDescr(rel), &isnull));
        if (get_rel_name(relid) != nullptr)
            relids = lappend_oid(relids, relid);
    }
    systable_endscan(scan);
    table_close(rel, AccessShareLock);
    list_sort(relids, compare_names);
    return relids;
}

// One shard that is being asked.
struct Inquiry {
    ShardSize *size;
    const char *name;
    Session *session;
    Oid largest; // table
    double largest_blocks;
};

[[noreturn]] static void raise_failure(const Inquiry *inquiry, const char *sqlstate,
                                       const char *error)
{
    const char *code = sqlstate ? sqlstate : "08001";
    ereport(ERROR, (errcode(MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4])),
                    errmsg("could not measure shard \"%s\"", inquiry->name),
                    errdetail_internal("%s", error)));
}

static void ask(Inquiry *inquiry, const char *sql)
{
    if (!start_command(inquiry->session, psprintf("%s%s", session_settings, sql)))
        raise_failure(inquiry, nullptr, pchomp(PQerrorMessage(inquiry->session->conn)));
}

static char **hear(Inquiry *inquiry)
{
    SessionResult result = wait_for_command(inquiry->session);
    if (!result.ok)
        raise_failure(inquiry, result.sqlstate, result.error);
    return result.values;
}

static Inquiry *open_inquiries(KeyspaceSizes *sizes)
{
    auto *inquiries = static_cast<Inquiry *>(palloc0((sizes->nshards + 1) * sizeof(Inquiry)));
    for (int i = 0; i < sizes->nshards; i++) {
        const Shard *shard = find_shard(sizes->shards[i].shard);
        Inquiry *inquiry = &inquiries[i];
        inquiry->size = &sizes->shards[i];
        inquiry->name = pstrdup(NameStr(shard->name));
        if (!OidIsValid(shard->server))
            raise_failure(inquiry, nullptr, "Its foreign server is missing.");
        char *error = nullptr;
        inquiry->session =
            open_session(stored_options(shard->server, GetUserId()), CurrentMemoryContext, &error);
        if (inquiry->session == nullptr)
            raise_failure(inquiry, nullptr, error);
    }
    return inquiries;
}

// Three columns a table: rows, bytes, blocks. Rows are what the planner assumes: the density of
// tuples at the last ANALYZE times the table's blocks now; without one, some 60 rows a block.
static char *size_query(const List *tables)
{
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfoString(&sql, "SELECT ");
    ListCell *cell;
    foreach (cell, tables) {
        appendStringInfo(&sql, "%sr%d, b%d, p%d", foreach_current_index(cell) > 0 ? ", " : "",
                         foreach_current_index(cell), foreach_current_index(cell),
                         foreach_current_index(cell));
    }
    appendStringInfoString(&sql, " FROM ");
    foreach (cell, tables) {
        int i = foreach_current_index(cell);
        const char *name = quote_literal_cstr(qualified_table_name(lfirst_oid(cell)));
        appendStringInfo(
            &sql,
            "%s(SELECT coalesce(sum(CASE WHEN c.reltuples >= 0 AND c.relpages > 0 "
            "THEN c.reltuples / c.relpages ELSE 60 END * b.blocks), 0) AS r%d, "
            "coalesce(sum(pg_total_relation_size(c.oid)), 0) AS b%d, "
            "coalesce(sum(b.blocks), 0) AS p%d "
            "FROM (SELECT to_regclass(%s) AS oid UNION "
            "SELECT relid FROM pg_partition_tree(to_regclass(%s))) t JOIN pg_class c USING (oid), "
            "LATERAL (SELECT pg_relation_size(c.oid) / current_setting('block_size')::int "
            "AS blocks) b WHERE c.relkind = 'r') AS t%d",
            i > 0 ? ", " : "", i, i, i, name, name, i);
    }
    return sql.data;
}

static void read_sizes(Inquiry *inquiry, const List *tables)
{
    char **values = hear(inquiry);
    ListCell *cell;
    foreach (cell, tables) {
        char **columns = values + 3 * foreach_current_index(cell);
        inquiry->size->rows += strtod(columns[0], nullptr);
        inquiry->size->bytes += strtod(columns[1], nullptr);
        double blocks = strtod(columns[2], nullptr);
        if (blocks > inquiry->largest_blocks) {
            inquiry->largest_blocks = blocks;
            inquiry->largest = lfirst_oid(cell);
        }
    }
}

// A fixed seed: the same rows give the same plan.
static char *sample_query(const Inquiry *inquiry)
{
    const Table *table = find_table(inquiry->largest);
    const char *names[max_key_columns];
    quote_key_columns(table, names);
    StringInfoData columns;
    initStringInfo(&columns);
    for (int i = 0; i < table->nkeys; i++)
        appendStringInfo(&columns, "%s%s::text", i > 0 ? ", " : "", names[i]);
    double percent = Min(100.0, 100.0 * sampled_blocks / inquiry->largest_blocks);
    return psprintf("SELECT array_agg(key) FROM (SELECT ARRAY[%s] AS key FROM %s TABLESAMPLE "
                    "SYSTEM (%.6f) REPEATABLE (1)) s",
                    columns.data, qualified_table_name(inquiry->largest), percent);
}

static void read_sample(Inquiry *inquiry, const Keyspace *keyspace)
{
    char *text = hear(inquiry)[0];
    if (text == nullptr)
        return;
    ArrayType *array = DatumGetArrayTypeP(OidFunctionCall3(
        F_ARRAY_IN, CStringGetDatum(text), ObjectIdGetDatum(TEXTOID), Int32GetDatum(-1)));
    Datum *texts;
    bool *nulls;
    int count;
    deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls, &count);
    ShardSize *size = inquiry->size;
    size->sample = static_cast<Datum **>(palloc((count + 1) * sizeof(Datum *)));
    for (int i = 0; i + keyspace->nkeys <= count; i += keyspace->nkeys) {
        auto *values = static_cast<Datum *>(palloc(keyspace->nkeys * sizeof(Datum)));
        bool has_null = false;
        for (int j = 0; j < keyspace->nkeys; j++)
            has_null |= nulls[i + j];
        if (has_null)
            continue;
        parse_key(keyspace,
                  construct_array(&texts[i], keyspace->nkeys, TEXTOID, -1, false, TYPALIGN_INT),
                  values);
        size->sample[size->nsample++] = values;
    }
}

static void draw_samples(Inquiry *inquiries, const KeyspaceSizes *sizes)
{
    for (int i = 0; i < sizes->nshards; i++)
        if (OidIsValid(inquiries[i].largest))
            ask(&inquiries[i], sample_query(&inquiries[i]));
    int nest_level = use_text_settings();
    for (int i = 0; i < sizes->nshards; i++)
        if (OidIsValid(inquiries[i].largest))
            read_sample(&inquiries[i], sizes->keyspace);
    AtEOXact_GUC(true, nest_level);
}

// The condition that a row of a table has a key. Literals take the columns' types.
static char *key_condition(const Table *table, ArrayType *key)
{
    Datum *texts;
    int count;
    deconstruct_array(key, TEXTOID, -1, false, TYPALIGN_INT, &texts, nullptr, &count);
    const char *columns[max_key_columns];
    quote_key_columns(table, columns);
    StringInfoData sql;
    initStringInfo(&sql);
    for (int i = 0; i < count; i++)
        appendStringInfo(&sql, "%s%s = %s", i > 0 ? " AND " : "", columns[i],
                         quote_literal_cstr(TextDatumGetCString(texts[i])));
    return sql.data;
}

double estimate_rows_of_key(const KeyspaceSizes *sizes, int32 shard, const Datum *key)
{
    KeyspaceSizes one = {sizes->keyspace, sizes->tables, 1,
                         static_cast<ShardSize *>(palloc0(sizeof(ShardSize)))};
    one.shards[0].shard = shard;
    ArrayType *text = key_to_text_array(sizes->keyspace, key);
    Inquiry *inquiry = open_inquiries(&one);
    double rows = 0;
    ListCell *cell;
    foreach (cell, sizes->tables) {
        Oid relid = lfirst_oid(cell);
        ask(inquiry, psprintf("EXPLAIN SELECT FROM %s WHERE %s", qualified_table_name(relid),
                              key_condition(find_table(relid), text)));
        char **values = hear(inquiry);
        const char *estimate = values ? strstr(values[0], " rows=") : nullptr;
        rows += estimate ? strtod(estimate + strlen(" rows="), nullptr) : 0;
    }
    close_session(inquiry->session);
    return rows;
}

KeyspaceSizes *measure_keyspace(const Keyspace *keyspace, const List *shards, bool with_sample)
{
    auto *sizes = static_cast<KeyspaceSizes *>(palloc0(sizeof(KeyspaceSizes)));
    sizes->keyspace = keyspace;
    sizes->tables = list_keyspace_tables(keyspace->id);
    sizes->shards =
        static_cast<ShardSize *>(palloc0((list_length(shards) + 1) * sizeof(ShardSize)));
    ListCell *cell;
    foreach (cell, shards)
        sizes->shards[sizes->nshards++].shard = lfirst_int(cell);
    if (sizes->tables == NIL)
        return sizes;

    Inquiry *inquiries = open_inquiries(sizes);
    const char *query = size_query(sizes->tables);
    for (int i = 0; i < sizes->nshards; i++)
        ask(&inquiries[i], query);
    for (int i = 0; i < sizes->nshards; i++)
        read_sizes(&inquiries[i], sizes->tables);
    if (with_sample)
        draw_samples(inquiries, sizes);
    for (int i = 0; i < sizes->nshards; i++)
        close_session(inquiries[i].session);
    return sizes;
}

const ShardSize *find_shard_size(const KeyspaceSizes *sizes, int32 shard)
{
    static const ShardSize nothing = {};
    for (int i = 0; i < sizes->nshards; i++)
        if (sizes->shards[i].shard == shard)
            return &sizes->shards[i];
    return &nothing;
}

} // namespace shardwise
