#include "pg/pg.hpp"

#include "ddl/schema_drift.hpp"
#include "catalog/catalog.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/check_shard.hpp"
#include "ddl/ddl.hpp"
#include "ddl/dependencies.hpp"
#include "ddl/key_check_triggers.hpp"
#include "ddl/object_access.hpp"
#include "ddl/shard_sequences.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"
#include "ddl/trigger_definition.hpp"
#include "remote/connection.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "catalog/pg_cast.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

// Every object with its definition, on the router and on a shard alike, found by names: %1$s
// tables, %2$s functions, %3$s types, %4$s schemas, %8$s extensions, each a literal of text[];
// %5$s: further objects. %6$s and %7$s: roles that both know, and to whom the shard's user may give
// objects. %10$s: whether the shard numbers a column. What the router keeps to itself is left out:
// defaults that read a sequence, identity, FORCE ROW LEVEL SECURITY.
static const char *const objects_query = R"(
WITH named AS (
    SELECT name, c.* FROM unnest(%1$s::text[]) name JOIN pg_class c ON c.oid = to_regclass(name)
), type AS (
    SELECT name, t.* FROM unnest(%3$s::text[]) name JOIN pg_type t ON t.oid = to_regtype(name)
), function AS (
    SELECT name, p.* FROM unnest(%2$s::text[]) name JOIN pg_proc p ON p.oid = to_regprocedure(name)
), schema AS (
    SELECT name, n.* FROM unnest(%4$s::text[]) name JOIN pg_namespace n ON n.oid = to_regnamespace(name)
), object(object, definition, classoid, objoid, objsubid) AS (
    SELECT 'table ' || name, concat_ws(' ', CASE relkind WHEN 'p' THEN 'partitioned by '
            || pg_get_partkeydef(oid) ELSE 'plain' END,
        (SELECT 'partition of ' || inhparent::regclass::text FROM pg_inherits WHERE inhrelid = oid),
        pg_get_expr(relpartbound, oid), 'replica identity ' || relreplident::text,
        CASE relpersistence WHEN 'u' THEN 'unlogged' END,
        CASE WHEN relrowsecurity THEN 'row level security' END,
        (SELECT 'with ' || string_agg(o, ', ' ORDER BY o) FROM unnest(reloptions) o)),
        'pg_class'::regclass, oid, 0
    FROM named
    UNION ALL
    SELECT format('column %%s.%%I', name, attname), concat_ws(' ', format_type(atttypid, atttypmod),
        CASE WHEN attcollation <> t.typcollation THEN 'collate ' || attcollation::regcollation::text END,
        CASE WHEN attnotnull THEN 'not null' END,
        CASE attgenerated WHEN 's' THEN 'generated' WHEN 'v' THEN 'generated when read' END,
        CASE WHEN NOT EXISTS (SELECT FROM pg_depend p JOIN pg_class s ON s.oid = p.refobjid
                AND s.relkind = 'S' WHERE p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
                AND p.refclassid = 'pg_class'::regclass)
            THEN 'default ' || pg_get_expr(adbin, adrelid) END,
        CASE WHEN %10$s THEN 'numbered by the shard' END), 'pg_class'::regclass, attrelid, attnum
    FROM named JOIN pg_attribute a ON attrelid = named.oid AND attnum > 0 AND NOT attisdropped
    JOIN pg_type t ON t.oid = atttypid
    LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
    UNION ALL
    SELECT format('constraint %%I on %%s', conname, name), pg_get_constraintdef(c.oid),
        'pg_constraint'::regclass, c.oid, 0
    FROM named JOIN pg_constraint c ON conrelid = named.oid AND contype NOT IN ('t', 'n') AND conparentid = 0
    UNION ALL
    SELECT format('index %%I.%%I', n.nspname, x.relname),
        pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' (invalid)' END,
        'pg_class'::regclass, indexrelid, 0
    FROM named JOIN pg_index i ON indrelid = named.oid JOIN pg_class x ON x.oid = indexrelid
    JOIN pg_namespace n ON n.oid = x.relnamespace
    UNION ALL
    SELECT format('trigger %%I on %%s', tgname, name), %9$s
        || CASE tgenabled WHEN 'O' THEN '' ELSE ' (' || tgenabled::text || ')' END,
        'pg_trigger'::regclass, t.oid, 0
    FROM named JOIN pg_trigger t ON tgrelid = named.oid AND NOT tgisinternal AND tgparentid = 0
    JOIN pg_proc f ON f.oid = tgfoid JOIN pg_namespace n ON n.oid = f.pronamespace
    WHERE n.nspname !~ '^shardwise_[0-9a-f]{8}_[0-9]+$' AND tgname !~ '%11$s'
    UNION ALL
    SELECT format('policy %%I on %%s', polname, name), concat_ws(' ', polcmd::text,
        CASE WHEN polpermissive THEN 'permissive' ELSE 'restrictive' END,
        'using ' || pg_get_expr(polqual, polrelid), 'check ' || pg_get_expr(polwithcheck, polrelid)),
        'pg_policy'::regclass, p.oid, 0
    FROM named JOIN pg_policy p ON polrelid = named.oid
    UNION ALL
    SELECT format('statistics %%I.%%I', n.nspname, stxname), pg_get_statisticsobjdef(s.oid),
        'pg_statistic_ext'::regclass, s.oid, 0
    FROM named JOIN pg_statistic_ext s ON stxrelid = named.oid JOIN pg_namespace n ON n.oid = stxnamespace
    UNION ALL
    SELECT 'function ' || name, CASE WHEN prokind <> 'a' THEN pg_get_functiondef(oid) ELSE 'aggregate' END,
        'pg_proc'::regclass, oid, 0
    FROM function
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
            FROM pg_constraint WHERE contypid = type.oid AND contype <> 'n'),
        (SELECT format_type(rngsubtype, NULL) FROM pg_range WHERE rngtypid = type.oid),
        CASE WHEN typtype = 'b' THEN concat_ws(' ', typinput, typoutput, typreceive, typsend, typmodin, typmodout,
            typanalyze, typsubscript, typlen, typbyval, typalign, typstorage, typdefault) END),
        'pg_type'::regclass, oid, 0
    FROM type
    UNION ALL
    SELECT 'schema ' || name, name, 'pg_namespace'::regclass, oid, 0 FROM schema
    UNION ALL
    SELECT 'move', nspname, NULL, NULL, NULL FROM pg_namespace WHERE nspname ~ '^shardwise_[0-9a-f]{8}_[0-9]+$'
    UNION ALL
    SELECT 'extension ' || extname, extname, NULL, NULL, NULL FROM pg_extension WHERE extname = ANY (%8$s::text[])
    %5$s
), owned(object, owner, privileges) AS (
    SELECT 'table ' || name, relowner, coalesce(relacl, acldefault('r', relowner)) FROM named
    UNION ALL
    SELECT format('column %%s.%%I', name, attname), relowner, attacl
    FROM named JOIN pg_attribute ON attrelid = named.oid WHERE attacl IS NOT NULL
    UNION ALL
    SELECT 'function ' || name, proowner, coalesce(proacl, acldefault('f', proowner)) FROM function
    UNION ALL
    SELECT 'type ' || name, typowner, coalesce(typacl, acldefault('T', typowner)) FROM type
    UNION ALL
    SELECT 'schema ' || name, nspowner, coalesce(nspacl, acldefault('n', nspowner)) FROM schema
), finding(object, definition) AS (
    SELECT object, definition FROM object
    UNION ALL
    SELECT 'comment on ' || object, description FROM object JOIN pg_description USING (classoid, objoid, objsubid)
    UNION ALL
    SELECT DISTINCT 'owner of ' || object, rolname FROM owned JOIN pg_roles r ON r.oid = owner
    WHERE rolname = ANY (%7$s::text[]) AND object NOT LIKE 'column %%'
    UNION ALL
    SELECT format('privileges of %%s on %%s', coalesce(rolname, 'PUBLIC'), object), string_agg(privilege_type
        || CASE WHEN is_grantable THEN ' with grant option' ELSE '' END, ', ' ORDER BY privilege_type)
    FROM owned CROSS JOIN LATERAL aclexplode(privileges) LEFT JOIN pg_roles r ON r.oid = grantee
    WHERE grantee <> owner AND (grantee = 0 OR rolname = ANY (%6$s::text[]))
    GROUP BY rolname, object
)
SELECT coalesce(array_agg(object ORDER BY object COLLATE "C"), '{}')::text,
    coalesce(array_agg(coalesce(definition, '') ORDER BY object COLLATE "C"), '{}')::text
FROM finding)";

// What a shard knows of the router's roles.
static const char *const roles_query = R"(
SELECT coalesce(array_agg(rolname::text) FILTER (WHERE rolname <> current_user), '{}')::text,
    coalesce(array_agg(rolname::text) FILTER (WHERE pg_has_role(current_user, oid, 'USAGE')), '{}')::text
FROM pg_roles WHERE rolname = ANY (%s::text[]))";

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

static bool is_further_object(const NeededObject *object)
{
    switch (object->class_id) {
    case ProcedureRelationId:
        return get_func_prokind(object->object_id) == PROKIND_AGGREGATE;
    case CollationRelationId:
    case OperatorRelationId:
    case CastRelationId:
    case TSParserRelationId:
    case TSTemplateRelationId:
    case TSDictionaryRelationId:
    case TSConfigRelationId:
        return true;
    default:
        return false;
    }
}

// Objects whose definitions are those by which they are created.
static char *further_objects()
{
    StringInfoData sql;
    initStringInfo(&sql);
    ListCell *cell;
    foreach (cell, find_shipped_objects()) {
        const NeededObject *object = static_cast<NeededObject *>(lfirst(cell));
        if (!is_further_object(object))
            continue;
        char *name = shipped_object_name(object->class_id, object->object_id);
        for (char *c = name; *c == ' ' || isupper((unsigned char)*c); c++)
            *c = pg_tolower(*c); // the kind; other names in capitals are quoted
        appendStringInfo(&sql,
                         " UNION ALL SELECT %s, definition, NULL, NULL, NULL FROM (%s) "
                         "s(found, definition) WHERE found",
                         quote_literal_cstr(name), object->state_sql);
    }
    return sql.data;
}

struct SchemaQueries {
    char *router, *shard;
};

static SchemaQueries build_queries(SchemaReader read, void *argument)
{
    List *tables = NIL, *numbered = NIL;
    ListCell *cell;
    foreach (cell, list_distributions()) {
        ListCell *member;
        foreach (member, table_tree(lfirst_oid(cell), AccessShareLock))
            tables = lappend(tables, qualified_table_name(lfirst_oid(member)));
        foreach (member, shard_numbered_columns(lfirst_oid(cell)))
            numbered =
                lappend(numbered, psprintf("%s.%s", qualified_table_name(lfirst_oid(cell)),
                                           quote_identifier(static_cast<char *>(lfirst(member)))));
    }
    SqlRows roles = query_router("SELECT coalesce(array_agg(rolname::text), '{}')::text "
                                 "FROM pg_roles WHERE rolname !~ '^pg_'");
    char *known, *may_own;
    read(argument, psprintf(roles_query, quote_literal_cstr(roles.values[0][0])), &known, &may_own);
    SqlRows shipped = query_router(shipped_query);
    char **names = shipped.values[0];
    char *relations = text_array_literal(tables), *objects = further_objects();
    auto build = [&](const char *trigger, const char *is_numbered) {
        return psprintf(objects_query, relations, quote_literal_cstr(names[0]),
                        quote_literal_cstr(names[1]), quote_literal_cstr(names[2]), objects,
                        quote_literal_cstr(known), quote_literal_cstr(may_own),
                        quote_literal_cstr(names[3]), trigger, is_numbered, key_check_pattern);
    };
    return {build(shard_trigger_definition(),
                  psprintf("format('%%s.%%I', name, attname) = ANY (%s::text[])",
                           text_array_literal(numbered))),
            build("pg_get_triggerdef(t.oid)", "attidentity <> '' AND NOT relispartition")};
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

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

// A policy is on the shards only where they know one of its roles.
static bool may_be_missing(const char *object)
{
    return starts_with(object, "policy ") || starts_with(object, "comment on policy ");
}

// What a shard's user could not give to the router's owner is its own.
static bool may_be_extra(const char *object)
{
    return starts_with(object, "owner of ");
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
        return starts_with(object, "index ") || starts_with(object, "comment on index ");
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
            if (!is_move(shard.names[j]) && !may_be_extra(shard.names[j]))
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
    SchemaQueries queries = build_queries(read, argument);
    SqlRows own = query_router(queries.router);
    char *names, *definitions;
    read(argument, queries.shard, &names, &definitions);
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

// What a REINDEX CONCURRENTLY has left that failed.
static bool is_leftover_index(const SchemaDifference *difference)
{
    static const char invalid[] = " (invalid)";
    size_t length = strlen(difference->shard), tail = strlen(invalid);
    return starts_with(difference->object, "index ") && length > tail &&
           strcmp(difference->shard + length - tail, invalid) == 0;
}

static const char *advice(const char *shard, const SchemaDifference *difference)
{
    if (strcmp(difference->kind, "extra") == 0 && is_leftover_index(difference))
        return psprintf("SELECT shardwise.run_on_shards(%s, ARRAY[%s])",
                        quote_literal_cstr(psprintf("DROP INDEX CONCURRENTLY %s",
                                                    difference->object + strlen("index "))),
                        quote_literal_cstr(shard));
    if (starts_with(difference->object, "owner of ") ||
        starts_with(difference->object, "privileges of "))
        return "Run ALTER ... OWNER TO, GRANT or REVOKE on the shard with run_on_shards().";
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
                      text(advice(shard, difference))};
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
