#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/key_set.hpp"
#include "catalog/moves.hpp"
#include "reshard/fresh_target.hpp"
#include "reshard/settings.hpp"

extern "C" {
#include "utils/timestamp.h"
}

namespace shardwise
{

namespace
{

bool owns_nothing(const RunningMove *move)
{
    bool nothing = false;
    in_transaction([&] {
        const KeySet *set = owned_key_set(find_keyspace(move->keyspace_id), move->target);
        nothing = set->nranges == 0 && set->nkeys == 0 && !set->is_default;
    });
    return nothing;
}

bool is_larger_than_a_chunk(const RunningMove *move, const MoveTable *table)
{
    return catalogf("SELECT 1 FROM shardwise.move_chunk WHERE move_id = %d AND table_name = %s "
                    "HAVING sum(upper_page - lower_page) * %d > %d * 1024::bigint",
                    move->id, quote_literal_cstr(table->name), BLCKSZ, move_chunk_size)
               .count > 0;
}

bool is_empty(ShardSession *s, const MoveTable *table)
{
    return run_valuef(s, "SELECT 1 FROM %s LIMIT 1", table->name) == nullptr;
}

// Names of a table and of the partitions that store its rows, as an array of SQL.
char *storage_of(const MoveTable *table)
{
    StringInfoData array;
    initStringInfo(&array);
    appendStringInfo(&array, "ARRAY[%s", quote_literal_cstr(table->name));
    ListCell *cell;
    foreach (cell, table->leaves)
        appendStringInfo(&array, ", %s", quote_literal_cstr((const char *)lfirst(cell)));
    appendStringInfoString(&array, "]::regclass[]");
    return array.data;
}

// Indexes with SQL that brings them back, an index of a partitioned table with those of its
// partitions. Left alone: indexes of which CREATE INDEX would not bring all back (a tablespace,
// CLUSTER's mark, statistics targets; comments are put back), and those with functions of the
// user's, which may rest on a search_path.
Rows droppable_indexes(ShardSession *s, const MoveTable *table)
{
    return runf(
        s,
        "WITH RECURSIVE tree (root, id, parent, depth) AS ("
        "SELECT i.indexrelid, i.indexrelid, NULL::oid, 0 FROM pg_index i "
        "JOIN pg_class c ON c.oid = i.indexrelid "
        "WHERE i.indrelid = ANY (%s) AND NOT c.relispartition "
        "UNION ALL SELECT root, h.inhrelid, h.inhparent, depth + 1 FROM tree "
        "JOIN pg_inherits h ON h.inhparent = tree.id) "
        "SELECT root::regclass::text, min(i.indrelid::regclass::text) FILTER (WHERE depth = 0), "
        "string_agg(pg_get_indexdef(id) || coalesce(format('; COMMENT ON INDEX %%s IS %%L', "
        "id::regclass, obj_description(id, 'pg_class')), ''), '; ' ORDER BY depth, id) || "
        "coalesce('; ' || string_agg(format('ALTER INDEX %%s ATTACH PARTITION %%s', "
        "parent::regclass, id::regclass), '; ' ORDER BY depth, id) FILTER (WHERE depth > 0), '') "
        "FROM tree JOIN pg_index i ON i.indexrelid = tree.id JOIN pg_class c ON c.oid = tree.id "
        "GROUP BY root HAVING bool_and(i.indisvalid AND NOT i.indisunique "
        "AND NOT i.indisexclusion AND NOT i.indisreplident AND NOT i.indisclustered "
        "AND c.reltablespace = 0 "
        "AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid) "
        "AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid "
        "AND a.attstattarget >= 0) "
        "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass "
        "AND d.objid = c.oid AND d.refclassid = 'pg_proc'::regclass) "
        "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass "
        "AND d.refobjid = c.oid AND d.deptype NOT IN ('P', 'S'))) ORDER BY 1",
        storage_of(table));
}

// What moves of this router have noted down on a shard, as far as it is still wanted.
Rows noted_indexes(ShardSession *s)
{
    Rows schemas = runf(s,
                        "SELECT n.nspname FROM pg_namespace n JOIN pg_class c ON "
                        "c.relnamespace = n.oid AND c.relname = 'index' "
                        "WHERE starts_with(n.nspname, %s) ORDER BY n.oid",
                        quote_literal_cstr(move_object_prefix()));
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfoString(&sql, "SELECT NULL, NULL, NULL, false WHERE false");
    for (int i = 0; i < schemas.count; i++)
        appendStringInfo(
            &sql,
            " UNION ALL SELECT '%s', name, definition, to_regclass(relation) IS NOT NULL "
            "AND to_regclass(name) IS NULL FROM %s.index",
            schemas.values[i][0], schemas.values[i][0]);
    return run(s, sql.data);
}

} // namespace

void drop_indexes(const RunningMove *move)
{
    ShardSession *s = move->at_target;
    if (!owns_nothing(move))
        return;
    int dropped = 0;
    ListCell *cell;
    foreach (cell, move->tables) {
        const MoveTable *table = (const MoveTable *)lfirst(cell);
        if (!is_larger_than_a_chunk(move, table) || !is_empty(s, table))
            continue;
        Rows rows = droppable_indexes(s, table);
        for (int i = 0; i < rows.count; i++)
            runf(s,
                 "SET LOCAL lock_timeout = '300ms'; INSERT INTO %s.index VALUES (%s, %s, %s); "
                 "DROP INDEX %s",
                 move->object, quote_literal_cstr(rows.values[i][0]),
                 quote_literal_cstr(rows.values[i][1]), quote_literal_cstr(rows.values[i][2]),
                 rows.values[i][0]);
        dropped += rows.count;
    }
    if (dropped > 0)
        add_event(
            move, "indexes dropped",
            psprintf("%d of empty tables on shard \"%s\", to be built when the rows are there",
                     dropped, NameStr(s->shard_name)));
}

void restore_indexes(const RunningMove *move, ShardSession *s)
{
    TimestampTz start = GetCurrentTimestamp();
    Rows rows = noted_indexes(s);
    for (int i = 0; i < rows.count; i++) {
        char **row = rows.values[i];
        const char *build = row[3][0] == 't' ? psprintf("%s; ", row[2]) : "";
        runf(s, "%sDELETE FROM %s.index WHERE name = %s", build, row[0],
             quote_literal_cstr(row[1]));
    }
    if (rows.count == 0)
        return;
    ListCell *cell;
    // No reason for a move to fail.
    foreach (cell, move->tables)
        runf(s, "DO $$ BEGIN ANALYZE %s; EXCEPTION WHEN OTHERS THEN NULL; END $$",
             ((const MoveTable *)lfirst(cell))->name);
    add_event(move, "indexes built",
              psprintf("%d on shard \"%s\" in %.1f s", rows.count, NameStr(s->shard_name),
                       static_cast<double>(GetCurrentTimestamp() - start) / USECS_PER_SEC));
}

} // namespace shardwise
