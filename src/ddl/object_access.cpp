#include "pg/pg.hpp"

#include "ddl/object_access.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/spi.hpp"

extern "C" {
#include "catalog/objectaddress.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

// $1, $2: class and oid of an object.
static const char *const object_query = R"(
WITH object AS (
    SELECT proowner AS owner, proacl AS acl, true AS is_public FROM pg_proc
    WHERE $1 = 'pg_proc'::regclass AND oid = $2
    UNION ALL
    SELECT typowner, typacl, true FROM pg_type WHERE $1 = 'pg_type'::regclass AND oid = $2
    UNION ALL
    SELECT nspowner, nspacl, false FROM pg_namespace WHERE $1 = 'pg_namespace'::regclass AND oid = $2
    UNION ALL
    SELECT collowner, NULL, false FROM pg_collation WHERE $1 = 'pg_collation'::regclass AND oid = $2
    UNION ALL
    SELECT oprowner, NULL, false FROM pg_operator WHERE $1 = 'pg_operator'::regclass AND oid = $2
    UNION ALL
    SELECT opcowner, NULL, false FROM pg_opclass WHERE $1 = 'pg_opclass'::regclass AND oid = $2
    UNION ALL
    SELECT opfowner, NULL, false FROM pg_opfamily WHERE $1 = 'pg_opfamily'::regclass AND oid = $2
    UNION ALL
    SELECT dictowner, NULL, false FROM pg_ts_dict WHERE $1 = 'pg_ts_dict'::regclass AND oid = $2
    UNION ALL
    SELECT cfgowner, NULL, false FROM pg_ts_config WHERE $1 = 'pg_ts_config'::regclass AND oid = $2
))";

// $3: what GRANT calls the object, $4: roles that the shard knows, $5: to whom its user may give
// objects. What PUBLIC may do from the start is taken away where somebody did so here.
static const char *const access_query = R"(
SELECT statement FROM (
    SELECT 1 AS step, format('REVOKE ALL ON %s FROM PUBLIC', $3) AS statement
    FROM object WHERE is_public AND acl IS NOT NULL
    UNION ALL
    SELECT 2, format('GRANT %s ON %s TO %s%s', p.privilege_type, $3,
        CASE WHEN p.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(a.rolname) END,
        CASE WHEN p.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM object, aclexplode(acl) p LEFT JOIN pg_roles a ON a.oid = p.grantee
    WHERE p.grantee <> owner AND (p.grantee = 0 OR a.rolname = ANY ($4))
    UNION ALL
    SELECT 3, format('COMMENT ON %s IS %L', $3, description)
    FROM pg_description WHERE classoid = $1 AND objoid = $2 AND objsubid = 0
    UNION ALL
    SELECT 4, format('ALTER %s OWNER TO %I', $3, rolname)
    FROM object JOIN pg_roles a ON a.oid = owner WHERE rolname = ANY ($5)) s
ORDER BY step)";

static const char *kind_of(Oid class_id)
{
    switch (class_id) {
    case ProcedureRelationId:
        return "ROUTINE";
    case TypeRelationId:
        return "TYPE";
    case NamespaceRelationId:
        return "SCHEMA";
    case CollationRelationId:
        return "COLLATION";
    case OperatorRelationId:
        return "OPERATOR";
    case OperatorClassRelationId:
        return "OPERATOR CLASS";
    case OperatorFamilyRelationId:
        return "OPERATOR FAMILY";
    case CastRelationId:
        return "CAST";
    case TSParserRelationId:
        return "TEXT SEARCH PARSER";
    case TSTemplateRelationId:
        return "TEXT SEARCH TEMPLATE";
    case TSDictionaryRelationId:
        return "TEXT SEARCH DICTIONARY";
    case TSConfigRelationId:
        return "TEXT SEARCH CONFIGURATION";
    default:
        return nullptr;
    }
}

char *object_identity(Oid class_id, Oid object_id)
{
    const Oid arguments[] = {class_id, object_id};
    return query_router("SELECT identity FROM pg_identify_object($1, $2, 0)", 2, arguments)
        .values[0][0];
}

char *shipped_object_name(Oid class_id, Oid object_id)
{
    const char *kind = kind_of(class_id);
    return kind != nullptr ? psprintf("%s %s", kind, object_identity(class_id, object_id))
                           : nullptr;
}

static Datum all_roles()
{
    SqlRows rows = query_router("SELECT coalesce(array_agg(rolname::text), '{}') FROM pg_roles "
                                "WHERE rolname !~ '^pg_'");
    return OidInputFunctionCall(F_ARRAY_IN, rows.values[0][0], TEXTOID, -1);
}

void set_object_access(const Target *target, Oid class_id, Oid object_id)
{
    if (kind_of(class_id) == nullptr)
        return;
    Datum roles = all_roles();
    const Oid types[] = {OIDOID, OIDOID, TEXTOID, TEXTARRAYOID, TEXTARRAYOID};
    const Datum values[] = {ObjectIdGetDatum(class_id), ObjectIdGetDatum(object_id),
                            CStringGetTextDatum(shipped_object_name(class_id, object_id)),
                            roles_on_shard(target, roles, false),
                            roles_on_shard(target, roles, true)};
    SqlRows statements =
        query_router_with(psprintf("%s %s", object_query, access_query), 5, types, values);
    for (int i = 0; i < statements.count; i++)
        run_command(target->connection, statements.values[i][0]);
}

Oid object_owner(Oid class_id, Oid object_id)
{
    const Oid arguments[] = {class_id, object_id};
    SqlRows rows =
        query_router(psprintf("%s SELECT owner FROM object", object_query), 2, arguments);
    return rows.count == 1 ? atooid(rows.values[0][0]) : InvalidOid;
}

void give_object_to_owner(const List *targets, Oid class_id, Oid object_id)
{
    give_to_role(targets, shipped_object_name(class_id, object_id),
                 object_owner(class_id, object_id));
}

ShippedObject named_object(ObjectType kind, Node *name)
{
    if (kind != OBJECT_COLLATION && kind != OBJECT_OPERATOR && kind != OBJECT_OPCLASS &&
        kind != OBJECT_OPFAMILY && kind != OBJECT_TSPARSER && kind != OBJECT_TSTEMPLATE &&
        kind != OBJECT_TSDICTIONARY && kind != OBJECT_TSCONFIGURATION)
        return {};
    Relation rel = nullptr;
    ObjectAddress address = get_object_address(kind, name, &rel, AccessShareLock, true);
    if (!OidIsValid(address.objectId) || !is_shipped_object(address.classId, address.objectId))
        return {};
    return {address.classId, address.objectId};
}

List *list_shipped_objects()
{
    SqlRows rows = query_router(R"(
SELECT 'pg_namespace'::regclass::oid, schema::oid FROM shardwise.shipped_schema
UNION ALL SELECT 'pg_type'::regclass::oid, type::oid FROM shardwise.shipped_type
UNION ALL SELECT 'pg_proc'::regclass::oid, function::oid FROM shardwise.shipped_function
UNION ALL SELECT 'pg_collation'::regclass::oid, object::oid FROM shardwise.shipped_collation
UNION ALL SELECT 'pg_operator'::regclass::oid, object::oid FROM shardwise.shipped_operator
UNION ALL SELECT 'pg_opfamily'::regclass::oid, object FROM shardwise.shipped_operator_family
UNION ALL SELECT 'pg_opclass'::regclass::oid, object FROM shardwise.shipped_operator_class
UNION ALL SELECT 'pg_cast'::regclass::oid, object FROM shardwise.shipped_cast
UNION ALL SELECT 'pg_ts_parser'::regclass::oid, object FROM shardwise.shipped_parser
UNION ALL SELECT 'pg_ts_template'::regclass::oid, object FROM shardwise.shipped_template
UNION ALL SELECT 'pg_ts_dict'::regclass::oid, object::oid FROM shardwise.shipped_dictionary
UNION ALL SELECT 'pg_ts_config'::regclass::oid, object::oid FROM shardwise.shipped_configuration)");
    List *objects = NIL;
    for (int i = 0; i < rows.count; i++) {
        ShippedObject *object = static_cast<ShippedObject *>(palloc(sizeof(ShippedObject)));
        *object = {atooid(rows.values[i][0]), atooid(rows.values[i][1])};
        objects = lappend(objects, object);
    }
    return objects;
}

} // namespace shardwise
