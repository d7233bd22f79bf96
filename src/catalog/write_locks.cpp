#include "catalog/write_locks.hpp"

#include "pg/names.hpp"

extern "C" {
#include "storage/lock.h"
}

namespace shardwise
{

static void lock_writes(Oid relid, bool dont_wait)
{
    relid = topmost_table(relid); // a partition is written through its parent as well
    // pg_advisory_lock() uses 1 and 2 in the last field.
    constexpr uint16 writes_of_reference_table = 0x5301;
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, relid, 0, writes_of_reference_table);
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

} // namespace shardwise
