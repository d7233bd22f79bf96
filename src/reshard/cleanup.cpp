#include "pg/pg.hpp"

#include "catalog/gate.hpp"
#include "catalog/map_change.hpp"
#include "pg/deadlines.hpp"
#include "reshard/cleanup.hpp"
#include "reshard/copy.hpp"
#include "reshard/fence.hpp"
#include "reshard/fresh_target.hpp"
#include "reshard/swap.hpp"

extern "C" {
#include "utils/timestamp.h"
}

namespace shardwise
{

namespace
{

constexpr int patience_ms = 10000;

// Waits for statements that know an older map or older ghost ranges.
bool wait_for_statements(const RunningMove *move)
{
    bool over = false;
    in_transaction([&] {
        TimestampTz deadline = milliseconds_from_now(patience_ms);
        over = wait_for_older_statements(move->relations, false, deadline);
    });
    return over;
}

void drop_helpers(const RunningMove *move, ShardSession *s)
{
    remove_fence(move, s);
    restore_identities(move, s);
    restore_indexes(move, s);
    runf(s, "DROP SCHEMA IF EXISTS %s CASCADE", move->object);
}

} // namespace

bool write_ghosts(const RunningMove *move, int32 shard_id)
{
    Rows rows = catalogf("SELECT 1 FROM shardwise.ghost_range WHERE move_id = %d", move->id);
    if (rows.count == 0)
        catalogf("INSERT INTO shardwise.ghost_range (keyspace_id, shard_id, lower_hash, "
                 "upper_hash, lower_key, upper_key, pin_key, move_id) "
                 "SELECT %d, %d, lower_hash, upper_hash, "
                 "CASE kind WHEN 'range' THEN lower_key END, upper_key, "
                 "CASE kind WHEN 'key' THEN lower_key ELSE pin_key END, move_id "
                 "FROM shardwise.move_range WHERE move_id = %d AND kind <> 'except'",
                 move->keyspace_id, shard_id, move->id);
    return wait_for_statements(move);
}

void end_replication(const RunningMove *move)
{
    Flow forward = forward_flow(move), back = back_flow(move);
    release_snapshot(move);
    for (const Flow *flow : {&forward, &back}) {
        drop_subscription(flow);
        drop_slot(flow);
        drop_publication(flow);
    }
}

bool clean_up(RunningMove *move, uint64 *deleted)
{
    bool swapped = move->state == MoveState::Cleaning;
    ShardSession *loser = swapped ? move->at_source : move->at_target;
    remove_gate(move);
    // Statements may still read the rows where they were.
    if (!wait_for_statements(move))
        return false;
    end_replication(move);
    if (!delete_moved_rows(move, loser, deleted))
        return false;
    drop_helpers(move, move->at_source);
    drop_helpers(move, move->at_target);
    catalogf("WITH gone AS (DELETE FROM shardwise.ghost_range WHERE move_id = %d) "
             "UPDATE shardwise.keyspace SET moved_by = pg_current_xact_id() WHERE keyspace_id = %d",
             move->id, move->keyspace_id);
    in_transaction([&] { join_map_neighbours(move->keyspace_id); });
    return true;
}

} // namespace shardwise
