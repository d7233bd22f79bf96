#include "ddl/truncate.hpp"

#include "catalog/catalog.hpp"
#include "remote/connection.hpp"
#include "transaction/participants.hpp"
#include "pg/names.hpp"

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

void truncate_on_shards(const TruncateStmt *statement)
{
    char *command = truncate_command(statement);
    const Shard *const *shards;
    int n = list_shards(&shards);
    for (int i = 0; i < n; i++)
        run_command(join_shard_for_management(shards[i]->id), command);
}

} // namespace shardwise
