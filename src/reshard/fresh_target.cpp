#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/key_set.hpp"
#include "catalog/moves.hpp"
#include "reshard/fresh_target.hpp"

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

bool has_several_chunks(const RunningMove *move, const MoveTable *table)
{
    return catalogf("SELECT 1 FROM shardwise.move_chunk WHERE move_id = %d AND table_name = %s "
                    "AND chunk > 0 LIMIT 1",
                    move->id, quote_literal_cstr(table->name))
               .count > 0;
}

bool is_empty(ShardSession *s, const MoveTable *table)
{
    return run_valuef(s, "SELECT 1 FROM %s LIMIT 1", table->name) == nullptr;
}

// Left alone: indexes of which CREATE INDEX would not bring all back (a tablespace, CLUSTER's mark,
// statistics targets; comments are put back), and those with functions of the user's, which may
// rest on a search_path.
Rows droppable_indexes(ShardSession *s, const MoveTable *table)
{
    return runf(s,
                "SELECT i.indexrelid::regclass::text, i.indrelid::regclass::text, "
                "pg_get_indexdef(i.indexrelid) || "
                "coalesce(format('; COMMENT ON INDEX %%s IS %%L', i.indexrelid::regclass, "
                "obj_description(i.indexrelid, 'pg_class')), '') "
                "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
                "WHERE i.indrelid = %s::regclass AND i.indisvalid AND NOT i.indisunique "
                "AND NOT i.indisexclusion AND NOT i.indisreplident AND NOT i.indisclustered "
                "AND NOT c.relispartition AND c.relkind = 'i' AND c.reltablespace = 0 "
                "AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid) "
                "AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid "
                "AND a.attstattarget >= 0) "
                "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass "
                "AND d.objid = c.oid AND d.refclassid = 'pg_proc'::regclass) "
                "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = "
                "'pg_class'::regclass AND d.refobjid = c.oid) ORDER BY 1",
                quote_literal_cstr(table->name));
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
        if (table->is_partitioned || !has_several_chunks(move, table) || !is_empty(s, table))
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
