// GRANT and REVOKE on tables and schemas, and REASSIGN OWNED, for the roles that a shard knows.
#include "pg/pg.hpp"

#include "ddl/catalog_rows.hpp"
#include "ddl/ddl.hpp"
#include "ddl/forward.hpp"
#include "ddl/table_definition.hpp"

extern "C" {
#include "catalog/pg_namespace.h"
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
        }
    }
    return list.data;
}

// Names of the grantees as text[], and whether PUBLIC is among them.
static Datum grantee_names(const GrantStmt *statement, bool *has_public)
{
    Datum *names = static_cast<Datum *>(palloc(list_length(statement->grantees) * sizeof(Datum)));
    int count = 0;
    *has_public = false;
    ListCell *cell;
    foreach (cell, statement->grantees) {
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
    const char *kind = statement->objtype == OBJECT_SCHEMA ? "SCHEMA" : "TABLE";
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
    Datum grantees = grantee_names(statement, &has_public);
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

static List *owners_of_tables(List *relids)
{
    List *owners = NIL;
    ListCell *cell;
    foreach (cell, relids)
        owners = lappend_oid(owners, table_owner(lfirst_oid(cell)));
    return owners;
}

bool forward_reassign(const UtilityCall &call)
{
    List *relids = NIL;
    ListCell *cell, *before;
    foreach (cell, list_distributions())
        relids = list_concat(relids, table_tree(lfirst_oid(cell), NoLock));
    List *owners = owners_of_tables(relids);
    run_locally(call);
    CommandCounterIncrement();
    List *changed = NIL;
    forboth(cell, relids, before, owners) if (table_owner(lfirst_oid(cell)) != lfirst_oid(before))
        changed = lappend_oid(changed, lfirst_oid(cell));
    if (changed == NIL)
        return true;
    Management management = begin_ddl();
    foreach (cell, changed)
        give_tables_to_owner(management.targets, lfirst_oid(cell));
    end_management(&management);
    return true;
}

} // namespace shardwise
