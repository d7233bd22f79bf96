#include "pg/pg.hpp"

#include "ddl/table_definition.hpp"
#include "ddl/spi.hpp"
#include "ddl/key_check_triggers.hpp"
#include "ddl/trigger_definition.hpp"

extern "C" {
#include "catalog/pg_inherits.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

// Each query takes the oid of one table as $1 and returns statements in its first column.

static const char *const create_table_query = R"(
WITH definition AS (
    SELECT a.attnum AS position, quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
        || CASE a.attcompression WHEN 'p' THEN ' COMPRESSION pglz' WHEN 'l' THEN ' COMPRESSION lz4'
                ELSE '' END
        || CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation
                THEN format(' COLLATE %I.%I', cn.nspname, c.collname) ELSE '' END
        || CASE WHEN a.attgenerated <> ''
                THEN ' GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid)
                    || CASE a.attgenerated WHEN 'v' THEN ') VIRTUAL' ELSE ') STORED' END
                WHEN d.oid IS NULL OR EXISTS (
                    SELECT FROM pg_depend p JOIN pg_class s ON s.oid = p.refobjid AND s.relkind = 'S'
                    WHERE p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
                    AND p.refclassid = 'pg_class'::regclass) THEN ''
                ELSE ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) END
        || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END AS line
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_collation c ON c.oid = a.attcollation
    LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 10000 + row_number() OVER (ORDER BY conname),
        format('CONSTRAINT %I %s', conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE conrelid = $1 AND contype = 'c' AND convalidated
), options AS (
    SELECT prefix || split_part(option, '=', 1) || '='
        || quote_literal(substr(option, strpos(option, '=') + 1)) AS option
    FROM (SELECT '' AS prefix, unnest(reloptions) AS option FROM pg_class WHERE oid = $1
          UNION ALL
          SELECT 'toast.', unnest(t.reloptions) FROM pg_class r JOIN pg_class t
          ON t.oid = r.reltoastrelid WHERE r.oid = $1) o
)
SELECT format('CREATE TABLE %I.%I (%s)%s%s%s', n.nspname, r.relname,
    (SELECT string_agg(line, ', ' ORDER BY position) FROM definition),
    CASE WHEN r.relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(r.oid) ELSE '' END,
    CASE WHEN am.amname <> 'heap' THEN format(' USING %I', am.amname) ELSE '' END,
    (SELECT ' WITH (' || string_agg(option, ', ') || ')' FROM options))
FROM pg_class r
JOIN pg_namespace n ON n.oid = r.relnamespace
LEFT JOIN pg_am am ON am.oid = r.relam
WHERE r.oid = $1)";

static const char *const column_settings_query = R"(
SELECT format('ALTER TABLE ONLY %I.%I ALTER COLUMN %I SET %s', n.nspname, r.relname, a.attname, s.setting)
FROM pg_class r
JOIN pg_namespace n ON n.oid = r.relnamespace
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
CROSS JOIN LATERAL (VALUES
    (CASE WHEN a.attstorage <> t.typstorage THEN 'STORAGE ' || CASE a.attstorage
        WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END),
    (CASE WHEN a.attstattarget >= 0 THEN 'STATISTICS ' || a.attstattarget END),
    -- minor releases keep a version of the column among its options
    ((SELECT '(' || string_agg(option, ', ') || ')' FROM unnest(a.attoptions) option
      WHERE option NOT LIKE 'pg\_attver=%'))) s(setting)
WHERE r.oid = $1 AND s.setting IS NOT NULL
ORDER BY a.attnum)";

static const char *const attach_partition_query = R"(
SELECT format('ALTER TABLE ONLY %I.%I ATTACH PARTITION %I.%I %s', pn.nspname, p.relname,
    n.nspname, r.relname, pg_get_expr(r.relpartbound, r.oid))
FROM pg_class r
JOIN pg_namespace n ON n.oid = r.relnamespace
JOIN pg_inherits i ON i.inhrelid = r.oid
JOIN pg_class p ON p.oid = i.inhparent
JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE r.oid = $1 AND r.relispartition AND p.relkind = 'p')";

// Unique indexes and keys come first, so that later statements may refer to them.
static const char *const index_query = R"(
SELECT CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
    ELSE format('ALTER TABLE ONLY %I.%I ADD CONSTRAINT %I %s', n.nspname, r.relname, c.conname,
        pg_get_constraintdef(c.oid)) END
FROM pg_index i
JOIN pg_class r ON r.oid = i.indrelid
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = r.oid
    AND c.contype IN ('p', 'u', 'x')
WHERE i.indrelid = $1 AND (i.indisvalid OR x.relkind = 'I')
ORDER BY i.indisprimary DESC, i.indisunique DESC, x.relname)";

static const char *const index_settings_query = R"(
WITH index AS (
    SELECT x.oid, i.indrelid, i.indisclustered, format('%I.%I', n.nspname, x.relname) AS name,
        x.relname, x.reloptions, c.oid IS NOT NULL AS is_constraint, format('%I.%I', n.nspname, r.relname) AS owner
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_class r ON r.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = r.relnamespace
    LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = r.oid
        AND c.contype IN ('p', 'u', 'x')
    WHERE i.indrelid = $1 AND (i.indisvalid OR x.relkind = 'I')
)
SELECT format('ALTER INDEX %s SET (%s)', name, array_to_string(reloptions, ', '))
FROM index WHERE is_constraint AND reloptions IS NOT NULL
UNION ALL
SELECT format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', name, a.attnum, a.attstattarget)
FROM index JOIN pg_attribute a ON a.attrelid = index.oid WHERE a.attstattarget >= 0
UNION ALL
SELECT format('ALTER TABLE ONLY %s CLUSTER ON %I', owner, relname) FROM index WHERE indisclustered
UNION ALL
SELECT format('ALTER INDEX %I.%I ATTACH PARTITION %s', pn.nspname, p.relname, name)
FROM index
JOIN pg_inherits h ON h.inhrelid = index.oid
JOIN pg_class p ON p.oid = h.inhparent
JOIN pg_namespace pn ON pn.oid = p.relnamespace)";

static const char *const unvalidated_check_query = R"(
SELECT format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', n.nspname, r.relname, c.conname,
    pg_get_constraintdef(c.oid))
FROM pg_constraint c
JOIN pg_class r ON r.oid = c.conrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE c.conrelid = $1 AND c.contype = 'c' AND NOT c.convalidated AND c.coninhcount = 0
ORDER BY c.conname)";

static const char *const statistics_query = R"(
SELECT s.statement FROM (
    SELECT oid, 1 AS step, pg_get_statisticsobjdef(oid) AS statement
    FROM pg_statistic_ext WHERE stxrelid = $1
    UNION ALL
    SELECT e.oid, 2, format('ALTER STATISTICS %I.%I SET STATISTICS %s', n.nspname, e.stxname, e.stxstattarget)
    FROM pg_statistic_ext e JOIN pg_namespace n ON n.oid = e.stxnamespace
    WHERE e.stxrelid = $1 AND e.stxstattarget >= 0) s
ORDER BY s.oid, s.step)";

static const char *const foreign_key_query = R"(
SELECT format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', n.nspname, r.relname, c.conname,
    pg_get_constraintdef(c.oid))
FROM pg_constraint c
JOIN pg_class r ON r.oid = c.conrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE c.conrelid = $1 AND c.contype = 'f' AND c.conparentid = 0
ORDER BY c.conname)";

// The triggers, and which of them are not enabled as usual.
static char *trigger_query()
{
    return psprintf(R"(
SELECT s.statement FROM (
    SELECT t.tgname, 1 AS step, %s AS statement
    FROM pg_trigger t WHERE t.tgrelid = $1 AND NOT t.tgisinternal AND t.tgparentid = 0
    UNION ALL
    SELECT t.tgname, 2, format('ALTER TABLE ONLY %%I.%%I %%s TRIGGER %%I', n.nspname, r.relname,
        CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
        t.tgname)
    FROM pg_trigger t
    JOIN pg_class r ON r.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = r.relnamespace
    WHERE t.tgrelid = $1 AND NOT t.tgisinternal AND t.tgenabled <> 'O') s
ORDER BY s.tgname, s.step)",
                    shard_trigger_definition());
}

static const char *const table_settings_query = R"(
SELECT format('ALTER TABLE ONLY %I.%I %s', n.nspname, r.relname, s.setting)
FROM pg_class r
JOIN pg_namespace n ON n.oid = r.relnamespace
CROSS JOIN LATERAL (VALUES
    (CASE WHEN r.relrowsecurity THEN 'ENABLE ROW LEVEL SECURITY' END),
    (CASE r.relreplident WHEN 'f' THEN 'REPLICA IDENTITY FULL' WHEN 'n' THEN 'REPLICA IDENTITY NOTHING'
        WHEN 'i' THEN (SELECT format('REPLICA IDENTITY USING INDEX %I', x.relname) FROM pg_index i
            JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = r.oid AND i.indisreplident)
        END)) s(setting)
WHERE r.oid = $1 AND s.setting IS NOT NULL)";

static const char *const comment_query = R"(
WITH owner AS (
    SELECT r.oid, n.nspname, format('%I.%I', n.nspname, r.relname) AS name
    FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace WHERE r.oid = $1
), object(classoid, objoid, objsubid, target) AS (
    SELECT 'pg_class'::regclass, oid, 0, 'TABLE ' || name FROM owner
    UNION ALL
    SELECT 'pg_class'::regclass, owner.oid, a.attnum, format('COLUMN %s.%I', name, a.attname)
    FROM owner JOIN pg_attribute a ON a.attrelid = owner.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'pg_class'::regclass, x.oid, 0, format('INDEX %I.%I', nspname, x.relname)
    FROM owner JOIN pg_index i ON i.indrelid = owner.oid AND i.indisvalid
    JOIN pg_class x ON x.oid = i.indexrelid
    UNION ALL
    SELECT 'pg_constraint'::regclass, c.oid, 0, format('CONSTRAINT %I ON %s', c.conname, name)
    FROM owner JOIN pg_constraint c ON c.conrelid = owner.oid AND c.contype <> 'f'
    UNION ALL
    SELECT 'pg_trigger'::regclass, t.oid, 0, format('TRIGGER %I ON %s', t.tgname, name)
    FROM owner JOIN pg_trigger t ON t.tgrelid = owner.oid
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, s.oid, 0, format('STATISTICS %I.%I', sn.nspname, s.stxname)
    FROM owner JOIN pg_statistic_ext s ON s.stxrelid = owner.oid
    JOIN pg_namespace sn ON sn.oid = s.stxnamespace
)
SELECT format('COMMENT ON %s IS %L', o.target, d.description)
FROM object o JOIN pg_description d USING (classoid, objoid, objsubid)
ORDER BY o.classoid, o.objoid, o.objsubid)";

static const char *const foreign_key_comment_query = R"(
SELECT format('COMMENT ON CONSTRAINT %I ON %I.%I IS %L', c.conname, n.nspname, r.relname, d.description)
FROM pg_constraint c
JOIN pg_class r ON r.oid = c.conrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
JOIN pg_description d ON d.classoid = 'pg_constraint'::regclass AND d.objoid = c.oid
WHERE c.conrelid = $1 AND c.contype = 'f' AND c.conparentid = 0)";

// These three also take $2: roles on the shard, $3: roles that may own a table there.
static const char *const policy_query = R"(
SELECT format('CREATE POLICY %I ON %I.%I AS %s FOR %s TO %s', p.polname, n.nspname, r.relname,
        CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
        CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
            WHEN 'd' THEN 'DELETE' ELSE 'ALL' END, g.grantees)
    || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
    || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', ''), p.polname
FROM pg_policy p
JOIN pg_class r ON r.oid = p.polrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
CROSS JOIN LATERAL (
    SELECT string_agg(CASE WHEN role = 0 THEN 'PUBLIC' ELSE quote_ident(rolname) END, ', ') AS grantees
    FROM unnest(p.polroles) role LEFT JOIN pg_roles a ON a.oid = role
    WHERE role = 0 OR rolname = ANY ($2)) g
WHERE p.polrelid = $1 AND g.grantees IS NOT NULL AND $3 IS NOT NULL
ORDER BY p.polname)";

static const char *const policy_comment_query = R"(
SELECT format('COMMENT ON POLICY %I ON %I.%I IS %L', p.polname, n.nspname, r.relname, d.description), p.polname
FROM pg_policy p
JOIN pg_class r ON r.oid = p.polrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
JOIN pg_description d ON d.classoid = 'pg_policy'::regclass AND d.objoid = p.oid
WHERE p.polrelid = $1 AND $3 IS NOT NULL AND EXISTS (
    SELECT FROM unnest(p.polroles) role LEFT JOIN pg_roles a ON a.oid = role
    WHERE role = 0 OR rolname = ANY ($2)))";

static const char *const grant_query = R"(
WITH privilege AS (
    SELECT r.oid AS relation, NULL::name AS attname, x.* FROM pg_class r, aclexplode(r.relacl) x
    WHERE r.oid = $1
    UNION ALL
    SELECT a.attrelid, a.attname, x.* FROM pg_attribute a, aclexplode(a.attacl) x
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
)
SELECT format('GRANT %s%s ON TABLE %I.%I TO %s%s', p.privilege_type, ' (' || quote_ident(p.attname) || ')',
    n.nspname, r.relname, CASE WHEN p.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(a.rolname) END,
    CASE WHEN p.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM privilege p
JOIN pg_class r ON r.oid = p.relation
JOIN pg_namespace n ON n.oid = r.relnamespace
LEFT JOIN pg_roles a ON a.oid = p.grantee
WHERE p.grantee <> r.relowner AND (p.grantee = 0 OR a.rolname = ANY ($2))
UNION ALL
SELECT format('ALTER TABLE %I.%I OWNER TO %I', n.nspname, r.relname, a.rolname)
FROM pg_class r
JOIN pg_namespace n ON n.oid = r.relnamespace
JOIN pg_roles a ON a.oid = r.relowner
WHERE r.oid = $1 AND a.rolname = ANY ($3))";

static const char *const role_query = R"(
SELECT coalesce(array_agg(DISTINCT rolname::text), '{}')
FROM pg_roles WHERE oid IN (
    SELECT x.grantee FROM pg_class r, aclexplode(r.relacl) x WHERE r.oid IN (SELECT unnest($1))
    UNION ALL
    SELECT x.grantee FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid IN (SELECT unnest($1))
    UNION ALL
    SELECT relowner FROM pg_class WHERE oid IN (SELECT unnest($1))
    UNION ALL
    SELECT unnest(polroles) FROM pg_policy WHERE polrelid IN (SELECT unnest($1))))";

List *table_tree(Oid relid, LOCKMODE lock)
{
    if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
        return list_make1_oid(relid);
    return find_all_inheritors(relid, lock, nullptr);
}

static List *append_statements(List *statements, const SqlRows &rows)
{
    for (int i = 0; i < rows.count; i++)
        if (rows.values[i][0] != nullptr)
            statements = lappend(statements, rows.values[i][0]);
    return statements;
}

template <size_t count> static List *statements_of(Oid relid, const char *const (&queries)[count])
{
    List *statements = NIL;
    ListCell *cell;
    foreach (cell, table_tree(relid, NoLock)) {
        Oid member = lfirst_oid(cell);
        for (const char *query : queries)
            statements = append_statements(statements, query_router(query, 1, &member));
    }
    return statements;
}

List *table_creation_sql(Oid relid)
{
    return statements_of(relid,
                         {create_table_query, column_settings_query, attach_partition_query});
}

List *table_index_sql(Oid relid)
{
    return statements_of(
        relid, {index_query, index_settings_query, unvalidated_check_query, statistics_query});
}

template <size_t count>
static List *statements_of_one(List *statements, Oid relid, const char *const (&queries)[count])
{
    for (const char *query : queries)
        statements = append_statements(statements, query_router(query, 1, &relid));
    return statements;
}

List *partition_creation_sql(Oid relid)
{
    List *statements = NIL;
    ListCell *cell;
    foreach (cell, table_tree(relid, NoLock)) {
        Oid member = lfirst_oid(cell);
        statements =
            statements_of_one(statements, member, {create_table_query, column_settings_query});
        if (member != relid)
            statements = statements_of_one(statements, member, {attach_partition_query});
    }
    return statements;
}

List *partition_index_sql(Oid relid)
{
    List *statements = NIL;
    ListCell *cell;
    foreach (cell, table_tree(relid, NoLock)) {
        Oid member = lfirst_oid(cell);
        statements = statements_of_one(statements, member, {index_query});
        if (member != relid)
            statements = statements_of_one(statements, member, {index_settings_query});
    }
    return statements;
}

List *partition_attach_sql(Oid relid)
{
    List *statements =
        statements_of_one(NIL, relid, {attach_partition_query, index_settings_query});
    return list_concat(statements,
                       statements_of(relid, {unvalidated_check_query, statistics_query}));
}

List *table_foreign_key_sql(Oid relid)
{
    return statements_of(relid, {foreign_key_query, foreign_key_comment_query});
}

List *table_behaviour_sql(Oid relid)
{
    List *statements = statements_of(relid, {trigger_query(), table_settings_query, comment_query});
    ListCell *cell;
    foreach (cell, table_tree(relid, NoLock))
        statements = list_concat(statements, key_check_sql(lfirst_oid(cell), InvalidOid));
    return statements;
}

List *table_access_sql(Oid relid, Datum roles, Datum owners)
{
    const Oid types[] = {OIDOID, TEXTARRAYOID, TEXTARRAYOID};
    List *statements = NIL;
    ListCell *cell;
    foreach (cell, table_tree(relid, NoLock)) {
        const Datum values[] = {ObjectIdGetDatum(lfirst_oid(cell)), roles, owners};
        for (const char *query : {policy_query, policy_comment_query, grant_query})
            statements = append_statements(statements, query_router_with(query, 3, types, values));
    }
    return statements;
}

List *policy_sql(Oid relid, const char *name, Datum roles)
{
    const Oid types[] = {OIDOID, TEXTARRAYOID, TEXTARRAYOID};
    const Datum values[] = {ObjectIdGetDatum(relid), roles, roles};
    List *statements = NIL;
    for (const char *query : {policy_query, policy_comment_query}) {
        SqlRows rows = query_router_with(query, 3, types, values);
        for (int i = 0; i < rows.count; i++)
            if (strcmp(rows.values[i][1], name) == 0)
                statements = lappend(statements, rows.values[i][0]);
    }
    return statements;
}

Datum roles_of_table(Oid relid)
{
    List *tree = table_tree(relid, NoLock);
    int count = 0;
    Datum *relids = static_cast<Datum *>(palloc(list_length(tree) * sizeof(Datum)));
    ListCell *cell;
    foreach (cell, tree)
        relids[count++] = ObjectIdGetDatum(lfirst_oid(cell));

    const Oid types[] = {OIDARRAYOID};
    const Datum values[] = {
        PointerGetDatum(construct_array(relids, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT))};
    SqlRows rows = query_router_with(role_query, 1, types, values);
    return OidInputFunctionCall(F_ARRAY_IN, rows.values[0][0], TEXTOID, -1);
}

char *table_column_list(Relation rel)
{
    StringInfoData columns;
    initStringInfo(&columns);
    TupleDesc desc = RelationGetDescr(rel);
    for (int i = 0; i < desc->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(desc, i);
        if (attribute->attisdropped || attribute->attgenerated)
            continue;
        appendStringInfo(&columns, "%s%s", columns.len ? ", " : "",
                         quote_identifier(NameStr(attribute->attname)));
    }
    return columns.data;
}

} // namespace shardwise
