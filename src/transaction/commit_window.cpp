#include "transaction/commit_window.hpp"

extern "C" {
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/spin.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace shardwise
{

static constexpr TimestampTz rare_after = 10 * USECS_PER_SEC;

struct Side {
    int inside;
    int waiting;
    uint32 turns; // how often those who waited were let in, all at once
};

struct CommitWindow {
    slock_t mutex; // of sides
    Side sides[2];
    ConditionVariable turn_came;
    pg_atomic_uint64 begun;
    pg_atomic_uint64 ended;
    pg_atomic_uint64 last_end; // TimestampTz
};

static CommitWindow *window = nullptr;

// This backend's part.
static struct {
    bool waiting;
    bool inside;
    int side;
    uint32 turn; // the count of turns when it began to wait
} own;

Size commit_window_size()
{
    return MAXALIGN(sizeof(CommitWindow));
}

void make_commit_window(void *memory, bool found)
{
    window = static_cast<CommitWindow *>(memory);
    if (found)
        return;
    SpinLockInit(&window->mutex);
    ConditionVariableInit(&window->turn_came);
    pg_atomic_init_u64(&window->begun, 0);
    pg_atomic_init_u64(&window->ended, 0);
    pg_atomic_init_u64(&window->last_end, 0);
}

// Lets all in who wait on the other side, if this side is empty now. With the mutex held.
static bool give_turn(int side)
{
    Side *other = &window->sides[1 - side];
    if (window->sides[side].inside > 0 || other->waiting == 0)
        return false;
    other->inside += other->waiting;
    other->waiting = 0;
    other->turns++;
    return true;
}

// Enters unless the other side is inside, or was here first.
static bool try_enter(int side)
{
    Side *other = &window->sides[1 - side];
    SpinLockAcquire(&window->mutex);
    bool free = other->inside == 0 && other->waiting == 0;
    if (free)
        window->sides[side].inside++;
    else
        window->sides[side].waiting++;
    own.turn = window->sides[side].turns;
    SpinLockRelease(&window->mutex);
    return free;
}

static bool turn_has_come()
{
    SpinLockAcquire(&window->mutex);
    bool came = window->sides[own.side].turns != own.turn;
    SpinLockRelease(&window->mutex);
    return came;
}

static void wait_for_turn()
{
    ConditionVariablePrepareToSleep(&window->turn_came);
    while (!turn_has_come())
        ConditionVariableSleep(&window->turn_came, PG_WAIT_EXTENSION);
    ConditionVariableCancelSleep();
}

void enter_window(Party party)
{
    own.side = static_cast<int>(party);
    own.inside = try_enter(own.side);
    if (!own.inside) {
        own.waiting = true;
        wait_for_turn();
        own.waiting = false;
        own.inside = true;
    }
    if (party == Party::Committers)
        pg_atomic_fetch_add_u64(&window->begun, 1);
}

void leave_window()
{
    if (!own.inside && !own.waiting)
        return;
    if (own.inside && own.side == static_cast<int>(Party::Committers)) {
        pg_atomic_write_u64(&window->last_end, GetCurrentTimestamp());
        pg_atomic_fetch_add_u64(&window->ended, 1);
    }
    SpinLockAcquire(&window->mutex);
    Side *side = &window->sides[own.side];
    if (own.waiting && side->turns == own.turn)
        side->waiting--;
    else
        side->inside--; // also where the turn came just as the wait was given up
    // Giving up may have been all that the other side waited for.
    bool given = give_turn(own.side) || give_turn(1 - own.side);
    SpinLockRelease(&window->mutex);
    own.waiting = own.inside = false;
    if (given)
        ConditionVariableBroadcast(&window->turn_came);
}

uint64 count_commits()
{
    return pg_atomic_read_u64(&window->begun);
}

bool commits_are_rare()
{
    uint64 begun = pg_atomic_read_u64(&window->begun);
    if (begun == 0)
        return true;
    pg_read_barrier();
    return pg_atomic_read_u64(&window->ended) == begun &&
           GetCurrentTimestamp() - (TimestampTz)pg_atomic_read_u64(&window->last_end) > rare_after;
}

} // namespace shardwise
