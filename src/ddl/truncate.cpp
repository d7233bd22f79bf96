#include "ddl/truncate.hpp"

#include "catalog/catalog.hpp"
#include "executor/row_stream.hpp"
#include "remote/connection.hpp"
#include "transaction/participants.hpp"
#include "pg/names.hpp"

extern "C" {
#include "catalog/heap.h"
}

namespace shardwise
{

// ONLY and RESTART IDENTITY do not travel: shards hold whole tables, and sequences live on the
// router.
static char *truncate_command(const TruncateStmt *statement)
{
    StringInfoData names;
    initStringInfo(&names);
    ListCell *cell;
    foreach (cell, statement->relations) {
        Oid relid = RangeVarGetRelid((RangeVar *)lfirst(cell), NoLock, false);
        if (find_table(relid) == nullptr)
            continue;
        appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", qualified_table_name(relid));
    }
    return psprintf("TRUNCATE %s%s", names.data,
                    statement->behavior == DROP_CASCADE ? " CASCADE" : "");
}

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

// Orders the statement among other writers. Its lock on the router's table does not do that alone:
// who writes a partition through its parent locks the parent only.
static void begin_writes(const TruncateStmt *statement)
{
    ListCell *cell;
    foreach (cell, truncated_tables(statement)) {
        const Table *table = find_table(lfirst_oid(cell));
        if (table != nullptr)
            begin_bulk_write(table);
    }
}

void truncate_on_shards(const TruncateStmt *statement)
{
    begin_writes(statement);
    char *command = truncate_command(statement);
    const Shard *const *shards;
    int n = list_shards(&shards);
    for (int i = 0; i < n; i++)
        run_command(join_shard_for_management(shards[i]->id), command);
}

} // namespace shardwise
