#include "pg/pg.hpp"

#include "ddl/drops.hpp"
#include "catalog/catalog.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/forward.hpp"
#include "ddl/key_check_triggers.hpp"
#include "ddl/object_access.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
}

namespace shardwise
{

// An object, or a part of a table or domain.
struct Drop {
    Oid class_id; // of the whole
    Oid whole;
    Oid referred; // of a foreign key's constraint: the table with which it goes, too
    bool is_part;
    char *sql; // of a table: its name
};

static List *drops = NIL;
static MemoryContext drop_context = nullptr; // nullptr: nobody collects

static void add_drop(Oid class_id, Oid whole, bool is_part, const char *sql,
                     Oid referred = InvalidOid)
{
    MemoryContext saved = MemoryContextSwitchTo(drop_context);
    Drop *drop = static_cast<Drop *>(palloc(sizeof(Drop)));
    *drop = {class_id, whole, referred, is_part, pstrdup(sql)};
    drops = lappend(drops, drop);
    MemoryContextSwitchTo(saved);
}

static const char *const constraint_query = R"(
SELECT conrelid, format('ALTER TABLE %I.%I DROP CONSTRAINT IF EXISTS %I CASCADE', n.nspname, r.relname, conname),
    confrelid
FROM pg_constraint c JOIN pg_class r ON r.oid = conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE c.oid = $1 AND conparentid = 0 AND coninhcount = 0 AND contype <> 't')";

// A part of a table, described by a query over its oid: the table's oid, a statement, and of a
// constraint the table that it refers to.
static void note_part(const char *query, Oid object_id)
{
    SqlRows rows = query_router(query, 1, &object_id);
    if (rows.count == 0 || rows.values[0][1] == nullptr)
        return;
    Oid relid = atooid(rows.values[0][0]);
    if (find_table(relid) != nullptr)
        add_drop(RelationRelationId, relid, true, rows.values[0][1],
                 query == constraint_query ? atooid(rows.values[0][2]) : InvalidOid);
}

// Parts of partitions that follow their parent's are left out, as they do on the shards.
static const char *const index_query = R"(
SELECT i.indrelid, format('DROP INDEX IF EXISTS %I.%I CASCADE', n.nspname, x.relname)
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = x.relnamespace
WHERE i.indexrelid = $1 AND NOT x.relispartition AND NOT EXISTS (
    SELECT FROM pg_constraint c WHERE c.conindid = $1 AND c.conrelid = i.indrelid AND c.contype <> 'f'))";

static const char *const domain_constraint_query = R"(
SELECT format('ALTER DOMAIN %s DROP CONSTRAINT IF EXISTS %I CASCADE', format_type(contypid, NULL), conname)
FROM pg_constraint WHERE oid = $1 AND contypid <> 0)";

static const char *const default_query = R"(
SELECT adrelid, format('ALTER TABLE %1$I.%2$I '
    || CASE WHEN relispartition THEN '' ELSE 'ALTER COLUMN %3$I DROP IDENTITY IF EXISTS, ' END
    || 'ALTER COLUMN %3$I DROP DEFAULT', n.nspname, r.relname, attname)
FROM pg_attrdef d JOIN pg_class r ON r.oid = adrelid JOIN pg_namespace n ON n.oid = r.relnamespace
JOIN pg_attribute a ON a.attrelid = adrelid AND attnum = adnum AND attgenerated = ''
WHERE d.oid = $1)";

static const char *const trigger_query = R"(
SELECT tgrelid, format('DROP TRIGGER IF EXISTS %I ON %I.%I CASCADE', tgname, n.nspname, r.relname)
FROM pg_trigger t JOIN pg_class r ON r.oid = tgrelid JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE t.oid = $1 AND NOT tgisinternal AND tgparentid = 0)";

static const char *const policy_query = R"(
SELECT polrelid, format('DROP POLICY IF EXISTS %I ON %I.%I CASCADE', polname, n.nspname, r.relname)
FROM pg_policy p JOIN pg_class r ON r.oid = polrelid JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE p.oid = $1)";

static const char *const statistics_query = R"(
SELECT stxrelid, format('DROP STATISTICS IF EXISTS %I.%I CASCADE', n.nspname, stxname)
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = stxnamespace WHERE s.oid = $1)";

static bool is_on_shards(Oid class_id, Oid part)
{
    if (class_id == AttrDefaultRelationId)
        return find_table(GetAttrDefaultColumnAddress(part).objectId) != nullptr;
    HeapTuple tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(part));
    if (!HeapTupleIsValid(tuple))
        return false;
    Form_pg_constraint constraint = (Form_pg_constraint)GETSTRUCT(tuple);
    bool found = find_table(constraint->conrelid) != nullptr;
    ReleaseSysCache(tuple);
    return found;
}

static void note_relation(Oid relid, int column)
{
    char kind = get_rel_relkind(relid);
    if (kind == RELKIND_INDEX || kind == RELKIND_PARTITIONED_INDEX) {
        if (OidIsValid(shipped_relation(relid)))
            note_part(index_query, relid);
        return;
    }
    if ((kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) ||
        find_table(relid) == nullptr)
        return;
    char *name = qualified_table_name(relid);
    if (column == 0)
        add_drop(RelationRelationId, relid, false, name);
    else if (column > 0)
        add_drop(RelationRelationId, relid, true,
                 psprintf("ALTER TABLE %s DROP COLUMN IF EXISTS %s CASCADE", name,
                          quote_identifier(get_attname(relid, column, false))));
}

// Other things on the shard may use what the router no longer has: then it stays there.
static char *drop_if_unused(const char *object)
{
    char *block = psprintf("BEGIN DROP %s; EXCEPTION WHEN dependent_objects_still_exist "
                           "OR undefined_object OR undefined_function OR invalid_schema_name "
                           "THEN NULL; END",
                           object);
    return psprintf("DO %s", quote_literal_cstr(block));
}

// A base type and its functions need each other: they go together where nothing else uses them.
static const char *const base_type_drop = R"(
BEGIN
    IF (SELECT typisdefined AND typtype = 'b' FROM pg_type WHERE oid = %1$s::regtype) AND NOT EXISTS (
        WITH own AS (
            SELECT 'pg_type'::regclass AS class, unnest(ARRAY[oid, typarray]) AS object
            FROM pg_type WHERE oid = %1$s::regtype
            UNION
            SELECT 'pg_proc'::regclass, unnest(ARRAY[typinput, typoutput, typreceive, typsend, typmodin, typmodout,
                typanalyze, typsubscript]::oid[])
            FROM pg_type WHERE oid = %1$s::regtype)
        SELECT FROM pg_depend JOIN own ON (refclassid, refobjid) = (class, object)
        WHERE (classid, objid) NOT IN (SELECT class, object FROM own)) THEN
        DROP TYPE %2$s CASCADE;
    END IF;
EXCEPTION WHEN undefined_object OR invalid_schema_name THEN NULL;
END)";

static char *drop_shipped_object(Oid class_id, Oid object_id)
{
    if (class_id != TypeRelationId || get_typtype(object_id) != TYPTYPE_BASE)
        return drop_if_unused(shipped_object_name(class_id, object_id));
    char *name = object_identity(class_id, object_id);
    return psprintf("DO %s",
                    quote_literal_cstr(psprintf(base_type_drop, quote_literal_cstr(name), name)));
}

static void note_domain_constraint(Oid constraint)
{
    HeapTuple tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
    Oid domain = ((Form_pg_constraint)GETSTRUCT(tuple))->contypid;
    ReleaseSysCache(tuple);
    if (!OidIsValid(domain) || !is_shipped_object(TypeRelationId, domain))
        return;
    SqlRows rows = query_router(domain_constraint_query, 1, &constraint);
    add_drop(TypeRelationId, domain, true, rows.values[0][0]);
}

static void note_trigger(Oid trigger)
{
    note_part(trigger_query, trigger);
    SqlRows rows = query_router("SELECT tgrelid FROM pg_trigger WHERE oid = $1", 1, &trigger);
    Oid relid = rows.count > 0 ? atooid(rows.values[0][0]) : InvalidOid;
    ListCell *cell;
    foreach (cell, drop_key_check_sql(relid, trigger))
        add_drop(RelationRelationId, relid, true, static_cast<char *>(lfirst(cell)));
}

bool note_drop(Oid class_id, Oid object_id, int sub_id)
{
    if (drop_context == nullptr)
        return false;
    switch (class_id) {
    case RelationRelationId:
        note_relation(object_id, sub_id);
        break;
    case ConstraintRelationId:
        if (is_on_shards(class_id, object_id))
            note_part(constraint_query, object_id);
        note_domain_constraint(object_id);
        break;
    case AttrDefaultRelationId:
        if (is_on_shards(class_id, object_id))
            note_part(default_query, object_id);
        break;
    case TriggerRelationId:
        note_trigger(object_id);
        break;
    case PolicyRelationId:
        note_part(policy_query, object_id);
        break;
    case StatisticExtRelationId:
        note_part(statistics_query, object_id);
        break;
    case ExtensionRelationId: // others may use it there
        break;
    default:
        if (is_shipped_object(class_id, object_id))
            add_drop(class_id, object_id, false, drop_shipped_object(class_id, object_id));
    }
    return true;
}

static bool is_dropped(Oid class_id, Oid whole)
{
    ListCell *cell;
    foreach (cell, drops) {
        const Drop *drop = static_cast<Drop *>(lfirst(cell));
        if (!drop->is_part && drop->class_id == class_id && drop->whole == whole)
            return true;
    }
    return false;
}

// ALTER TABLE would fail where deferred triggers are pending, DROP TABLE ... CASCADE does not.
static bool goes_with_whole(const Drop *part)
{
    return is_dropped(part->class_id, part->whole) ||
           (OidIsValid(part->referred) && is_dropped(RelationRelationId, part->referred));
}

// Parts first, then tables in one statement, so that foreign keys among them do not matter, then
// what tables needed.
static void follow_drops()
{
    List *statements = NIL;
    List *rest = NIL;
    StringInfoData tables;
    initStringInfo(&tables);
    ListCell *cell;
    foreach (cell, drops) {
        const Drop *drop = static_cast<Drop *>(lfirst(cell));
        if (drop->is_part && !goes_with_whole(drop))
            statements = lappend(statements, drop->sql);
        else if (!drop->is_part && drop->class_id == RelationRelationId)
            appendStringInfo(&tables, "%s%s", tables.len > 0 ? ", " : "", drop->sql);
        else if (!drop->is_part)
            rest = lappend(rest, drop->sql);
    }
    if (tables.len > 0)
        statements = lappend(statements, psprintf("DROP TABLE IF EXISTS %s CASCADE", tables.data));
    statements = list_concat(statements, rest);
    if (statements != NIL)
        change_shards(statements);
}

void run_drop(const UtilityCall &call)
{
    List *outer_drops = drops;
    MemoryContext outer_context = drop_context;
    drops = NIL;
    drop_context = CurrentMemoryContext;
    PG_TRY();
    {
        run_locally(call);
        follow_drops();
    }
    PG_FINALLY();
    {
        drops = outer_drops;
        drop_context = outer_context;
    }
    PG_END_TRY();
}

} // namespace shardwise
