#include "pg/background.hpp"

extern "C" {
#include "storage/lwlock.h"
#include "storage/proc.h"
}

namespace shardwise
{

void give_way_like_autovacuum()
{
    LWLockAcquire(ProcArrayLock, LW_EXCLUSIVE);
    MyProc->statusFlags |= PROC_IS_AUTOVACUUM;
    ProcGlobal->statusFlags[MyProc->pgxactoff] = MyProc->statusFlags;
    LWLockRelease(ProcArrayLock);
}

} // namespace shardwise
