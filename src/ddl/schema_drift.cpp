#include "pg/pg.hpp"

#include "ddl/schema_drift.hpp"
#include "catalog/catalog.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/check_shard.hpp"
#include "ddl/ddl.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"
#include "remote/connection.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "utils/fmgroids.h"
}

namespace shardwise
{

// Every object with its definition, on the router and on a shard alike, found by names: %1$s
// tables, %2$s functions, %3$s types, %4$s schemas, each a literal of text[]. What the router keeps
// to itself is left out: defaults that read a sequence, identity, FORCE ROW LEVEL SECURITY.
static const char *const objects_query = R"(
WITH named AS (
    SELECT name, c.* FROM unnest(%1$s::text[]) name JOIN pg_class c ON c.oid = to_regclass(name)
), type AS (
    SELECT name, t.* FROM unnest(%3$s::text[]) name JOIN pg_type t ON t.oid = to_regtype(name)
), object(object, definition) AS (
    SELECT 'table ' || name, concat_ws(' ', CASE relkind WHEN 'p' THEN 'partitioned by '
            || pg_get_partkeydef(oid) ELSE 'plain' END,
        (SELECT 'partition of ' || inhparent::regclass::text FROM pg_inherits WHERE inhrelid = oid),
        pg_get_expr(relpartbound, oid), 'replica identity ' || relreplident::text,
        CASE relpersistence WHEN 'u' THEN 'unlogged' END,
        CASE WHEN relrowsecurity THEN 'row level security' END,
        (SELECT 'with ' || string_agg(o, ', ' ORDER BY o) FROM unnest(reloptions) o))
    FROM named
    UNION ALL
    SELECT format('column %%s.%%I', name, attname), concat_ws(' ', format_type(atttypid, atttypmod),
        CASE WHEN attcollation <> t.typcollation THEN 'collate ' || attcollation::regcollation::text END,
        CASE WHEN attnotnull THEN 'not null' END,
        CASE WHEN attgenerated = 's' THEN 'generated' END,
        CASE WHEN NOT EXISTS (SELECT FROM pg_depend p JOIN pg_class s ON s.oid = p.refobjid
                AND s.relkind = 'S' WHERE p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
                AND p.refclassid = 'pg_class'::regclass)
            THEN 'default ' || pg_get_expr(adbin, adrelid) END)
    FROM named JOIN pg_attribute a ON attrelid = named.oid AND attnum > 0 AND NOT attisdropped
    JOIN pg_type t ON t.oid = atttypid
    LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
    UNION ALL
    SELECT format('constraint %%I on %%s', conname, name), pg_get_constraintdef(c.oid)
    FROM named JOIN pg_constraint c ON conrelid = named.oid AND contype <> 't' AND conparentid = 0
    UNION ALL
    SELECT format('index %%I.%%I', n.nspname, x.relname),
        pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' (invalid)' END
    FROM named JOIN pg_index i ON indrelid = named.oid JOIN pg_class x ON x.oid = indexrelid
    JOIN pg_namespace n ON n.oid = x.relnamespace
    UNION ALL
    SELECT format('trigger %%I on %%s', tgname, name), pg_get_triggerdef(t.oid)
        || CASE tgenabled WHEN 'O' THEN '' ELSE ' (' || tgenabled::text || ')' END
    FROM named JOIN pg_trigger t ON tgrelid = named.oid AND NOT tgisinternal AND tgparentid = 0
    JOIN pg_proc f ON f.oid = tgfoid JOIN pg_namespace n ON n.oid = f.pronamespace
    WHERE n.nspname !~ '^shardwise_[0-9a-f]{8}_[0-9]+$'
    UNION ALL
    SELECT format('policy %%I on %%s', polname, name), concat_ws(' ', polcmd::text,
        CASE WHEN polpermissive THEN 'permissive' ELSE 'restrictive' END,
        'using ' || pg_get_expr(polqual, polrelid), 'check ' || pg_get_expr(polwithcheck, polrelid))
    FROM named JOIN pg_policy ON polrelid = named.oid
    UNION ALL
    SELECT format('statistics %%I.%%I', n.nspname, stxname), pg_get_statisticsobjdef(s.oid)
    FROM named JOIN pg_statistic_ext s ON stxrelid = named.oid JOIN pg_namespace n ON n.oid = stxnamespace
    UNION ALL
    SELECT 'function ' || name, pg_get_functiondef(p.oid)
    FROM unnest(%2$s::text[]) name JOIN pg_proc p ON p.oid = to_regprocedure(name) AND prokind <> 'a'
    UNION ALL
    SELECT 'type ' || name, concat_ws(' ', typtype::text,
        (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum
            WHERE enumtypid = type.oid),
        (SELECT string_agg(format('%%I %%s', attname, format_type(atttypid, atttypmod)), ', '
            ORDER BY attnum) FROM pg_attribute WHERE attrelid = typrelid AND attnum > 0
            AND NOT attisdropped),
        CASE WHEN typtype = 'd' THEN format_type(typbasetype, typtypmod) END,
        CASE WHEN typnotnull THEN 'not null' END, 'default ' || pg_get_expr(typdefaultbin, 0),
        (SELECT string_agg(format('%%I %%s', conname, pg_get_constraintdef(oid)), ', ' ORDER BY conname)
            FROM pg_constraint WHERE contypid = type.oid),
        (SELECT format_type(rngsubtype, NULL) FROM pg_range WHERE rngtypid = type.oid))
    FROM type
    UNION ALL
    SELECT 'schema ' || name, name FROM unnest(%4$s::text[]) name WHERE to_regnamespace(name) IS NOT NULL
    UNION ALL
    SELECT 'move', nspname FROM pg_namespace WHERE nspname ~ '^shardwise_[0-9a-f]{8}_[0-9]+$'
    UNION ALL
    SELECT 'extension ' || extname, extname FROM pg_extension WHERE extname = ANY (%5$s::text[])
)
SELECT coalesce(array_agg(object ORDER BY object COLLATE "C"), '{}')::text,
    coalesce(array_agg(coalesce(definition, '') ORDER BY object COLLATE "C"), '{}')::text
FROM object)";

static const char *const shipped_query = R"(
SELECT coalesce((SELECT array_agg(format('%s.%s(%s)', quote_ident(nspname), quote_ident(proname),
        (SELECT coalesce(string_agg(format_type(a, NULL), ',' ORDER BY n), '')
         FROM unnest(proargtypes::oid[]) WITH ORDINALITY u(a, n))))
    FROM shardwise.shipped_function f JOIN pg_proc p ON p.oid = f.function
    JOIN pg_namespace n ON n.oid = pronamespace), '{}')::text,
    coalesce((SELECT array_agg(format_type(type, NULL)) FROM shardwise.shipped_type), '{}')::text,
    coalesce((SELECT array_agg(quote_ident(nspname)) FROM shardwise.shipped_schema s
        JOIN pg_namespace n ON n.oid = s.schema), '{}')::text,
    coalesce((SELECT array_agg(extension) FROM shardwise.shipped_extension), '{}')::text)";

static char *build_query()
{
    List *tables = NIL;
    ListCell *cell;
    foreach (cell, list_distributions()) {
        ListCell *member;
        foreach (member, table_tree(lfirst_oid(cell), AccessShareLock))
            tables = lappend(tables, qualified_table_name(lfirst_oid(member)));
    }
    SqlRows shipped = query_router(shipped_query);
    char **names = shipped.values[0];
    return psprintf(objects_query, text_array_literal(tables), quote_literal_cstr(names[0]),
                    quote_literal_cstr(names[1]), quote_literal_cstr(names[2]),
                    quote_literal_cstr(names[3]));
}

struct SchemaObjects {
    int count;
    char **names; // sorted by bytes
    char **definitions;
};

static char **read_texts(const char *literal, int *count)
{
    Datum array = OidInputFunctionCall(F_ARRAY_IN, const_cast<char *>(literal), TEXTOID, -1);
    Datum *elements;
    bool *nulls;
    deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements,
                      &nulls, count);
    char **texts = static_cast<char **>(palloc((*count + 1) * sizeof(char *)));
    for (int i = 0; i < *count; i++)
        texts[i] = TextDatumGetCString(elements[i]);
    return texts;
}

static SchemaObjects read_objects(const char *names, const char *definitions)
{
    SchemaObjects objects = {};
    objects.names = read_texts(names, &objects.count);
    objects.definitions = read_texts(definitions, &objects.count);
    return objects;
}

static List *add_difference(List *differences, const char *kind, char *object, char *router,
                            char *shard)
{
    SchemaDifference *difference =
        static_cast<SchemaDifference *>(palloc(sizeof(SchemaDifference)));
    *difference = {object, kind, router, shard};
    return lappend(differences, difference);
}

// A policy is on the shards only where they know one of its roles.
static bool may_be_missing(const char *object)
{
    return strncmp(object, "policy ", 7) == 0;
}

static bool is_move(const char *object)
{
    return strcmp(object, "move") == 0;
}

// True if a difference is the work of a move that runs: its source logs rows whole, and its target
// may lack indexes until all rows are there. It puts them back by itself.
static bool is_of_move(const char *object, const char *router, const char *shard)
{
    static const char identity[] = "replica identity ";
    if (shard == nullptr)
        return strncmp(object, "index ", 6) == 0;
    const char *own = strstr(router, identity);
    char *theirs = pstrdup(shard);
    char *found = strstr(theirs, identity);
    if (strncmp(object, "table ", 6) != 0 || own == nullptr || found == nullptr)
        return false;
    found[strlen(identity)] = own[strlen(identity)];
    return strcmp(router, theirs) == 0;
}

static List *compare(const SchemaObjects &router, const SchemaObjects &shard)
{
    List *differences = NIL;
    int i = 0, j = 0;
    bool moving = std::any_of(shard.names, shard.names + shard.count, is_move);
    while (i < router.count || j < shard.count) {
        int order = i == router.count  ? 1
                    : j == shard.count ? -1
                                       : strcmp(router.names[i], shard.names[j]);
        if (order < 0) {
            if (!may_be_missing(router.names[i]) &&
                !(moving && is_of_move(router.names[i], router.definitions[i], nullptr)))
                differences = add_difference(differences, "missing", router.names[i],
                                             router.definitions[i], nullptr);
            i++;
        } else if (order > 0) {
            if (!is_move(shard.names[j]))
                differences = add_difference(differences, "extra", shard.names[j], nullptr,
                                             shard.definitions[j]);
            j++;
        } else {
            if (strcmp(router.definitions[i], shard.definitions[j]) != 0 &&
                !(moving &&
                  is_of_move(router.names[i], router.definitions[i], shard.definitions[j])))
                differences = add_difference(differences, "different", router.names[i],
                                             router.definitions[i], shard.definitions[j]);
            i++;
            j++;
        }
    }
    return differences;
}

static bool holds_tables(const SchemaObjects &shard)
{
    for (int i = 0; i < shard.count; i++)
        if (strncmp(shard.names[i], "table ", 6) == 0)
            return true;
    return false;
}

List *find_schema_drift(SchemaReader read, void *argument, bool *has_tables)
{
    char *sql = build_query();
    SqlRows own = query_router(sql);
    char *names, *definitions;
    read(argument, sql, &names, &definitions);
    SchemaObjects shard = read_objects(names, definitions);
    *has_tables = holds_tables(shard);
    return compare(read_objects(own.values[0][0], own.values[0][1]), shard);
}

// In the transaction's own session, so that what it has changed itself is no difference.
static void read_from_shard(void *argument, const char *sql, char **objects, char **definitions)
{
    int settings = use_canonical_settings();
    Connection *shard = join_shard(*static_cast<int32 *>(argument), Access::Read, false);
    PGresult *result = run_command(shard, sql);
    *objects = pstrdup(PQgetvalue(result, 0, 0));
    *definitions = pstrdup(PQgetvalue(result, 0, 1));
    restore_settings(settings);
}

static const char *advice(const SchemaDifference *difference)
{
    if (strcmp(difference->kind, "extra") == 0)
        return "Drop it on the shard with run_on_shards(), or drop it there and create it on the "
               "router.";
    if (strcmp(difference->kind, "missing") == 0)
        return "Create it on the shard with run_on_shards(), or drop it on the router with IF "
               "EXISTS "
               "and create it again.";
    return "Change it on the shard to the router's definition with run_on_shards().";
}

static void put_difference(ReturnSetInfo *out, const char *shard,
                           const SchemaDifference *difference)
{
    auto text = [](const char *value) {
        return value != nullptr ? CStringGetTextDatum(value) : static_cast<Datum>(0);
    };
    Datum values[] = {text(shard),
                      text(difference->object),
                      text(difference->kind),
                      text(difference->router),
                      text(difference->shard),
                      text(advice(difference))};
    bool nulls[] = {
        false, false, false, difference->router == nullptr, difference->shard == nullptr, false};
    tuplestore_putvalues(out->setResult, out->setDesc, values, nulls);
}

} // namespace shardwise

using namespace shardwise;

// check_schema(shard) -> setof (shard, object, difference, router_definition, shard_definition,
// advice).
SHARDWISE_FUNCTION(shardwise_check_schema)
{
    require_shard_administrator();
    List *ids =
        PG_ARGISNULL(0)
            ? all_shard_ids()
            : list_make1_int(find_existing_shard(text_to_cstring(PG_GETARG_TEXT_PP(0)))->id);
    InitMaterializedSRF(fcinfo, 0);
    ReturnSetInfo *out = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    ListCell *cell;
    foreach (cell, ids) {
        int32 id = lfirst_int(cell);
        char *name = pstrdup(NameStr(find_shard(id)->name));
        bool has_tables;
        ListCell *difference;
        foreach (difference, find_schema_drift(read_from_shard, &id, &has_tables))
            put_difference(out, name, static_cast<SchemaDifference *>(lfirst(difference)));
    }
    PG_RETURN_NULL();
}
