#include "transaction/wait_table.hpp"

#include "pg/versions.hpp"

extern "C" {
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/spin.h"
#include "utils/timestamp.h"
}

namespace shardwise
{

static constexpr int detail_size = 512;

struct Row {
    slock_t mutex;
    BackendWaits waits;
    int process;
    uint64 verdict; // the number of the wait that is to end with an error
    char detail[detail_size];
};

static Row *table = nullptr;
static Row *own = nullptr;

Size wait_table_size()
{
    return mul_size(MaxBackends, sizeof(Row));
}

void make_wait_table(void *memory, bool found)
{
    table = static_cast<Row *>(memory);
    for (int i = 0; i < MaxBackends && !found; i++)
        SpinLockInit(&table[i].mutex);
}

extern "C" {
static void free_row(int, Datum)
{
    SpinLockAcquire(&own->mutex);
    own->waits = {};
    SpinLockRelease(&own->mutex);
}
}

static void take_row()
{
    own = &table[backend_number()];
    SpinLockAcquire(&own->mutex);
    own->waits = {};
    own->waits.pid = MyProcPid;
    own->waits.database = MyDatabaseId;
    own->process = process_number();
    own->verdict = 0; // wait numbers begin at 1
    SpinLockRelease(&own->mutex);
    on_shmem_exit(free_row, 0);
}

void note_session(RemoteSession session)
{
    if (session.pid == 0)
        return;
    if (unlikely(own == nullptr))
        take_row();
    SpinLockAcquire(&own->mutex);
    if (own->waits.nsessions == 0)
        own->waits.start = GetCurrentTransactionStartTimestamp();
    if (own->waits.nsessions < max_wait_sessions)
        own->waits.sessions[own->waits.nsessions++] = session;
    SpinLockRelease(&own->mutex);
}

void forget_sessions()
{
    if (own == nullptr || own->waits.nsessions == 0)
        return;
    SpinLockAcquire(&own->mutex);
    own->waits.nsessions = 0;
    SpinLockRelease(&own->mutex);
}

void begin_wait(RemoteSession session)
{
    if (session.pid == 0)
        return;
    if (own == nullptr)
        take_row();
    SpinLockAcquire(&own->mutex);
    if (own->waits.nsessions == 0)
        own->waits.start = GetCurrentTransactionStartTimestamp();
    if (!own->waits.waits)
        own->waits.wait_number++;
    own->waits.waits = true;
    own->waits.waits_for = session;
    SpinLockRelease(&own->mutex);
}

void end_wait()
{
    if (own == nullptr || !own->waits.waits)
        return;
    SpinLockAcquire(&own->mutex);
    own->waits.waits = false;
    SpinLockRelease(&own->mutex);
}

static bool works_on(const BackendWaits *waits, RemoteSession session)
{
    for (int i = 0; i < waits->nsessions; i++)
        if (waits->sessions[i].server == session.server && waits->sessions[i].pid == session.pid)
            return true;
    return false;
}

int find_backend(RemoteSession session)
{
    int found = -1;
    for (int i = 0; i < MaxBackends && found < 0; i++) {
        SpinLockAcquire(&table[i].mutex);
        if (works_on(&table[i].waits, session))
            found = i;
        SpinLockRelease(&table[i].mutex);
    }
    return found;
}

List *list_backend_waits(Oid database)
{
    List *all = NIL;
    for (int i = 0; i < MaxBackends; i++) {
        BackendWaits *copy = static_cast<BackendWaits *>(palloc(sizeof(BackendWaits)));
        SpinLockAcquire(&table[i].mutex);
        *copy = table[i].waits;
        SpinLockRelease(&table[i].mutex);
        if (copy->pid != 0 && copy->database == database)
            all = lappend(all, copy);
        else
            pfree(copy);
    }
    return all;
}

void choose_victim(const BackendWaits *victim, const char *detail)
{
    for (int i = 0; i < MaxBackends; i++) {
        Row *row = &table[i];
        SpinLockAcquire(&row->mutex);
        bool found = row->waits.pid == victim->pid && row->waits.waits &&
                     row->waits.wait_number == victim->wait_number;
        if (found) {
            row->verdict = victim->wait_number;
            strlcpy(row->detail, detail, detail_size);
        }
        int process = row->process;
        SpinLockRelease(&row->mutex);
        if (found)
            SetLatch(&ProcGlobal->allProcs[process].procLatch);
    }
}

const char *take_verdict()
{
    static char detail[detail_size];
    if (own == nullptr || own->verdict == 0)
        return nullptr;
    SpinLockAcquire(&own->mutex);
    bool guilty = own->waits.waits && own->verdict == own->waits.wait_number;
    own->verdict = 0;
    memcpy(detail, own->detail, detail_size);
    SpinLockRelease(&own->mutex);
    return guilty ? detail : nullptr;
}

} // namespace shardwise
