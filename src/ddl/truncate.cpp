#include "ddl/truncate.hpp"

#include "catalog/catalog.hpp"
#include "executor/row_stream.hpp"
#include "pg/names.hpp"
#include "remote/connection.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "catalog/heap.h"
}

namespace shardwise
{

// The tables that the statement empties, except partitions, which count with their parents.
static List *truncated_tables(const TruncateStmt *statement)
{
    List *relids = NIL;
    ListCell *cell;
    foreach (cell, statement->relations)
        relids = list_append_unique_oid(relids,
                                        RangeVarGetRelid((RangeVar *)lfirst(cell), NoLock, false));
    if (statement->behavior != DROP_CASCADE)
        return relids;
    int known;
    do {
        known = list_length(relids);
        relids = list_concat_unique_oid(relids, heap_truncate_find_FKs(relids));
    } while (list_length(relids) > known);
    return relids;
}

// ONLY and RESTART IDENTITY do not travel: shards hold whole tables, and sequences live on the
// router. All tables are named, so that shards need not tell to which ones the command cascades.
static char *truncate_command(const TruncateStmt *statement, const List *relids)
{
    StringInfoData names;
    initStringInfo(&names);
    ListCell *cell;
    foreach (cell, relids)
        if (find_table(lfirst_oid(cell)) != nullptr)
            appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
                             qualified_table_name(lfirst_oid(cell)));
    return psprintf("TRUNCATE %s%s", names.data,
                    statement->behavior == DROP_CASCADE ? " CASCADE" : "");
}

// Orders the statement among other writers. Its lock on the router's table does not do that alone:
// who writes a partition through its parent locks the parent only.
static void begin_writes(const List *relids)
{
    ListCell *cell;
    foreach (cell, relids) {
        const Table *table = find_table(lfirst_oid(cell));
        if (table != nullptr)
            begin_bulk_write(table);
    }
}

void truncate_on_shards(const TruncateStmt *statement)
{
    const List *relids = truncated_tables(statement);
    begin_writes(relids);
    char *command = truncate_command(statement, relids);
    const Shard *const *shards;
    int n = list_shards(&shards);
    for (int i = 0; i < n; i++)
        run_command(join_shard_for_management(shards[i]->id), command);
}

} // namespace shardwise
