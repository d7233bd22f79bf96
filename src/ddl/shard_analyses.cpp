#include "ddl/shard_analyses.hpp"

#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"
#include "transaction/participants.hpp"

namespace shardwise
{

// Autovacuum does not analyze a partitioned table, but its partitions.
static constexpr const char *analyses_query = R"(
SELECT extract(epoch FROM max(greatest(pg_catalog.pg_stat_get_last_analyze_time(part.oid),
                                       pg_catalog.pg_stat_get_last_autoanalyze_time(part.oid))))
FROM pg_catalog.unnest(%s::pg_catalog.text[]) WITH ORDINALITY AS name (name, position)
CROSS JOIN LATERAL (
    SELECT pg_catalog.to_regclass(name.name)::pg_catalog.oid AS oid
    UNION SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(name.name))) part
GROUP BY name.position ORDER BY name.position)";

List *shards_with_rows(const Table *table)
{
    const Shard *const *shards;
    int n = list_shards(&shards);
    if (!table->is_reference)
        return list_owners(table->keyspace);
    return n > 0 ? list_make1_int(shards[0]->id) : NIL;
}

AnalyzedTable *find_analyzed_table(Oid relid)
{
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
    if (!HeapTupleIsValid(tuple))
        return nullptr;
    Oid owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    const Table *table = find_table(relid);
    if (table == nullptr)
        return nullptr;
    AnalyzedTable *analyzed = static_cast<AnalyzedTable *>(palloc0(sizeof(AnalyzedTable)));
    analyzed->relid = relid;
    analyzed->name = qualified_table_name(relid);
    analyzed->owner = owner;
    analyzed->shards = shards_with_rows(table);
    initStringInfo(&analyzed->when);
    return analyzed;
}

static void ask_shard(int shard, const List *tables)
{
    List *names = NIL;
    ListCell *cell;
    foreach (cell, tables)
        names = lappend(names, static_cast<AnalyzedTable *>(lfirst(cell))->name);
    PGresult *result = run_command(join_shard(shard, Access::Read, false),
                                   psprintf(analyses_query, text_array_literal(names)));
    foreach (cell, tables) {
        AnalyzedTable *table = static_cast<AnalyzedTable *>(lfirst(cell));
        int row = foreach_current_index(cell);
        appendStringInfo(&table->when, "%d: %s ", shard, PQgetvalue(result, row, 0));
        table->ever |= !PQgetisnull(result, row, 0);
    }
}

void ask_when_analyzed(const List *tables)
{
    List *shards = NIL;
    ListCell *cell;
    foreach (cell, tables)
        shards = list_concat_unique_int(shards, static_cast<AnalyzedTable *>(lfirst(cell))->shards);
    list_sort(shards, list_int_cmp);
    foreach (cell, shards) {
        int shard = lfirst_int(cell);
        List *there = NIL;
        ListCell *table;
        foreach (table, tables)
            if (list_member_int(static_cast<AnalyzedTable *>(lfirst(table))->shards, shard))
                there = lappend(there, lfirst(table));
        ask_shard(shard, there);
    }
}

} // namespace shardwise
