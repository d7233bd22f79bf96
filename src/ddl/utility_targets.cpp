#include "ddl/utility_targets.hpp"

#include "catalog/catalog.hpp"

extern "C" {
#include "catalog/index.h"
#include "catalog/objectaddress.h"
#include "catalog/dependency.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "parser/parse_func.h"
#include "parser/parse_type.h"
#include "utils/fmgroids.h"
#include "utils/regproc.h"
}

namespace shardwise
{

namespace
{

// A table, or the table of an index.
Oid shipped_relation(Oid relid)
{
    if (!OidIsValid(relid))
        return InvalidOid;
    char kind = get_rel_relkind(relid);
    if (kind == RELKIND_INDEX || kind == RELKIND_PARTITIONED_INDEX)
        relid = IndexGetRelation(relid, true);
    return OidIsValid(relid) && find_table(relid) != nullptr ? relid : InvalidOid;
}

Oid named_relation(const RangeVar *name)
{
    if (name == nullptr)
        return InvalidOid;
    return shipped_relation(RangeVarGetRelid(name, NoLock, true));
}

Oid first_named_relation(List *names)
{
    ListCell *cell;
    foreach (cell, names) {
        Oid relid = named_relation((RangeVar *)lfirst(cell));
        if (OidIsValid(relid))
            return relid;
    }
    return InvalidOid;
}

// What the router alone enforces or keeps: owners, privileges, row-level security, statistics.
bool is_routers_affair(const AlterTableCmd *command)
{
    switch (command->subtype) {
    case AT_ChangeOwner:
    case AT_EnableRowSecurity:
    case AT_DisableRowSecurity:
    case AT_ForceRowSecurity:
    case AT_NoForceRowSecurity:
    case AT_SetStatistics:
        return true;
    default:
        return false;
    }
}

// DROP of a table is followed to the shards by the drop hook; parts of a table are not.
Oid drop_target(DropStmt *statement)
{
    if (statement->removeType != OBJECT_INDEX && statement->removeType != OBJECT_TRIGGER &&
        statement->removeType != OBJECT_STATISTIC_EXT)
        return InvalidOid;
    ListCell *cell;
    foreach (cell, statement->objects) {
        Relation relation = nullptr;
        ObjectAddress address = get_object_address(statement->removeType, (Node *)lfirst(cell),
                                                   &relation, AccessShareLock, true);
        Oid relid = InvalidOid;
        if (relation != nullptr) {
            relid = RelationGetRelid(relation);
            table_close(relation, NoLock);
        }
        if (OidIsValid(address.objectId) && statement->removeType == OBJECT_TRIGGER && relid != 0)
            relid = shipped_relation(relid);
        else
            relid = address.classId == RelationRelationId ? shipped_relation(address.objectId)
                                                          : InvalidOid;
        if (OidIsValid(relid))
            return relid;
    }
    return InvalidOid;
}

// Some distributed or reference table that depends directly on an object.
Oid dependent_table(Oid class_id, Oid object)
{
    ScanKeyData keys[2];
    HeapTuple tuple;
    Oid found = InvalidOid;
    Relation depend = table_open(DependRelationId, AccessShareLock);
    ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(class_id));
    ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(object));
    SysScanDesc scan = systable_beginscan(depend, DependReferenceIndexId, true, nullptr, 2, keys);
    while (!OidIsValid(found) && HeapTupleIsValid(tuple = systable_getnext(scan))) {
        Form_pg_depend row = (Form_pg_depend)GETSTRUCT(tuple);
        if (row->classid == RelationRelationId)
            found = shipped_relation(row->objid);
    }
    systable_endscan(scan);
    table_close(depend, AccessShareLock);
    return found;
}

Oid table_with_type(Oid type)
{
    if (!OidIsValid(type))
        return InvalidOid;
    Oid relid = dependent_table(TypeRelationId, type);
    Oid array = get_array_type(type);
    return OidIsValid(relid) || !OidIsValid(array) ? relid : dependent_table(TypeRelationId, array);
}

Oid table_with_named_type(List *name)
{
    return table_with_type(LookupTypeNameOid(nullptr, makeTypeNameFromNameList(name), true));
}

Oid table_in_schema(const char *name)
{
    Oid schema = get_namespace_oid(name, true);
    return OidIsValid(schema) ? dependent_table(NamespaceRelationId, schema) : InvalidOid;
}

// A function that shards have as well, because some table there calls it, perhaps by way of a
// constraint or trigger; 0A000 where that table is not named.
Oid table_with_function(Oid function)
{
    if (!OidIsValid(function) || !function_is_shipped(function))
        return InvalidOid;
    Oid relid = dependent_table(ProcedureRelationId, function);
    if (OidIsValid(relid))
        return relid;
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot change function %s, which the shards have too",
                           format_procedure(function)),
                    errdetail("The shards' function would not change with it.")));
}

Oid replaced_function(CreateFunctionStmt *statement)
{
    if (!statement->replace)
        return InvalidOid;
    ObjectWithArgs *object = makeNode(ObjectWithArgs);
    object->objname = statement->funcname;
    ListCell *cell;
    foreach (cell, statement->parameters) {
        FunctionParameter *parameter = (FunctionParameter *)lfirst(cell);
        if (parameter->mode != FUNC_PARAM_OUT && parameter->mode != FUNC_PARAM_TABLE)
            object->objargs = lappend(object->objargs, parameter->argType);
    }
    return LookupFuncWithArgs(OBJECT_ROUTINE, object, true);
}

Oid alter_table_target(AlterTableStmt *statement)
{
    if (statement->objtype == OBJECT_TYPE)
        return table_with_type(
            get_rel_type_id(RangeVarGetRelid(statement->relation, NoLock, true)));
    ListCell *cell;
    foreach (cell, statement->cmds) {
        AlterTableCmd *command = (AlterTableCmd *)lfirst(cell);
        if (IsA(command, AlterTableCmd) && !is_routers_affair(command))
            return named_relation(statement->relation);
    }
    return InvalidOid;
}

Oid rename_target(RenameStmt *statement)
{
    switch (statement->renameType) {
    case OBJECT_SCHEMA:
        return table_in_schema(statement->subname);
    case OBJECT_TYPE:
    case OBJECT_DOMAIN:
    case OBJECT_DOMCONSTRAINT:
        return table_with_named_type((List *)statement->object);
    case OBJECT_ATTRIBUTE:
        return table_with_type(
            get_rel_type_id(RangeVarGetRelid(statement->relation, NoLock, true)));
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
        return table_with_function(
            LookupFuncWithArgs(statement->renameType, (ObjectWithArgs *)statement->object, true));
    case OBJECT_TABLE:
    case OBJECT_COLUMN:
    case OBJECT_INDEX:
    case OBJECT_TABCONSTRAINT:
    case OBJECT_TRIGGER:
        return named_relation(statement->relation);
    default:
        return InvalidOid;
    }
}

Oid set_schema_target(AlterObjectSchemaStmt *statement)
{
    switch (statement->objectType) {
    case OBJECT_TYPE:
    case OBJECT_DOMAIN:
        return table_with_named_type((List *)statement->object);
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
        return table_with_function(
            LookupFuncWithArgs(statement->objectType, (ObjectWithArgs *)statement->object, true));
    default:
        return named_relation(statement->relation);
    }
}

Oid create_table_target(CreateStmt *statement)
{
    return first_named_relation(statement->inhRelations); // INHERITS, PARTITION OF
}

Oid constraint_target(Node *node)
{
    Constraint *constraint = (Constraint *)node;
    if (node == nullptr || !IsA(node, Constraint) || constraint->contype != CONSTR_FOREIGN)
        return InvalidOid;
    Oid relid = named_relation(constraint->pktable);
    return OidIsValid(relid) && !find_table(relid)->is_reference ? relid : InvalidOid;
}

Oid element_target(Node *element)
{
    if (element == nullptr || !IsA(element, ColumnDef))
        return constraint_target(element);
    ListCell *cell;
    foreach (cell, ((ColumnDef *)element)->constraints) {
        Oid relid = constraint_target((Node *)lfirst(cell));
        if (OidIsValid(relid))
            return relid;
    }
    return InvalidOid;
}

} // namespace

Oid find_referenced_table(Node *statement)
{
    List *elements = NIL;
    ListCell *cell;
    if (IsA(statement, CreateStmt)) {
        elements = ((CreateStmt *)statement)->tableElts;
    } else if (IsA(statement, AlterTableStmt)) {
        foreach (cell, ((AlterTableStmt *)statement)->cmds)
            if (IsA(lfirst(cell), AlterTableCmd))
                elements = lappend(elements, ((AlterTableCmd *)lfirst(cell))->def);
    }
    foreach (cell, elements) {
        Oid relid = element_target((Node *)lfirst(cell));
        if (OidIsValid(relid))
            return relid;
    }
    return InvalidOid;
}

Oid find_utility_target(Node *statement)
{
    switch (nodeTag(statement)) {
    case T_CopyStmt:
        return named_relation(((CopyStmt *)statement)->relation);
    case T_TruncateStmt:
        return first_named_relation(((TruncateStmt *)statement)->relations);
    case T_IndexStmt:
        return named_relation(((IndexStmt *)statement)->relation);
    case T_AlterTableStmt:
        return alter_table_target((AlterTableStmt *)statement);
    case T_RenameStmt:
        return rename_target((RenameStmt *)statement);
    case T_AlterObjectSchemaStmt:
        return set_schema_target((AlterObjectSchemaStmt *)statement);
    case T_CreateTrigStmt:
        return named_relation(((CreateTrigStmt *)statement)->relation);
    case T_CreateStatsStmt:
        return first_named_relation(((CreateStatsStmt *)statement)->relations);
    case T_ReindexStmt:
        return named_relation(((ReindexStmt *)statement)->relation);
    case T_ClusterStmt:
        return named_relation(((ClusterStmt *)statement)->relation);
    case T_CreateStmt:
        return create_table_target((CreateStmt *)statement);
    case T_CreateFunctionStmt:
        return table_with_function(replaced_function((CreateFunctionStmt *)statement));
    case T_AlterFunctionStmt:
        return table_with_function(LookupFuncWithArgs(((AlterFunctionStmt *)statement)->objtype,
                                                      ((AlterFunctionStmt *)statement)->func,
                                                      true));
    case T_AlterEnumStmt:
        return table_with_named_type(((AlterEnumStmt *)statement)->typeName);
    case T_AlterDomainStmt:
        return table_with_named_type(((AlterDomainStmt *)statement)->typeName);
    case T_DropStmt:
        return drop_target((DropStmt *)statement);
    default:
        return InvalidOid;
    }
}

} // namespace shardwise
