// DETACH PARTITION CONCURRENTLY. It cannot be part of a transaction, here or on a shard, so that
// one shard may fail alone. The router goes first: it checks, and from its first step on the
// partition is a table of its own, of its parent's placement. FINALIZE does whatever is left of it,
// on the router and on each shard.
#include "pg/pg.hpp"

#include "ddl/catalog_rows.hpp"
#include "ddl/ddl.hpp"
#include "ddl/forward.hpp"
#include "ddl/outside.hpp"
#include "ddl/partitions.hpp"
#include "ddl/shard_sequences.hpp"
#include "ddl/spi.hpp"
#include "pg/names.hpp"
#include "pg/versions.hpp"

namespace shardwise
{

// Of a server: attached, pending (FINALIZE is left to do) or detached.
static char *state_query(const char *parent, const char *partition)
{
    return psprintf("SELECT coalesce((SELECT CASE WHEN inhdetachpending THEN 'pending' "
                    "ELSE 'attached' END FROM pg_catalog.pg_inherits "
                    "WHERE inhrelid = pg_catalog.to_regclass(%s) "
                    "AND inhparent = pg_catalog.to_regclass(%s)), 'detached')",
                    quote_literal_cstr(partition), quote_literal_cstr(parent));
}

static const char *state_on_router(const char *parent, const char *partition)
{
    return query_router(state_query(parent, partition)).values[0][0];
}

static const char *command_for(const char *state)
{
    if (strcmp(state, "attached") == 0)
        return "CONCURRENTLY";
    return strcmp(state, "pending") == 0 ? "FINALIZE" : nullptr;
}

// Returns false where no shard had anything left to do.
static bool detach_on_shards(const char *parent, const char *partition)
{
    const char *name = "DETACH PARTITION CONCURRENTLY";
    char *hint = psprintf("Queries of %s see the partition's rows on these shards until you run "
                          "ALTER TABLE %s DETACH PARTITION %s FINALIZE.",
                          parent, parent, partition);
    List *states = run_outside_transaction(state_query(parent, partition));
    require_outcomes(states, name, hint);
    List *shards = NIL, *commands = NIL;
    const ListCell *shard, *cell;
    forboth (shard, all_shard_ids(), cell, states) {
        const char *how = command_for(static_cast<ShardOutcome *>(lfirst(cell))->answer);
        if (how == nullptr)
            continue;
        shards = lappend_int(shards, lfirst_int(shard));
        commands = lappend(
            commands, psprintf("ALTER TABLE %s DETACH PARTITION %s %s", parent, partition, how));
    }
    require_outcomes(run_outside_transaction(shards, commands), name, hint);
    return shards != NIL;
}

// It is filled by itself again, and its columns may be ones that the shards number.
static void number_detached(Oid partition)
{
    PushActiveSnapshot(GetTransactionSnapshot());
    if (shard_numbered_columns(partition) != NIL) {
        Management management = begin_ddl();
        number_by_shards(management.targets, partition);
        end_management(&management);
    }
    PopActiveSnapshot();
}

// Ends the transaction of the router's part, and its locks with it.
static void commit_own_part()
{
    if (ActiveSnapshotSet())
        PopActiveSnapshot();
    CommitTransactionCommand();
    StartTransactionCommand();
    share_metadata();
}

void detach_concurrently(const UtilityCall &call, Oid parent, Oid partition)
{
    PreventInTransactionBlock(call.context == PROCESS_UTILITY_TOPLEVEL,
                              "ALTER TABLE ... DETACH CONCURRENTLY");
    MemoryContext caller = CurrentMemoryContext; // outlives transactions
    char *parent_name = qualified_table_name(parent);
    char *name = qualified_table_name(partition);
    if (strcmp(state_on_router(parent_name, name), "attached") == 0)
        place_like(partition, parent); // counts from the router's first commit on
    run_locally(call);
    commit_own_part();
    MemoryContextSwitchTo(caller);
    detach_on_shards(parent_name, name);
    number_detached(partition);
    MemoryContextSwitchTo(caller);
}

void finalize_detach(const UtilityCall &call, Oid parent, Oid partition)
{
    PreventInTransactionBlock(call.context == PROCESS_UTILITY_TOPLEVEL,
                              "ALTER TABLE ... DETACH PARTITION ... FINALIZE");
    for (Oid relid : {parent, partition})
        if (!pg_class_ownercheck(relid, GetUserId()))
            aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
    MemoryContext caller = CurrentMemoryContext;
    char *parent_name = qualified_table_name(parent);
    char *name = qualified_table_name(partition);
    bool is_detached = strcmp(state_on_router(parent_name, name), "detached") == 0;
    if (!is_detached) {
        run_locally(call);
        commit_own_part();
        MemoryContextSwitchTo(caller);
    }
    bool was_left = detach_on_shards(parent_name, name);
    if (was_left)
        number_detached(partition);
    MemoryContextSwitchTo(caller);
    if (is_detached && !was_left)
        run_locally(call); // raises the error
}

} // namespace shardwise
