#include "catalog/write_locks.hpp"

#include "pg/deadlines.hpp"
#include "pg/names.hpp"

extern "C" {
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace shardwise
{

// In the last field, where pg_advisory_lock() uses 1 and 2.
static constexpr uint16 writes_of_reference_table = 0x5301;
static constexpr uint16 turns_of_table = 0x5302;

// A partition is written through its parent as well.
static LOCKTAG lock_of_table(Oid topmost, uint16 kind)
{
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, topmost, 0, kind);
    return tag;
}

static void lock_writes(Oid relid, bool dont_wait)
{
    LOCKTAG tag = lock_of_table(topmost_table(relid), writes_of_reference_table);
    (void)LockAcquire(&tag, ExclusiveLock, false, dont_wait);
}

void lock_reference_writes(Oid relid)
{
    lock_writes(relid, false);
}

void try_lock_reference_writes(Oid relid)
{
    lock_writes(relid, true);
}

void take_write_turn(WriteTurn *turn, Oid relid, bool shared)
{
    if (OidIsValid(turn->relid) || !OidIsValid(relid))
        return;
    relid = topmost_table(relid);
    LOCKTAG tag = lock_of_table(relid, turns_of_table);
    LOCKMODE mode = shared ? ShareLock : ExclusiveLock;
    TimestampTz deadline = milliseconds_from_now(DeadlockTimeout);
    while (LockAcquire(&tag, mode, false, true) == LOCKACQUIRE_NOT_AVAIL) {
        if (GetCurrentTimestamp() > deadline)
            return;
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1,
                        PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    }
    *turn = {relid, mode, CurrentResourceOwner};
}

void end_write_turn(WriteTurn *turn)
{
    if (!OidIsValid(turn->relid))
        return;
    LOCKTAG tag = lock_of_table(turn->relid, turns_of_table);
    ResourceOwner caller = CurrentResourceOwner;
    CurrentResourceOwner = turn->owner;
    (void)LockRelease(&tag, turn->mode, false);
    CurrentResourceOwner = caller;
    turn->relid = InvalidOid;
}

} // namespace shardwise
