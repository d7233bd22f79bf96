#include "pg/pg.hpp"

#include "catalog/gate.hpp"
#include "catalog/held_maps.hpp"
#include "catalog/key_set.hpp"
#include "catalog/lock_tags.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "pgstat.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace shardwise
{

namespace
{

// Takes a gate's lock for the transaction; true if it was not held yet.
bool enter(int32 move_id)
{
    LOCKTAG tag = lock_tag(LockKind::Gate, move_id);
    if (LockHeldByMe(&tag, ShareLock))
        return false;
    (void)LockAcquire(&tag, ShareLock, false, false);
    AcceptInvalidationMessages();
    return true;
}

void sleep_shortly(long milliseconds)
{
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

// One transaction that is in the way.
bool wait_for_transaction(VirtualTransactionId transaction, TimestampTz deadline)
{
    for (long pause = 1; !VirtualXactLock(transaction, false); pause = std::min(pause * 2, 50L)) {
        if (GetCurrentTimestamp() >= deadline)
            return false;
        sleep_shortly(pause);
    }
    return true;
}

} // namespace

int32 find_owner_for_write(int32 keyspace_id, const Datum *values)
{
    for (;;) {
        const Keyspace *keyspace = find_keyspace(keyspace_id);
        bool waited = false;
        for (int i = 0; i < keyspace->ngates && !waited; i++)
            if (key_set_contains(keyspace, keyspace->gates[i].keys, values))
                waited = enter(keyspace->gates[i].move_id);
        if (waited)
            continue;
        int32 owner = find_owner(keyspace, values);
        check_owner_for_write(keyspace, values, owner);
        return owner;
    }
}

void enter_all_gates(int32 keyspace_id)
{
    for (bool waited = true; waited;) {
        const Keyspace *keyspace = find_keyspace(keyspace_id);
        waited = false;
        for (int i = 0; i < keyspace->ngates && !waited; i++)
            waited = enter(keyspace->gates[i].move_id);
    }
    check_owner_for_write(find_keyspace(keyspace_id), nullptr, 0);
}

bool wait_for_older_statements(const List *relations, bool writers_only, TimestampTz deadline)
{
    ListCell *cell;
    foreach (cell, relations) {
        LOCKTAG tag;
        SET_LOCKTAG_RELATION(tag, MyDatabaseId, lfirst_oid(cell));
        // EXCLUSIVE conflicts with all but plain reads, ACCESS EXCLUSIVE with all.
        VirtualTransactionId *holder =
            GetLockConflicts(&tag, writers_only ? ExclusiveLock : AccessExclusiveLock, nullptr);
        for (; VirtualTransactionIdIsValid(*holder); holder++)
            if (!wait_for_transaction(*holder, deadline))
                return false;
    }
    return true;
}

// Asks without queueing first: writers that come behind a queued request wait with it. Only then
// it queues.
bool close_gate(int32 move_id, TimestampTz deadline, TimestampTz *held_since)
{
    constexpr int tries = 20;
    LOCKTAG tag = lock_tag(LockKind::Gate, move_id);
    for (int i = 0; i < tries && GetCurrentTimestamp() < deadline; i++) {
        *held_since = GetCurrentTimestamp();
        if (LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL)
            return true;
        sleep_shortly(1);
    }
    *held_since = GetCurrentTimestamp();
    long left = TimestampDifferenceMilliseconds(*held_since, deadline);
    if (left <= 0)
        return false;
    int saved = LockTimeout;
    LockTimeout = static_cast<int>(left);
    bool taken = false;
    PG_TRY();
    {
        taken = LockAcquire(&tag, ExclusiveLock, false, false) != LOCKACQUIRE_NOT_AVAIL;
    }
    PG_FINALLY();
    {
        LockTimeout = saved;
    }
    PG_END_TRY();
    return taken;
}

} // namespace shardwise
