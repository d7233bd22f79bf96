// CREATE INDEX.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "ddl/ddl.hpp"
#include "ddl/forward.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_checks.hpp"
#include "ddl/table_definition.hpp"

extern "C" {
#include "catalog/index.h"
}

namespace shardwise
{

static List *indexes_of_tree(Oid relid)
{
    List *indexes = NIL;
    ListCell *cell;
    foreach (cell, table_tree(relid, NoLock)) {
        Relation rel = table_open(lfirst_oid(cell), AccessShareLock);
        indexes = list_concat(indexes, RelationGetIndexList(rel));
        table_close(rel, NoLock);
    }
    return indexes;
}

// Statements that make the new indexes, parents first. On a partitioned table each is made alone
// and attached, so that all have the router's names.
static List *new_index_sql(Oid relid, const List *before)
{
    List *statements = NIL;
    List *added = list_difference_oid(indexes_of_tree(relid), before);
    ListCell *cell;
    foreach (cell, indexes_of_tree(relid)) {
        Oid index = lfirst_oid(cell);
        if (list_member_oid(added, index)) {
            SqlRows rows = query_router("SELECT pg_get_indexdef($1)", 1, &index);
            statements = lappend(statements, rows.values[0][0]);
        }
        SqlRows parents =
            query_router("SELECT inhparent FROM pg_inherits WHERE inhrelid = $1", 1, &index);
        Oid parent = parents.count > 0 ? atooid(parents.values[0][0]) : InvalidOid;
        if (list_member_oid(added, parent))
            statements = lappend(statements, psprintf("ALTER INDEX %s ATTACH PARTITION %s",
                                                      qualified_table_name(parent),
                                                      qualified_table_name(index)));
    }
    return statements;
}

bool forward_create_index(const UtilityCall &call, IndexStmt *statement)
{
    Oid relid = named_shipped_relation(statement->relation);
    if (!OidIsValid(relid))
        return false;
    check_ddl_allowed(relid, "CREATE INDEX");
    if (statement->concurrent && call.context == PROCESS_UTILITY_TOPLEVEL) {
        create_index_concurrently(call, statement, relid);
        return true;
    }
    List *before = indexes_of_tree(relid);
    run_locally(call);
    CommandCounterIncrement();
    check_indexes_contain_key(relid);
    List *statements = new_index_sql(relid, before);
    if (statements != NIL)
        change_shards(statements, relid);
    return true;
}

} // namespace shardwise
