#include "pg/background.hpp"

extern "C" {
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
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

bool gives_way_like_autovacuum(int pid)
{
    const PGPROC *process = BackendPidGetProc(pid);
    return process != nullptr && (process->statusFlags & PROC_IS_AUTOVACUUM) != 0;
}

} // namespace shardwise
