#include "ddl/utility_targets.hpp"

#include "catalog/catalog.hpp"

extern "C" {
#include "catalog/index.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_trigger.h"
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

Oid alter_table_target(AlterTableStmt *statement)
{
    ListCell *cell;
    foreach (cell, statement->cmds) {
        AlterTableCmd *command = (AlterTableCmd *)lfirst(cell);
        if (IsA(command, AlterTableCmd) && !is_routers_affair(command))
            return named_relation(statement->relation);
    }
    return InvalidOid;
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

Oid rename_target(RenameStmt *statement)
{
    switch (statement->renameType) {
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

Oid create_table_target(CreateStmt *statement)
{
    return first_named_relation(statement->inhRelations); // INHERITS, PARTITION OF
}

} // namespace

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
        return named_relation(((AlterObjectSchemaStmt *)statement)->relation);
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
    case T_DropStmt:
        return drop_target((DropStmt *)statement);
    default:
        return InvalidOid;
    }
}

} // namespace shardwise
