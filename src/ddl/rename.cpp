// RENAME and SET SCHEMA of tables, their parts, and what they need.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/dependencies.hpp"
#include "ddl/forward.hpp"
#include "ddl/key_check_triggers.hpp"
#include "ddl/object_access.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"

extern "C" {
#include "catalog/objectaddress.h"
#include "catalog/partition.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_statistic_ext.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "parser/parse_func.h"
#include "parser/parse_type.h"
#include "utils/inval.h"
#include "utils/regproc.h"
}

namespace shardwise
{

Oid shipped_type(List *name)
{
    Oid type = LookupTypeNameOid(nullptr, makeTypeNameFromNameList(name), true);
    return OidIsValid(type) && is_shipped_object(TypeRelationId, type) ? type : InvalidOid;
}

Oid shipped_routine(ObjectType kind, Node *object)
{
    Oid function = LookupFuncWithArgs(kind, castNode(ObjectWithArgs, object), true);
    return OidIsValid(function) && function_is_shipped(function) ? function : InvalidOid;
}

Oid table_of_statistics(Oid statistics)
{
    HeapTuple tuple = SearchSysCache1(STATEXTOID, ObjectIdGetDatum(statistics));
    if (!HeapTupleIsValid(tuple))
        return InvalidOid;
    Oid relid = ((Form_pg_statistic_ext)GETSTRUCT(tuple))->stxrelid;
    ReleaseSysCache(tuple);
    return shipped_relation(relid);
}

char *qualified_statistics_name(Oid statistics)
{
    HeapTuple tuple = SearchSysCache1(STATEXTOID, ObjectIdGetDatum(statistics));
    Form_pg_statistic_ext form = (Form_pg_statistic_ext)GETSTRUCT(tuple);
    char *name =
        quote_qualified_identifier(get_namespace_name(form->stxnamespace), NameStr(form->stxname));
    ReleaseSysCache(tuple);
    return name;
}

// A collation, operator, or text search object that the shards have.
static char *other_object(ObjectType kind, Node *name)
{
    ShippedObject object = named_object(kind, name);
    return OidIsValid(object.object_id) ? shipped_object_name(object.class_id, object.object_id)
                                        : nullptr;
}

// What the shards call the object that a statement renames: "TABLE public.t"; nullptr where they
// have no such object. *relid is the table that it belongs to, if any.
static char *renamed_object(RenameStmt *statement, Oid *relid)
{
    *relid = InvalidOid;
    Oid object;
    switch (statement->renameType) {
    case OBJECT_TABLE:
    case OBJECT_INDEX:
    case OBJECT_COLUMN:
    case OBJECT_TABCONSTRAINT:
    case OBJECT_TRIGGER:
    case OBJECT_POLICY:
        object = RangeVarGetRelid(statement->relation, NoLock, true);
        *relid = shipped_relation(object);
        if (!OidIsValid(*relid))
            return nullptr;
        return psprintf("%s %s", object == *relid ? "TABLE" : "INDEX",
                        qualified_table_name(object));
    case OBJECT_STATISTIC_EXT:
        object = get_statistics_object_oid(castNode(List, statement->object), true);
        *relid = table_of_statistics(object);
        return OidIsValid(*relid) ? psprintf("STATISTICS %s", qualified_statistics_name(object))
                                  : nullptr;
    case OBJECT_SCHEMA:
        object = get_namespace_oid(statement->subname, true);
        return OidIsValid(object) && is_shipped_object(NamespaceRelationId, object)
                   ? psprintf("SCHEMA %s", quote_identifier(statement->subname))
                   : nullptr;
    case OBJECT_TYPE:
    case OBJECT_DOMAIN:
    case OBJECT_DOMCONSTRAINT:
        object = shipped_type(castNode(List, statement->object));
        return OidIsValid(object)
                   ? psprintf("%s %s",
                              statement->renameType == OBJECT_DOMCONSTRAINT ? "DOMAIN" : "TYPE",
                              format_type_be_qualified(object))
                   : nullptr;
    case OBJECT_ATTRIBUTE:
        object = get_rel_type_id(RangeVarGetRelid(statement->relation, NoLock, true));
        return OidIsValid(object) && is_shipped_object(TypeRelationId, object)
                   ? psprintf("TYPE %s", format_type_be_qualified(object))
                   : nullptr;
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
    case OBJECT_AGGREGATE:
        object = shipped_routine(statement->renameType, statement->object);
        return OidIsValid(object) ? psprintf("ROUTINE %s", format_procedure_qualified(object))
                                  : nullptr;
    default:
        return other_object(statement->renameType, statement->object);
    }
}

static char *rename_sql(const RenameStmt *statement, const char *object)
{
    const char *old_name =
        statement->subname != nullptr ? quote_identifier(statement->subname) : nullptr;
    const char *new_name = quote_identifier(statement->newname);
    const char *cascade = statement->behavior == DROP_CASCADE ? " CASCADE" : "";
    switch (statement->renameType) {
    case OBJECT_COLUMN:
        return psprintf("ALTER %s RENAME COLUMN %s TO %s", object, old_name, new_name);
    case OBJECT_ATTRIBUTE:
        return psprintf("ALTER %s RENAME ATTRIBUTE %s TO %s%s", object, old_name, new_name,
                        cascade);
    case OBJECT_TABCONSTRAINT:
    case OBJECT_DOMCONSTRAINT:
        return psprintf("ALTER %s RENAME CONSTRAINT %s TO %s", object, old_name, new_name);
    case OBJECT_TRIGGER:
        return psprintf("ALTER TRIGGER %s ON %s RENAME TO %s", old_name, strchr(object, ' ') + 1,
                        new_name);
    default:
        return psprintf("ALTER %s RENAME TO %s", object, new_name);
    }
}

// Statements for the shards name partitions where tableoid is asked for.
static void tell_parents(Oid relid)
{
    ListCell *cell;
    foreach (cell, get_partition_ancestors(relid))
        CacheInvalidateRelcacheByRelid(lfirst_oid(cell));
}

void forget_texts()
{
    CacheInvalidateRelcacheAll();
}

// Under another name the catalog would not be found, and tables were local and empty.
static void refuse_own_schema(const RenameStmt *statement)
{
    if (statement->renameType == OBJECT_SCHEMA &&
        get_namespace_oid(statement->subname, true) == schema_oid())
        ereport(ERROR,
                (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
                 errmsg("cannot rename schema \"%s\" because extension shardwise requires it",
                        statement->subname)));
}

bool forward_rename(const UtilityCall &call, RenameStmt *original)
{
    refuse_own_schema(original);
    Oid relid;
    char *object = renamed_object(original, &relid);
    if (object == nullptr)
        return false;
    if (OidIsValid(relid))
        check_ddl_allowed(relid, "ALTER ... RENAME");
    RenameStmt *statement = copy_node(original);
    bool is_key = statement->renameType == OBJECT_COLUMN &&
                  is_key_column(find_table(relid), get_attnum(relid, statement->subname));
    List *statements = NIL;
    if (statement->renameType == OBJECT_TRIGGER)
        statements = rename_key_check_sql(relid, get_trigger_oid(relid, statement->subname, true),
                                          statement->newname);
    run_locally(call);
    if (is_key)
        rename_key_column(relid, statement->subname, statement->newname);
    CommandCounterIncrement();
    if (OidIsValid(relid))
        tell_parents(relid);
    else
        forget_texts();
    if (statement->renameType == OBJECT_POLICY)
        replace_policy(relid, statement->subname, statement->newname);
    else
        change_shards(lappend(statements, rename_sql(statement, object)));
    return true;
}

// The same for SET SCHEMA.
static char *moved_object(AlterObjectSchemaStmt *statement, Oid *relid)
{
    *relid = InvalidOid;
    Oid object;
    switch (statement->objectType) {
    case OBJECT_TABLE:
        *relid = named_shipped_relation(statement->relation);
        return OidIsValid(*relid) ? psprintf("TABLE %s", qualified_table_name(*relid)) : nullptr;
    case OBJECT_STATISTIC_EXT:
        object = get_statistics_object_oid(castNode(List, statement->object), true);
        *relid = table_of_statistics(object);
        return OidIsValid(*relid) ? psprintf("STATISTICS %s", qualified_statistics_name(object))
                                  : nullptr;
    case OBJECT_TYPE:
    case OBJECT_DOMAIN:
        object = shipped_type(castNode(List, statement->object));
        return OidIsValid(object) ? psprintf("TYPE %s", format_type_be_qualified(object)) : nullptr;
    case OBJECT_EXTENSION:
        if (list_distributions() == NIL ||
            !OidIsValid(get_extension_oid(strVal(statement->object), true)))
            return nullptr;
        return psprintf("EXTENSION %s", quote_identifier(strVal(statement->object)));
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
    case OBJECT_AGGREGATE:
        object = shipped_routine(statement->objectType, statement->object);
        return OidIsValid(object) ? psprintf("ROUTINE %s", format_procedure_qualified(object))
                                  : nullptr;
    default:
        return other_object(statement->objectType, statement->object);
    }
}

static void create_schema_on_shards(Oid schema)
{
    Management management = begin_ddl();
    create_objects_on(management.targets, find_objects_of(NamespaceRelationId, schema));
    end_management(&management);
}

bool forward_set_schema(const UtilityCall &call, AlterObjectSchemaStmt *statement)
{
    Oid relid;
    char *object = moved_object(statement, &relid);
    if (object == nullptr)
        return false;
    if (OidIsValid(relid))
        check_ddl_allowed(relid, "ALTER ... SET SCHEMA");
    char *schema = pstrdup(statement->newschema);
    char *extension =
        statement->objectType == OBJECT_EXTENSION ? pstrdup(strVal(statement->object)) : nullptr;
    run_locally(call);
    CommandCounterIncrement();
    if (OidIsValid(relid))
        tell_parents(relid);
    else
        forget_texts();
    Oid schema_id = get_namespace_oid(schema, false);
    if (schema_id >= FirstNormalObjectId && !is_shipped_object(NamespaceRelationId, schema_id))
        create_schema_on_shards(schema_id);
    char *sql = psprintf("ALTER %s SET SCHEMA %s", object, quote_identifier(schema));
    change_shards(extension != nullptr ? if_extension_exists(extension, sql) : sql);
    return true;
}

} // namespace shardwise
