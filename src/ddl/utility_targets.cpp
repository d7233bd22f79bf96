#include "ddl/utility_targets.hpp"

#include "catalog/catalog.hpp"
#include "ddl/forward.hpp"

namespace shardwise
{

namespace
{

Oid first_named_relation(List *names)
{
    ListCell *cell;
    foreach (cell, names) {
        Oid relid = named_shipped_relation((RangeVar *)lfirst(cell));
        if (OidIsValid(relid))
            return relid;
    }
    return InvalidOid;
}

Oid constraint_target(Node *node)
{
    Constraint *constraint = (Constraint *)node;
    if (node == nullptr || !IsA(node, Constraint) || constraint->contype != CONSTR_FOREIGN)
        return InvalidOid;
    Oid relid = named_shipped_relation(constraint->pktable);
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
    } else if (IsA(statement, AlterTableStmt) &&
               !OidIsValid(named_shipped_relation(((AlterTableStmt *)statement)->relation))) {
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
        return named_shipped_relation(((CopyStmt *)statement)->relation);
    case T_TruncateStmt:
        return first_named_relation(((TruncateStmt *)statement)->relations);
    default:
        return InvalidOid;
    }
}

} // namespace shardwise
