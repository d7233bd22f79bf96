// SET CONSTRAINTS: the shards check the constraints of their rows, when the router's session says.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "ddl/ddl.hpp"
#include "ddl/forward.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

struct Found {
    bool exists;  // some table has a constraint of that name
    bool shipped; // and the shards have the table
};

// Deferrable constraints of a schema: by their name, or all (nullptr, InvalidOid).
Found find_constraints(const char *name, Oid schema)
{
    Found found = {};
    ScanKeyData keys[2];
    if (name != nullptr) {
        ScanKeyInit(&keys[0], Anum_pg_constraint_conname, BTEqualStrategyNumber, F_NAMEEQ,
                    CStringGetDatum(name));
        ScanKeyInit(&keys[1], Anum_pg_constraint_connamespace, BTEqualStrategyNumber, F_OIDEQ,
                    ObjectIdGetDatum(schema));
    }
    Relation rel = table_open(ConstraintRelationId, AccessShareLock);
    SysScanDesc scan =
        systable_beginscan(rel, name != nullptr ? ConstraintNameNspIndexId : InvalidOid,
                           name != nullptr, nullptr, name != nullptr ? 2 : 0, keys);
    HeapTuple tuple;
    while (!found.shipped && HeapTupleIsValid(tuple = systable_getnext(scan))) {
        Form_pg_constraint constraint = (Form_pg_constraint)GETSTRUCT(tuple);
        found.exists = true;
        found.shipped = constraint->condeferrable && OidIsValid(constraint->conrelid) &&
                        find_table(constraint->conrelid) != nullptr;
    }
    systable_endscan(scan);
    table_close(rel, AccessShareLock);
    return found;
}

// The constraints of a name in the first schema that has any, as PostgreSQL chooses. nullptr if
// the shards have none of them.
char *find_named(const RangeVar *name)
{
    List *schemas = name->schemaname != nullptr
                        ? list_make1_oid(LookupExplicitNamespace(name->schemaname, false))
                        : fetch_search_path(true);
    ListCell *cell;
    foreach (cell, schemas) {
        Found found = find_constraints(name->relname, lfirst_oid(cell));
        if (found.shipped)
            return quote_qualified_identifier(get_namespace_name(lfirst_oid(cell)), name->relname);
        if (found.exists)
            return nullptr;
    }
    return nullptr;
}

// What the shards are told; nullptr if no constraint of theirs is concerned.
char *shards_command(const ConstraintsSetStmt *statement)
{
    const char *when = statement->deferred ? "DEFERRED" : "IMMEDIATE";
    if (statement->constraints == NIL)
        return find_constraints(nullptr, InvalidOid).shipped
                   ? psprintf("SET CONSTRAINTS ALL %s", when)
                   : nullptr;
    StringInfoData names;
    initStringInfo(&names);
    ListCell *cell;
    foreach (cell, statement->constraints) {
        char *name = find_named(lfirst_node(RangeVar, cell));
        if (name != nullptr)
            appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", name);
    }
    return names.len > 0 ? psprintf("SET CONSTRAINTS %s %s", names.data, when) : nullptr;
}

} // namespace

bool forward_set_constraints(const UtilityCall &call, ConstraintsSetStmt *statement)
{
    // Of a command that is a transaction of its own nothing is left for the shards.
    if (!IsInTransactionBlock(call.context == PROCESS_UTILITY_TOPLEVEL))
        return false;
    run_locally(call);
    char *sql = shards_command(statement);
    if (sql == nullptr)
        return true;
    run_in_transactions(sql);
    return true;
}

} // namespace shardwise
