#include "pg/pg.hpp"

#include "catalog/lock_tags.hpp"
#include "catalog/map_change.hpp"
#include "pg/deadlines.hpp"
#include "reshard/cleanup.hpp"
#include "reshard/copy.hpp"
#include "reshard/failover.hpp"
#include "reshard/fence.hpp"
#include "reshard/move_tables.hpp"
#include "reshard/settings.hpp"
#include "reshard/swap.hpp"
#include "reshard/throttle.hpp"
#include "reshard/verify.hpp"
#include "reshard/worker.hpp"

extern "C" {
#include "pgstat.h"
#include "storage/proc.h"
#include "utils/timestamp.h"
}

namespace shardwise
{

namespace
{

// Verified longer ago than this, a move is verified again before it swaps.
constexpr int fresh_minutes = 10;

enum class Next { Continue, Retry, Stop };

bool wants(const RunningMove *move, const char *wish)
{
    return strcmp(move->wanted, wish) == 0;
}

bool differs(const Verification &found)
{
    return found.mismatched + found.missing + found.extra > 0;
}

char *describe(const Verification &found)
{
    return psprintf(INT64_FORMAT " rows in %.1f s; " INT64_FORMAT " differ, " INT64_FORMAT
                                 " missing, " INT64_FORMAT " extra%s%s",
                    found.rows, found.seconds, found.mismatched, found.missing, found.extra,
                    found.keys[0] != '\0' ? "; hashes of keys: " : "", found.keys);
}

// ---- the steps ---------------------------------------------------------------------------------

// Why the copy is of no use any more, as far as it has begun; nullptr: it is.
const char *reason_to_copy_again(const RunningMove *move)
{
    if (move->state < MoveState::Copying || move->state > MoveState::Swapping)
        return nullptr;
    if (move->source_changed || move->target_changed)
        return psprintf(
            "Shard \"%s\" has failed over since the copy began.",
            NameStr((move->source_changed ? move->at_source : move->at_target)->shard_name));
    Flow flow = forward_flow(move);
    if (catalogf("SELECT 1 FROM shardwise.move WHERE move_id = %d AND snapshot IS NOT NULL",
                 move->id)
                .count > 0 &&
        slot_is_lost(&flow))
        return "The replication slot on the source was lost.";
    return nullptr;
}

// Changes since the copy are lost: all of it begins anew. A limit that is too low for this copy
// would bring it here again and again.
Next copy_again(RunningMove *move, const char *reason)
{
    constexpr int most_copies = 3;
    Rows rows = catalogf("SELECT 1 FROM shardwise.move_event WHERE move_id = %d AND event = "
                         "'planned'",
                         move->id);
    if (rows.count >= most_copies)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the copy of the move has begun anew again and again"),
                        errdetail_internal("%s", reason),
                        errhint("Raise max_slot_wal_keep_size of shard \"%s\".",
                                NameStr(move->at_source->shard_name))));
    if (move->state == MoveState::Swapping) {
        remove_gate(move);
        set_state(move, MoveState::Verified, "swap put off");
    }
    end_replication(move);
    set_state(move, MoveState::Planned, reason);
    return Next::Continue;
}

// From here on DDL on the tables is refused; what is under way holds the other side of the lock.
Next begin(RunningMove *move)
{
    in_transaction([&] {
        catalog("LOCK TABLE shardwise.keyspace IN SHARE ROW EXCLUSIVE MODE");
        if (!owns_ranges(read_move(move->id), move->source))
            ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                            errmsg("the source does not own any more what the move takes"),
                            errhint("Make a new plan.")));
        catalogf("UPDATE shardwise.move SET snapshot = NULL, source_server = NULL, "
                 "target_server = NULL WHERE move_id = %d",
                 move->id);
        set_state(move, MoveState::Copying);
    });
    move->source_changed = move->target_changed = false;
    load_move_tables(move);
    return Next::Continue;
}

Next copy(RunningMove *move)
{
    if (!write_ghosts(move, move->target))
        return Next::Retry;
    if (!copy_rows(move))
        return Next::Continue; // another wish
    set_state(move, MoveState::CatchingUp);
    return Next::Continue;
}

Next catch_up(RunningMove *move)
{
    Flow flow = forward_flow(move);
    release_snapshot(move);
    create_subscription(&flow);
    int64 marker = write_marker(&flow);
    bool seen = wait_for_marker(&flow, marker, milliseconds_from_now(1000));
    int64 lag = replication_lag(&flow);
    catalogf("UPDATE shardwise.move SET lag_bytes = " INT64_FORMAT " WHERE move_id = %d", lag,
             move->id);
    if (seen || (lag >= 0 && lag <= move_max_lag * INT64CONST(1048576)))
        set_state(move, MoveState::Verifying);
    else
        check_apply(&flow, &move->apply_errors);
    return Next::Continue;
}

Verification compare(RunningMove *move, const Flow *flow)
{
    catalogf("UPDATE shardwise.move SET workers = 2 WHERE move_id = %d", move->id);
    Verification found =
        verify_flow(flow, strcmp(move->verification, "sampled") == 0 && !move->source_changed);
    catalogf("UPDATE shardwise.move SET workers = 0, verified_rows = " INT64_FORMAT
             " WHERE move_id = %d",
             found.rows, move->id);
    return found;
}

// Compares along a flow, and repairs where the operator allowed it. True if the keys may be handed
// over; *found says what was seen last.
bool sides_agree(RunningMove *move, const Flow *flow, Verification *found)
{
    *found = compare(move, flow);
    if (!differs(*found))
        return true;
    bool force = strcmp(move->on_mismatch, "force") == 0;
    if (strcmp(move->on_mismatch, "stop") == 0)
        return false; // a choice that comes at this moment is for the next time
    if (strcmp(move->on_mismatch, "repair") == 0) {
        add_event(move, "differences found", describe(*found));
        int64 repaired = repair_flow(flow);
        add_event(move, "repaired", psprintf(INT64_FORMAT " rows", repaired));
        *found = compare(move, flow);
    }
    // The choice was made for these differences, not for those to come.
    catalogf("UPDATE shardwise.plan SET on_mismatch = 'stop' WHERE plan_id = %d "
             "AND on_mismatch = '%s'",
             move->plan_id, move->on_mismatch);
    return force || !differs(*found);
}

Next verify(RunningMove *move)
{
    if (strcmp(move->verification, "none") == 0) {
        set_state(move, MoveState::Verified, "not verified, as the operator asked");
        return Next::Continue;
    }
    Flow flow = forward_flow(move);
    Verification found;
    if (sides_agree(move, &flow, &found)) {
        set_state(move, MoveState::Verified, describe(found));
        return Next::Continue;
    }
    catalogf("UPDATE shardwise.move SET error = %s WHERE move_id = %d",
             quote_literal_cstr(psprintf("verification found differences: %s", describe(found))),
             move->id);
    set_state(move, MoveState::Failed, describe(found));
    return Next::Stop;
}

Next make_ready(RunningMove *move)
{
    Rows stale = catalogf("SELECT 1 FROM shardwise.move WHERE move_id = %d AND state_since < "
                          "clock_timestamp() - interval '%d minutes'",
                          move->id, fresh_minutes);
    if (stale.count > 0 && strcmp(move->verification, "none") != 0) {
        set_state(move, MoveState::Verifying, "The last verification is too old.");
        return Next::Continue;
    }
    Flow flow = forward_flow(move);
    prepare_swap(move, &flow);
    set_state(move, MoveState::Swapping);
    return Next::Continue;
}

// One attempt. Writers that never end, or a target that falls behind, make it step back.
bool try_swap(RunningMove *move, const Flow *flow, MoveState after)
{
    double waited = 0;
    catalogf("UPDATE shardwise.move SET swap_attempts = swap_attempts + 1 WHERE move_id = %d",
             move->id);
    bool done = swap_owner(move, flow, after, &waited);
    if (!done)
        add_event(move, "swap put off",
                  psprintf("Transactions in the way did not end in time; writers were held for "
                           "%.1f ms.",
                           waited));
    return done;
}

Next swap(RunningMove *move)
{
    Flow flow = forward_flow(move);
    if (!try_swap(move, &flow, MoveState::Swapped)) {
        remove_gate(move);
        set_state(move, MoveState::Verified, "swap put off");
        return Next::Retry;
    }
    turn_replication(move);
    return Next::Continue;
}

// Changes since the swap are on the target alone and cannot be had from there in their order. The
// plan stays as it is; what of it has not swapped yet is undone.
Next refuse_rollback(RunningMove *move)
{
    const char *error =
        quote_literal_cstr(psprintf("move %d cannot be rolled back: the replication slot on shard "
                                    "\"%s\" that kept the changes since the swap was lost; finish "
                                    "the plan, and move the rows back by a new one",
                                    move->id, NameStr(move->at_target->shard_name)));
    in_transaction([&] {
        catalogf("UPDATE shardwise.move SET error = %s WHERE move_id = %d", error, move->id);
        catalogf("UPDATE shardwise.plan SET error = %s, wanted = 'cancel' WHERE plan_id = %d",
                 error, move->plan_id);
        add_event(move, "rollback refused", "The replication slot on the target was lost.");
    });
    return Next::Stop;
}

Next roll_back(RunningMove *move)
{
    Flow back = back_flow(move);
    if (move->target_changed || slot_is_lost(&back))
        return refuse_rollback(move);
    turn_replication(move);
    // A source that failed over may have confirmed changes that it does not have any more.
    if (strcmp(move->verification, "none") != 0 || move->source_changed) {
        Verification found;
        if (!sides_agree(move, &back, &found))
            ereport(ERROR,
                    (errcode(ERRCODE_DATA_CORRUPTED),
                     errmsg("verification found differences, so that the move is not rolled back"),
                     errdetail_internal("%s", describe(found)),
                     errhint("shardwise.resume_plan() can repair them.")));
        add_event(move, "verified", describe(found));
    }
    prepare_swap(move, &back);
    // The source's own fence kept strays out until now.
    remove_fence(move, move->at_source);
    if (!try_swap(move, &back, MoveState::RolledBack))
        return Next::Retry;
    return Next::Continue;
}

// Nothing of the move stays on its shards.
Next tidy(RunningMove *move)
{
    uint64 deleted = 0;
    if (!clean_up(move, &deleted))
        return Next::Retry;
    catalogf("UPDATE shardwise.move SET leftovers = false, snapshot = NULL WHERE move_id = %d",
             move->id);
    add_event(
        move, "cleaned up",
        psprintf(UINT64_FORMAT " rows deleted on shard \"%s\"", deleted,
                 NameStr((move->state == MoveState::Cleaning ? move->at_source : move->at_target)
                             ->shard_name)));
    if (move->state == MoveState::Cleaning)
        set_state(move, MoveState::Done);
    return Next::Stop;
}

bool keeps_differences(const RunningMove *move)
{
    return catalogf("SELECT 1 FROM shardwise.move_verification WHERE move_id = %d AND "
                    "mismatched + missing + extra > 0",
                    move->id)
               .count > 0;
}

Next step(RunningMove *move)
{
    bool undo = wants(move, "cancel") || wants(move, "rollback");
    if (undo && !target_owns(move->state) && may_follow(move->state, MoveState::Cancelled))
        set_state(move, MoveState::Cancelled);
    if (wants(move, "pause") && move->state < MoveState::Swapped)
        return Next::Stop;
    if (const char *reason = reason_to_copy_again(move))
        return copy_again(move, reason);
    switch (move->state) {
    case MoveState::Planned:
        return begin(move);
    case MoveState::Copying:
        return copy(move);
    case MoveState::CatchingUp:
        return catch_up(move);
    case MoveState::Verifying:
        return verify(move);
    case MoveState::Verified:
        return make_ready(move);
    case MoveState::Swapping:
        return swap(move);
    case MoveState::Swapped:
        if (wants(move, "rollback"))
            return roll_back(move);
        if (wants(move, "finish")) {
            set_state(move, MoveState::Cleaning);
            return Next::Continue;
        }
        turn_replication(move);
        return Next::Stop;
    case MoveState::Failed:
        return move->leftovers && !keeps_differences(move) ? tidy(move) : Next::Stop;
    case MoveState::Cleaning:
    case MoveState::Cancelled:
    case MoveState::RolledBack:
        return move->leftovers ? tidy(move) : Next::Stop;
    case MoveState::Done:
        return Next::Stop;
    }
    return Next::Stop;
}

// ---- errors ------------------------------------------------------------------------------------

// Errors that a later attempt may not meet: lost connections, crashes, locks, full disks.
bool is_transient(int sqlstate)
{
    switch (ERRCODE_TO_CATEGORY(sqlstate)) {
    case MAKE_SQLSTATE('0', '8', '0', '0', '0'):
    case MAKE_SQLSTATE('4', '0', '0', '0', '0'):
    case MAKE_SQLSTATE('5', '3', '0', '0', '0'):
    case MAKE_SQLSTATE('5', '7', '0', '0', '0'):
    case MAKE_SQLSTATE('5', '8', '0', '0', '0'):
        return true;
    default:
        return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_OBJECT_IN_USE;
    }
}

// PostgreSQL gives no SQLSTATE to some losses of a connection between shards (CREATE SUBSCRIPTION
// whose publisher goes away): what looks like an internal error is tried some times.
bool may_pass(int32 move_id, int sqlstate)
{
    constexpr int64 most_tries = 5;
    return is_transient(sqlstate) ||
           (sqlstate == ERRCODE_INTERNAL_ERROR &&
            catalogf("SELECT 1 FROM shardwise.move_event WHERE move_id = %d AND event = 'retry'",
                     move_id)
                    .count < most_tries);
}

void note_error(int32 move_id, const ErrorData *error, bool gives_up)
{
    // Everyone may read it, but not the keys that DETAIL of a constraint shows.
    bool shows_keys = ERRCODE_TO_CATEGORY(error->sqlerrcode) ==
                      ERRCODE_TO_CATEGORY(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION);
    char *text = error->detail != nullptr && !shows_keys
                     ? psprintf("%s (%s)", error->message, error->detail)
                     : pstrdup(error->message);
    if (error->context != nullptr && strncmp(error->context, "shard \"", 7) == 0)
        text = psprintf("%.*s: %s", (int)strcspn(error->context, "\n"), error->context, text);
    catalogf("UPDATE shardwise.move SET error = %s, retries = retries + 1, workers = 0, "
             "throttled_by = NULL WHERE move_id = %d",
             quote_literal_cstr(text), move_id);
    catalogf("INSERT INTO shardwise.move_event (move_id, event, detail) VALUES (%d, '%s', %s)",
             move_id, gives_up ? "error" : "retry", quote_literal_cstr(text));
    ereport(LOG, (errmsg("shardwise move %d: %s", move_id, text)));
}

// A permanent error: the source stays the owner. After the swap there is no way but forward.
void give_up(int32 move_id)
{
    RunningMove *move = load_move(move_id);
    remove_gate(move);
    if (may_follow(move->state, MoveState::Failed))
        set_state(move, MoveState::Failed);
}

// Runs the move until it stops, an error comes, or a step asks to be repeated later.
Next drive(int32 move_id)
{
    RunningMove *move = load_move(move_id);
    move->at_source = open_shard_session(move->source);
    move->at_target = open_shard_session(move->target);
    compare_servers(move);
    renew_subscriptions(move);
    watch_latency(move);
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        refresh_move(move);
        Next next = step(move);
        if (next != Next::Continue)
            return next;
    }
}

Next drive_guarded(int32 move_id, MemoryContext scratch)
{
    volatile Next next = Next::Retry;
    PG_TRY();
    {
        next = drive(move_id);
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(scratch);
        ErrorData *error = CopyErrorData();
        FlushErrorState();
        AbortOutOfAnyTransaction();
        LockTimeout = 0;
        MemoryContextSwitchTo(scratch);
        bool transient = may_pass(move_id, error->sqlerrcode);
        note_error(move_id, error, !transient);
        if (!transient)
            give_up(move_id);
    }
    PG_END_TRY();
    return next;
}

// One process works on a move. A runner that dies leaves its movers behind, and the next one starts
// others: these wait for their turn. Until this process ends.
void become_mover(int32 move_id)
{
    constexpr long pause_ms = 200;
    LOCKTAG tag = lock_tag(LockKind::Mover, move_id);
    while (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
        pause_for(pause_ms);
}

} // namespace

} // namespace shardwise

using namespace shardwise;

extern "C" {
PGDLLEXPORT void shardwise_mover_main(Datum argument);
}

void shardwise_mover_main(Datum argument)
{
    constexpr long longest_pause_ms = 30000;
    int32 move_id = DatumGetInt32(argument);
    begin_worker("shardwise move %d", move_id);
    become_mover(move_id);
    MemoryContext scratch =
        AllocSetContextCreate(TopMemoryContext, "shardwise move", ALLOCSET_DEFAULT_SIZES);
    for (long pause = 200;; pause = std::min(pause * 2, longest_pause_ms)) {
        MemoryContextSwitchTo(scratch);
        Next next = drive_guarded(move_id, scratch);
        MemoryContextReset(scratch); // ends the sessions
        if (next == Next::Stop)
            return;
        pause_for(pause);
    }
}
