#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/gate.hpp"
#include "catalog/map_change.hpp"
#include "pg/deadlines.hpp"
#include "reshard/fence.hpp"
#include "reshard/fresh_target.hpp"
#include "reshard/settings.hpp"
#include "reshard/swap.hpp"

extern "C" {
#include "storage/proc.h"
#include "utils/timestamp.h"
}

namespace shardwise
{

namespace
{

// How long a swap waits, holding nobody up, for transactions that have not seen the gate.
constexpr int patience_ms = 10000;

double milliseconds_since(TimestampTz start)
{
    return static_cast<double>(GetCurrentTimestamp() - start) / 1000;
}

// Everything that has been applied there is on disk: an ordinary commit flushes what is before it.
void flush_changes(const Flow *flow)
{
    runf(flow->to, "UPDATE %s SET n = n WHERE id = 1", flow->marker);
}

// The rows that are now on the wrong side, the move's state and its gate change with the map.
// `lsn`: of the target, from where changes are to go back; nullptr: none are.
void change_catalog(RunningMove *move, const Flow *flow, int32 to_shard, MoveState after,
                    const char *lsn, double waited_ms)
{
    give_ranges(read_move(move->id), flow->from_shard, to_shard);
    catalogf("UPDATE shardwise.ghost_range SET shard_id = %d WHERE move_id = %d", flow->from_shard,
             move->id);
    catalogf("UPDATE shardwise.keyspace SET moved_by = pg_current_xact_id() WHERE keyspace_id = %d",
             move->keyspace_id);
    catalogf("DELETE FROM shardwise.gate WHERE move_id = %d", move->id);
    catalogf("UPDATE shardwise.move SET write_block_ms = %f, swapped_at = clock_timestamp(), "
             "swap_lsn = %s WHERE move_id = %d",
             waited_ms, lsn != nullptr ? quote_literal_cstr(lsn) : "NULL", move->id);
    set_state(move, after);
}

// No answer of a shard is worth holding writers up for longer.
void limit_waits(const RunningMove *move, TimestampTz deadline)
{
    move->at_source->session->deadline = move->at_target->session->deadline = deadline;
}

// Runs with the gate's lock: every step counts. False when the marker did not arrive in time.
bool hand_over(RunningMove *move, const Flow *flow, MoveState after, TimestampTz held_since,
               TimestampTz deadline)
{
    bool forward = flow->from_shard == move->source;
    const char *lsn = nullptr;
    limit_waits(move, deadline);
    close_fence(move, flow->from, deadline);
    if (!wait_for_marker(flow, write_marker(flow), deadline))
        return false;
    flush_changes(flow);
    if (forward) {
        Flow back = back_flow(move);
        lsn = advance_slot(&back);
    }
    limit_waits(move, 0);
    change_catalog(move, flow, forward ? move->target : move->source, after, lsn,
                   milliseconds_since(held_since));
    return true;
}

void announce_gate(const RunningMove *move)
{
    catalogf("INSERT INTO shardwise.gate (keyspace_id, move_id) VALUES (%d, %d) "
             "ON CONFLICT DO NOTHING",
             move->keyspace_id, move->id);
}

// Opens the gate first. The fence opens with the end of its session, which needs no answer; the
// next attempt begins with new ones.
void step_back(RunningMove *move, const Flow *flow, MoveState before)
{
    AbortCurrentTransaction();
    LockTimeout = 0;
    move->state = before;
    close_shard_session(flow->from);
}

} // namespace

void remove_gate(const RunningMove *move)
{
    catalogf("DELETE FROM shardwise.gate WHERE move_id = %d", move->id);
}

void prepare_swap(RunningMove *move, const Flow *flow)
{
    build_fence(move, flow->from);
    if (flow->from_shard != move->source)
        return;
    restore_indexes(move, move->at_target);
    Flow back = back_flow(move);
    set_identities(move, move->at_target);
    create_publication(&back);
    create_slot(&back);
    // Advancing decodes from the slot's restart point, which only a checkpoint moves.
    (void)run(back.from, "CHECKPOINT");
    (void)advance_slot(&back);
    (void)advance_slot(&back);
    in_transaction([&] { cut_map_for_move(read_move(move->id)); });
}

bool swap_owner(RunningMove *move, const Flow *flow, MoveState after, double *waited_ms)
{
    MemoryContext caller = CurrentMemoryContext;
    MoveState before = move->state;
    *waited_ms = 0;
    announce_gate(move);
    bool nobody_missed = false;
    in_transaction([&] {
        nobody_missed =
            wait_for_older_statements(move->relations, true, milliseconds_from_now(patience_ms));
    });
    if (!nobody_missed)
        return false;

    bool done = false;
    TimestampTz held_since = 0;
    PG_TRY();
    {
        StartTransactionCommand();
        MemoryContextSwitchTo(caller);
        PushActiveSnapshot(GetTransactionSnapshot());
        TimestampTz deadline = milliseconds_from_now(swap_timeout);
        held_since = GetCurrentTimestamp();
        done = close_gate(move->id, deadline, &held_since) &&
               hand_over(move, flow, after, held_since, deadline);
        PopActiveSnapshot();
        if (done)
            CommitTransactionCommand();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(caller);
        *waited_ms = milliseconds_since(held_since);
        step_back(move, flow, before);
        PG_RE_THROW();
    }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
    *waited_ms = milliseconds_since(held_since);
    if (done)
        release_fence(move, flow->from);
    else
        step_back(move, flow, before);
    return done;
}

void turn_replication(const RunningMove *move)
{
    Flow forward = forward_flow(move), back = back_flow(move);
    shut_fence(move, move->at_source);
    // Both at once would send a change round and round.
    drop_subscription(&forward);
    drop_slot(&forward);
    drop_publication(&forward);
    Rows rows = catalogf("SELECT swap_lsn FROM shardwise.move WHERE move_id = %d", move->id);
    create_subscription(&back, rows.values[0][0]);
}

} // namespace shardwise
