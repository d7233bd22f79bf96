// VACUUM, ANALYZE, REINDEX, CLUSTER and LOCK TABLE: on the router first, then on the shards.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/concurrent_index.hpp"
#include "ddl/ddl.hpp"
#include "ddl/forward.hpp"
#include "ddl/outside.hpp"
#include "ddl/statistics.hpp"
#include "ddl/table_definition.hpp"
#include "pg/versions.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "catalog/pg_database.h"
#include "commands/defrem.h"
#include "storage/lockdefs.h"
}

namespace shardwise
{

static bool is_top_level(const UtilityCall &call)
{
    return call.context == PROCESS_UTILITY_TOPLEVEL;
}

static char *option_list(const List *options, const char *left_out = nullptr)
{
    StringInfoData list;
    initStringInfo(&list);
    ListCell *cell;
    foreach (cell, options) {
        DefElem *option = lfirst_node(DefElem, cell);
        if (left_out != nullptr && strcmp(option->defname, left_out) == 0)
            continue;
        appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : " (", option->defname);
        if (option->arg != nullptr)
            appendStringInfo(&list, " %s", defGetString(option));
    }
    if (list.len > 0)
        appendStringInfoChar(&list, ')');
    return list.data;
}

static char *column_list(const List *columns)
{
    StringInfoData list;
    initStringInfo(&list);
    ListCell *cell;
    foreach (cell, columns)
        appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : " (",
                         quote_identifier(strVal(lfirst(cell))));
    if (list.len > 0)
        appendStringInfoChar(&list, ')');
    return list.data;
}

// The router skips tables of others with a warning.
static bool may_maintain(Oid relid)
{
    return pg_class_ownercheck(relid, GetUserId()) ||
           pg_database_ownercheck(MyDatabaseId, GetUserId());
}

static void append_table(StringInfo tables, List **relids, Oid relid, const List *columns)
{
    if (!OidIsValid(relid) || !may_maintain(relid))
        return;
    *relids = list_append_unique_oid(*relids, relid);
    appendStringInfo(tables, "%s%s%s", tables->len > 0 ? ", " : "", qualified_table_name(relid),
                     column_list(columns));
}

// The tables of VACUUM or ANALYZE that shards have: all of them if none is named.
static char *maintained_tables(const VacuumStmt *statement, List **relids)
{
    StringInfoData tables;
    initStringInfo(&tables);
    ListCell *cell;
    foreach (cell, statement->rels) {
        const VacuumRelation *rel = lfirst_node(VacuumRelation, cell);
        Oid relid = rel->relation != nullptr ? named_shipped_relation(rel->relation)
                                             : shipped_relation(rel->oid);
        append_table(&tables, relids, relid, rel->va_cols);
    }
    if (statement->rels == NIL)
        foreach (cell, list_distributions())
            append_table(&tables, relids, lfirst_oid(cell), NIL);
    return tables.data;
}

static bool option_is_set(const List *options, const char *name)
{
    ListCell *cell;
    foreach (cell, options) {
        DefElem *option = lfirst_node(DefElem, cell);
        if (strcmp(option->defname, name) == 0)
            return defGetBoolean(option);
    }
    return false;
}

bool forward_vacuum(const UtilityCall &call, VacuumStmt *statement)
{
    List *relids = NIL;
    const char *tables = maintained_tables(statement, &relids);
    if (tables[0] == '\0')
        return false;
    const char *command = statement->is_vacuumcmd ? "VACUUM" : "ANALYZE";
    char *sql = psprintf("%s%s %s", command, option_list(statement->options), tables);
    // In a block the shards' transactions may hold locks that other sessions would wait for.
    bool in_block = IsInTransactionBlock(is_top_level(call));
    MemoryContext caller = CurrentMemoryContext;
    run_locally(call);
    MemoryContextSwitchTo(caller);
    if (in_block)
        change_shards(sql);
    else
        require_outcomes(run_outside_transaction(sql), command, "Repeat the command.");
    bool analyze = !statement->is_vacuumcmd || option_is_set(statement->options, "analyze");
    ListCell *cell;
    foreach (cell, relids)
        gather_statistics(lfirst_oid(cell), analyze);
    return true;
}

static bool is_partitioned(Oid relid)
{
    char kind = get_rel_relkind(relid);
    return kind == RELKIND_PARTITIONED_TABLE || kind == RELKIND_PARTITIONED_INDEX;
}

static const char *const reindex_hint =
    "Repeat the command. Of invalid indexes that CONCURRENTLY may have left on shards, "
    "shardwise.check_schema() says how to remove them.";

static void reindex_tables(const char *options, Oid schema)
{
    ListCell *cell;
    foreach (cell, list_distributions()) {
        Oid relid = lfirst_oid(cell);
        if ((OidIsValid(schema) && get_rel_namespace(relid) != schema) || !may_maintain(relid))
            continue;
        char *sql = psprintf("REINDEX%s TABLE %s", options, qualified_table_name(relid));
        require_outcomes(run_outside_transaction(sql), "REINDEX", reindex_hint);
    }
}

bool forward_reindex(const UtilityCall &call, ReindexStmt *statement)
{
    const char *options = option_list(statement->params, "tablespace");
    bool concurrently = option_is_set(statement->params, "concurrently");
    MemoryContext caller = CurrentMemoryContext;
    if (statement->relation == nullptr) {
        Oid schema = statement->kind == REINDEX_OBJECT_SCHEMA
                         ? get_namespace_oid(statement->name, true)
                         : InvalidOid;
        if (statement->kind == REINDEX_OBJECT_SYSTEM || list_distributions() == NIL)
            return false;
        const List *invalid = list_invalid_indexes();
        run_locally(call);
        MemoryContextSwitchTo(caller);
        const List *rebuilt = keep_indexes_invalid(invalid);
        reindex_tables(options, schema);
        make_indexes_valid(rebuilt);
        return true;
    }
    Oid object = RangeVarGetRelid(statement->relation, NoLock, true);
    Oid relid = shipped_relation(object);
    if (!OidIsValid(relid))
        return false;
    bool outside = concurrently || is_partitioned(object);
    char *sql = psprintf("REINDEX%s %s %s", options, object == relid ? "TABLE" : "INDEX",
                         qualified_table_name(object));
    check_ddl_allowed(relid, "REINDEX");
    const List *invalid = outside ? list_invalid_indexes() : NIL;
    run_locally(call);
    MemoryContextSwitchTo(caller);
    if (!outside) {
        change_shards(sql);
        return true;
    }
    const List *rebuilt = keep_indexes_invalid(invalid);
    require_outcomes(run_outside_transaction(sql), "REINDEX", reindex_hint);
    make_indexes_valid(rebuilt);
    return true;
}

bool forward_cluster(const UtilityCall &call, ClusterStmt *statement)
{
    if (statement->relation == nullptr && list_distributions() != NIL) {
        MemoryContext caller = CurrentMemoryContext;
        char *sql = psprintf("CLUSTER%s", option_list(statement->params));
        run_locally(call);
        MemoryContextSwitchTo(caller);
        require_outcomes(run_outside_transaction(sql), "CLUSTER", "Repeat the command.");
        return true;
    }
    Oid relid = named_shipped_relation(statement->relation);
    if (!OidIsValid(relid))
        return false;
    bool outside = is_partitioned(relid);
    char *sql = psprintf("CLUSTER %s%s", qualified_table_name(relid),
                         statement->indexname != nullptr
                             ? psprintf(" USING %s", quote_identifier(statement->indexname))
                             : "");
    check_ddl_allowed(relid, "CLUSTER");
    MemoryContext caller = CurrentMemoryContext;
    run_locally(call);
    MemoryContextSwitchTo(caller);
    if (outside)
        require_outcomes(run_outside_transaction(sql), "CLUSTER", "Repeat the command.");
    else
        change_shards(sql);
    return true;
}

static const char *lock_mode_name(int mode)
{
    static const char *const names[] = {
        "",      "ACCESS SHARE",        "ROW SHARE", "ROW EXCLUSIVE",   "SHARE UPDATE EXCLUSIVE",
        "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"};
    return names[mode];
}

bool forward_lock(const UtilityCall &call, LockStmt *statement)
{
    StringInfoData tables;
    initStringInfo(&tables);
    ListCell *cell;
    foreach (cell, statement->relations) {
        const RangeVar *name = lfirst_node(RangeVar, cell);
        Oid relid = named_shipped_relation(name);
        if (OidIsValid(relid))
            appendStringInfo(&tables, "%s%s%s", tables.len > 0 ? ", " : "",
                             name->inh ? "" : "ONLY ", qualified_table_name(relid));
    }
    if (tables.len == 0)
        return false;
    char *sql = psprintf("LOCK TABLE %s IN %s MODE%s", tables.data, lock_mode_name(statement->mode),
                         statement->nowait ? " NOWAIT" : "");
    run_locally(call);
    // In the order of their numbers, as everyone else locks on several shards.
    Access access = XactReadOnly ? Access::Read : Access::Lock;
    foreach (cell, all_shard_ids())
        run_command(join_shard(lfirst_int(cell), access, false), sql);
    return true;
}

} // namespace shardwise
