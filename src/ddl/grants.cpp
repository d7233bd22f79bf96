// GRANT and REVOKE on tables, functions, types and schemas, for the roles that a shard knows.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/ddl.hpp"
#include "ddl/drops.hpp"
#include "ddl/forward.hpp"
#include "ddl/object_access.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"

extern "C" {
#include "catalog/objectaddress.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_statistic_ext.h"
#include "utils/regproc.h"
}

namespace shardwise
{

static void append_name(StringInfo list, const char *name)
{
    appendStringInfo(list, "%s%s", list->len > 0 ? ", " : "", name);
}

static char *granted_privileges(const GrantStmt *statement)
{
    if (statement->privileges == NIL)
        return pstrdup("ALL");
    StringInfoData list;
    initStringInfo(&list);
    ListCell *cell;
    foreach (cell, statement->privileges) {
        const AccessPriv *privilege = lfirst_node(AccessPriv, cell);
        append_name(&list, privilege->priv_name != nullptr ? privilege->priv_name : "ALL");
        ListCell *column;
        foreach (column, privilege->cols)
            appendStringInfo(&list, "%s%s", foreach_current_index(column) == 0 ? " (" : ", ",
                             quote_identifier(strVal(lfirst(column))));
        if (privilege->cols != NIL)
            appendStringInfoChar(&list, ')');
    }
    return list.data;
}

static void append_tables_of_schema(StringInfo list, const char *schema)
{
    Oid schema_id = get_namespace_oid(schema, true);
    ListCell *cell;
    foreach (cell, list_distributions()) {
        ListCell *member;
        foreach (member, table_tree(lfirst_oid(cell), NoLock))
            if (get_rel_namespace(lfirst_oid(member)) == schema_id)
                append_name(list, qualified_table_name(lfirst_oid(member)));
    }
}

static bool is_of_kind(Oid function, ObjectType kind)
{
    bool is_procedure = get_func_prokind(function) == PROKIND_PROCEDURE;
    return kind == OBJECT_ROUTINE || is_procedure == (kind == OBJECT_PROCEDURE);
}

static void append_routines_of_schema(StringInfo list, const char *schema, ObjectType kind)
{
    Oid schema_id = get_namespace_oid(schema, true);
    ListCell *cell;
    foreach (cell, list_shipped_objects()) {
        const ShippedObject *object = static_cast<ShippedObject *>(lfirst(cell));
        if (object->class_id == ProcedureRelationId &&
            get_func_namespace(object->object_id) == schema_id &&
            is_of_kind(object->object_id, kind))
            append_name(list, format_procedure_qualified(object->object_id));
    }
}

static bool is_routine(ObjectType kind)
{
    return kind == OBJECT_FUNCTION || kind == OBJECT_PROCEDURE || kind == OBJECT_ROUTINE;
}

// The objects of the statement that the shards have; empty if none.
static char *granted_objects(const GrantStmt *statement)
{
    StringInfoData list;
    initStringInfo(&list);
    bool in_schema = statement->targtype == ACL_TARGET_ALL_IN_SCHEMA;
    ListCell *cell;
    foreach (cell, statement->objects) {
        if (statement->objtype == OBJECT_TABLE && in_schema) {
            append_tables_of_schema(&list, strVal(lfirst(cell)));
        } else if (statement->objtype == OBJECT_TABLE) {
            Oid relid = named_shipped_relation(lfirst_node(RangeVar, cell));
            if (OidIsValid(relid))
                append_name(&list, qualified_table_name(relid));
        } else if (statement->objtype == OBJECT_SCHEMA) {
            Oid schema = get_namespace_oid(strVal(lfirst(cell)), true);
            if (OidIsValid(schema) && is_shipped_object(NamespaceRelationId, schema))
                append_name(&list, quote_identifier(strVal(lfirst(cell))));
        } else if (is_routine(statement->objtype) && in_schema) {
            append_routines_of_schema(&list, strVal(lfirst(cell)), statement->objtype);
        } else if (is_routine(statement->objtype)) {
            Oid function = shipped_routine(statement->objtype, (Node *)lfirst(cell));
            if (OidIsValid(function))
                append_name(&list, format_procedure_qualified(function));
        } else if (statement->objtype == OBJECT_TYPE || statement->objtype == OBJECT_DOMAIN) {
            Oid type = shipped_type(lfirst_node(List, cell));
            if (OidIsValid(type))
                append_name(&list, format_type_be_qualified(type));
        }
    }
    return list.data;
}

// Names of roles as text[], and whether PUBLIC is among them.
static Datum role_names(const List *roles, bool *has_public)
{
    Datum *names = static_cast<Datum *>(palloc(list_length(roles) * sizeof(Datum)));
    int count = 0;
    *has_public = false;
    const ListCell *cell;
    foreach (cell, roles) {
        const RoleSpec *role = lfirst_node(RoleSpec, cell);
        if (role->roletype == ROLESPEC_PUBLIC)
            *has_public = true;
        else
            names[count++] = CStringGetTextDatum(get_rolespec_name(role));
    }
    return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

static char *role_list(Datum roles, bool has_public)
{
    StringInfoData list;
    initStringInfo(&list);
    if (has_public)
        append_name(&list, "PUBLIC");
    Datum *names;
    bool *nulls;
    int count;
    deconstruct_array(DatumGetArrayTypeP(roles), TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls,
                      &count);
    for (int i = 0; i < count; i++)
        append_name(&list, quote_identifier(TextDatumGetCString(names[i])));
    return list.data;
}

static char *grant_sql(const GrantStmt *statement, const char *objects, const char *roles)
{
    const char *kind = statement->objtype == OBJECT_SCHEMA  ? "SCHEMA"
                       : statement->objtype == OBJECT_TABLE ? "TABLE"
                       : is_routine(statement->objtype)     ? "ROUTINE"
                                                            : "TYPE";
    const char *privileges = granted_privileges(statement);
    if (statement->is_grant)
        return psprintf("GRANT %s ON %s %s TO %s%s", privileges, kind, objects, roles,
                        statement->grant_option ? " WITH GRANT OPTION" : "");
    return psprintf("REVOKE %s%s ON %s %s FROM %s%s",
                    statement->grant_option ? "GRANT OPTION FOR " : "", privileges, kind, objects,
                    roles, statement->behavior == DROP_CASCADE ? " CASCADE" : "");
}

bool forward_grant(const UtilityCall &call, GrantStmt *original)
{
    if (original->targtype == ACL_TARGET_DEFAULTS)
        return false;
    char *objects = granted_objects(original);
    if (objects[0] == '\0')
        return false;
    GrantStmt *statement = copy_node(original);
    run_locally(call);
    bool has_public;
    Datum grantees = role_names(statement->grantees, &has_public);
    Management management = begin_ddl();
    ListCell *cell;
    foreach (cell, management.targets) {
        const Target *target = static_cast<Target *>(lfirst(cell));
        char *roles = role_list(roles_on_shard(target, grantees, false), has_public);
        if (roles[0] != '\0')
            run_command(target->connection, grant_sql(statement, objects, roles));
    }
    end_management(&management);
    return true;
}

// ---- owners -------------------------------------------------------------------------------------

// What the shards have that has an owner: tables (of class pg_class) and shipped objects.
static List *list_owned_objects()
{
    List *owned = list_shipped_objects();
    ListCell *cell;
    foreach (cell, list_distributions()) {
        ListCell *member;
        foreach (member, table_tree(lfirst_oid(cell), NoLock)) {
            ShippedObject *table = static_cast<ShippedObject *>(palloc(sizeof(ShippedObject)));
            *table = {RelationRelationId, lfirst_oid(member)};
            owned = lappend(owned, table);
        }
    }
    return owned;
}

static Oid owner_of(const ShippedObject *object)
{
    return object->class_id == RelationRelationId
               ? table_owner(object->object_id)
               : object_owner(object->class_id, object->object_id);
}

static void give_to_owner(const List *targets, const ShippedObject *object)
{
    if (object->class_id == RelationRelationId)
        give_tables_to_owner(targets, object->object_id);
    else
        give_object_to_owner(targets, object->class_id, object->object_id);
}

bool forward_reassign(const UtilityCall &call)
{
    const List *objects = list_owned_objects();
    List *owners = NIL;
    const ListCell *cell, *before;
    foreach (cell, objects)
        owners = lappend_oid(owners, owner_of(static_cast<ShippedObject *>(lfirst(cell))));
    run_locally(call);
    CommandCounterIncrement();
    List *changed = NIL;
    forboth (cell, objects, before, owners) {
        ShippedObject *object = static_cast<ShippedObject *>(lfirst(cell));
        if (owner_of(object) != lfirst_oid(before))
            changed = lappend(changed, object);
    }
    if (changed == NIL)
        return true;
    Management management = begin_ddl();
    foreach (cell, changed)
        give_to_owner(management.targets, static_cast<ShippedObject *>(lfirst(cell)));
    end_management(&management);
    return true;
}

// The object of ALTER ... OWNER TO, if the shards have it; InvalidOid otherwise.
static ShippedObject owned_object(const AlterOwnerStmt *statement)
{
    ShippedObject object = {};
    switch (statement->objectType) {
    case OBJECT_TYPE:
    case OBJECT_DOMAIN:
        object = {TypeRelationId, shipped_type(castNode(List, statement->object))};
        break;
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
    case OBJECT_AGGREGATE:
        object = {ProcedureRelationId, shipped_routine(statement->objectType, statement->object)};
        break;
    case OBJECT_SCHEMA:
        object = {NamespaceRelationId, get_namespace_oid(strVal(statement->object), true)};
        break;
    default:
        object = named_object(statement->objectType, statement->object);
    }
    return is_shipped_object(object.class_id, object.object_id) ? object : ShippedObject{};
}

static bool forward_statistics_owner(const UtilityCall &call, const AlterOwnerStmt *statement)
{
    Oid statistics = get_statistics_object_oid(castNode(List, statement->object), true);
    if (!OidIsValid(statistics) || !OidIsValid(table_of_statistics(statistics)))
        return false;
    run_locally(call);
    CommandCounterIncrement();
    SqlRows rows =
        query_router("SELECT stxowner FROM pg_statistic_ext WHERE oid = $1", 1, &statistics);
    Management management = begin_ddl();
    give_to_role(management.targets,
                 psprintf("STATISTICS %s", qualified_statistics_name(statistics)),
                 atooid(rows.values[0][0]));
    end_management(&management);
    return true;
}

bool forward_alter_owner(const UtilityCall &call, AlterOwnerStmt *statement)
{
    if (statement->objectType == OBJECT_STATISTIC_EXT)
        return forward_statistics_owner(call, statement);
    ShippedObject object = owned_object(statement);
    if (!OidIsValid(object.object_id))
        return false;
    run_locally(call);
    CommandCounterIncrement();
    Management management = begin_ddl();
    give_to_owner(management.targets, &object);
    end_management(&management);
    return true;
}

// ---- DROP OWNED ---------------------------------------------------------------------------------

// "TABLE a, b", "ROUTINE f()" and so on: all that the shards have and that privileges are granted
// on.
static List *list_grantable_objects()
{
    struct Kind {
        Oid class_id;
        const char *name;
        StringInfoData list;
    } kinds[] = {{RelationRelationId, "TABLE", {}},
                 {ProcedureRelationId, "ROUTINE", {}},
                 {TypeRelationId, "TYPE", {}},
                 {NamespaceRelationId, "SCHEMA", {}}};
    for (Kind &kind : kinds)
        initStringInfo(&kind.list);
    ListCell *cell;
    foreach (cell, list_owned_objects()) {
        const ShippedObject *object = static_cast<ShippedObject *>(lfirst(cell));
        const char *name = object_identity(object->class_id, object->object_id);
        for (Kind &kind : kinds)
            if (kind.class_id == object->class_id)
                append_name(&kind.list, name);
    }
    List *all = NIL;
    for (Kind &kind : kinds)
        if (kind.list.len > 0)
            all = lappend(all, psprintf("%s %s", kind.name, kind.list.data));
    return all;
}

struct PolicyRoles {
    Oid policy;
    Oid relid;
    char *name;
    char *roles;
};

static List *list_policies()
{
    SqlRows rows = query_router("SELECT oid, polrelid, polname, polroles::text FROM pg_policy");
    List *policies = NIL;
    for (int i = 0; i < rows.count; i++) {
        char **row = rows.values[i];
        if (find_table(atooid(row[1])) == nullptr)
            continue;
        PolicyRoles *policy = static_cast<PolicyRoles *>(palloc(sizeof(PolicyRoles)));
        *policy = {atooid(row[0]), atooid(row[1]), row[2], row[3]};
        policies = lappend(policies, policy);
    }
    return policies;
}

// Policies that have lost a role.
static void follow_policies(const List *before)
{
    const ListCell *cell, *other;
    foreach (cell, list_policies()) {
        const PolicyRoles *now = static_cast<PolicyRoles *>(lfirst(cell));
        foreach (other, before) {
            const PolicyRoles *then = static_cast<PolicyRoles *>(lfirst(other));
            if (then->policy == now->policy && strcmp(then->roles, now->roles) != 0)
                replace_policy(now->relid, now->name, now->name);
        }
    }
}

void forward_drop_owned(const UtilityCall &call, DropOwnedStmt *statement)
{
    bool has_public;
    Datum names = role_names(statement->roles, &has_public);
    const List *policies = list_policies();
    run_drop(call);
    CommandCounterIncrement();
    follow_policies(policies);
    const List *objects = list_grantable_objects();
    if (objects == NIL)
        return;
    Management management = begin_ddl();
    const ListCell *cell, *object;
    foreach (cell, management.targets) {
        const Target *target = static_cast<Target *>(lfirst(cell));
        char *roles = role_list(roles_on_shard(target, names, false), false);
        foreach (object, objects)
            if (roles[0] != '\0')
                run_command(target->connection,
                            psprintf("REVOKE ALL ON %s FROM %s CASCADE",
                                     static_cast<char *>(lfirst(object)), roles));
    }
    end_management(&management);
}

} // namespace shardwise
