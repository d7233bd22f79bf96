// CREATE INDEX CONCURRENTLY and DROP INDEX CONCURRENTLY. They cannot be part of a transaction, here
// or on a shard, so that one shard may fail alone. What is left then is what PostgreSQL leaves: an
// invalid index, on the router too, which DROP INDEX takes away everywhere.
#include "pg/pg.hpp"

#include "ddl/concurrent_index.hpp"
#include "catalog/catalog.hpp"
#include "ddl/forward.hpp"
#include "ddl/outside.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "storage/lmgr.h"
#include "utils/regproc.h"
}

namespace shardwise
{

// The router's own command commits as it goes, so that this cannot wait for the finished index.
static void check_unique_contains_key(const IndexStmt *statement, Oid relid)
{
    const Table *table = find_table(relid);
    if (!statement->unique || table->is_reference)
        return;
    for (int i = 0; i < table->nkeys; i++) {
        const char *key = get_attname(relid, table->key_columns[i], false);
        bool found = false;
        ListCell *cell;
        foreach (cell, statement->indexParams) {
            const IndexElem *element = lfirst_node(IndexElem, cell);
            found = found || (element->name != nullptr && strcmp(element->name, key) == 0);
        }
        if (!found)
            ereport(ERROR,
                    (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
                     errmsg("unique index on table \"%s\" does not contain shard key column \"%s\"",
                            get_rel_name(relid), key),
                     errdetail("A shard sees only its own rows, so it could not find a conflict "
                               "with a row of another shard."),
                     errhint("Add the column to the index.")));
    }
}

static List *indexes_of(Oid relid)
{
    Relation rel = table_open(relid, AccessShareLock);
    List *indexes = list_copy(RelationGetIndexList(rel));
    table_close(rel, AccessShareLock);
    return indexes;
}

static bool has_expressions(Oid index)
{
    SqlRows rows = query_router("SELECT indexprs IS NOT NULL OR indpred IS NOT NULL FROM pg_index "
                                "WHERE indexrelid = $1",
                                1, &index);
    return rows.values[0][0][0] == 't';
}

static void start_new_transaction()
{
    if (ActiveSnapshotSet())
        PopActiveSnapshot();
    CommitTransactionCommand();
    StartTransactionCommand();
}

static char *concurrent_definition(Oid index)
{
    SqlRows rows = query_router("SELECT pg_get_indexdef($1)", 1, &index);
    const char *definition = rows.values[0][0];
    const char *after = strstr(definition, "INDEX ") + strlen("INDEX ");
    return psprintf("%.*sCONCURRENTLY %s", (int)(after - definition), definition, after);
}

static void mark_index(Oid relid, Oid index, IndexStateFlagsAction action)
{
    LockRelationOid(relid, ShareUpdateExclusiveLock);
    LockRelationOid(index, ShareUpdateExclusiveLock);
    index_set_state_flags(index, action);
    CacheInvalidateRelcacheByRelid(relid);
    start_new_transaction();
}

List *list_invalid_indexes()
{
    SqlRows rows = query_router("SELECT indexrelid FROM pg_index WHERE NOT indisvalid");
    List *names = NIL;
    for (int i = 0; i < rows.count; i++) {
        Oid index = atooid(rows.values[i][0]);
        if (OidIsValid(shipped_relation(index)))
            names = lappend(names, qualified_table_name(index));
    }
    return names;
}

// Marks the indexes whose state is the other one; nobody waits for those that are gone.
static List *mark_indexes(const List *names, bool valid)
{
    MemoryContext caller = CurrentMemoryContext;
    List *marked = NIL;
    ListCell *cell;
    foreach (cell, names) {
        char *name = static_cast<char *>(lfirst(cell));
        Oid index = RangeVarGetRelid(makeRangeVarFromNameList(stringToQualifiedNameList(name)),
                                     NoLock, true);
        if (!OidIsValid(index) || get_index_isvalid(index) == valid)
            continue;
        mark_index(IndexGetRelation(index, false), index,
                   valid ? INDEX_CREATE_SET_VALID : INDEX_DROP_CLEAR_VALID);
        MemoryContextSwitchTo(caller);
        marked = lappend(marked, name);
    }
    return marked;
}

List *keep_indexes_invalid(const List *names)
{
    return mark_indexes(names, false);
}

void make_indexes_valid(const List *names)
{
    mark_indexes(names, true);
}

void create_index_concurrently(const UtilityCall &call, IndexStmt *statement, Oid relid)
{
    check_unique_contains_key(statement, relid);
    MemoryContext caller = CurrentMemoryContext;
    List *before = indexes_of(relid);
    run_locally(call);
    List *added = list_difference_oid(indexes_of(relid), before);
    if (added == NIL) // IF NOT EXISTS
        return;
    Oid index = linitial_oid(added);
    MemoryContextSwitchTo(caller); // outlives transactions
    char *sql = concurrent_definition(index);
    char *name = qualified_table_name(index);
    if (has_expressions(index))
        change_shards(NIL, relid);
    mark_index(relid, index, INDEX_DROP_CLEAR_VALID); // until all shards have it
    MemoryContextSwitchTo(caller);
    List *outcomes = run_outside_transaction(sql);
    require_outcomes(
        outcomes, "CREATE INDEX CONCURRENTLY",
        psprintf("The index is invalid. Remove what there is of it with DROP INDEX %s, "
                 "then create it again.",
                 name));
    mark_index(relid, index, INDEX_CREATE_SET_VALID);
    MemoryContextSwitchTo(caller);
}

// The shards come first: as long as the router has the index, the command can be repeated.
bool forward_drop_index_concurrently(const UtilityCall &call, DropStmt *statement)
{
    if (statement->removeType != OBJECT_INDEX || !statement->concurrent ||
        list_length(statement->objects) != 1)
        return false;
    RangeVar *range = makeRangeVarFromNameList(linitial_node(List, statement->objects));
    Oid index = RangeVarGetRelid(range, NoLock, true);
    Oid relid = shipped_relation(index);
    if (!OidIsValid(relid) || relid == index)
        return false;
    bool is_top_level = call.context == PROCESS_UTILITY_TOPLEVEL;
    PreventInTransactionBlock(is_top_level, "DROP INDEX CONCURRENTLY");
    check_ddl_allowed(relid, "DROP INDEX");
    if (!pg_class_ownercheck(index, GetUserId()) &&
        !pg_namespace_ownercheck(get_rel_namespace(index), GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, get_rel_name(index));
    if (OidIsValid(get_index_constraint(index)) ||
        get_rel_relkind(index) == RELKIND_PARTITIONED_INDEX)
        return false; // the router refuses
    List *outcomes = run_outside_transaction(
        psprintf("DROP INDEX CONCURRENTLY IF EXISTS %s", qualified_table_name(index)));
    require_outcomes(outcomes, "DROP INDEX CONCURRENTLY", "Repeat the command.");
    run_locally(call);
    return true;
}

} // namespace shardwise
