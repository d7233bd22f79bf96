#include "transaction/shared.hpp"

#include "pg/shared_memory.hpp"
#include "pg/versions.hpp"
#include "transaction/commit_window.hpp"
#include "transaction/finders.hpp"
#include "transaction/wait_table.hpp"

extern "C" {
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"
}

namespace shardwise
{

// Shards beyond this number are looked at each time they are used.
static constexpr int max_shards = 4096;
static constexpr int max_visits = 512;
static constexpr int max_detectors = 64;

struct ShardKey {
    Oid database;
    int32 shard_id;
};
struct SharedShard {
    ShardKey key;
    pg_atomic_uint32 doubt; // 0: none; else counts the reasons
};

struct Shared {
    LWLock *lock;              // of the table of shards, and of visits
    pg_atomic_uint32 launcher; // its process_number() + 1
    int nvisits;
    Visit visits[max_visits];
    Oid detectors[max_detectors];                 // databases where deadlocks are looked for
    pg_atomic_uint64 live[FLEXIBLE_ARRAY_MEMBER]; // by backend
};

static Shared *shared = nullptr;
static HTAB *shards = nullptr;

// The backend's pointers into the table, by shard number.
static SharedShard **seen = nullptr;
static int seen_size = 0;

static Size shared_size()
{
    return add_size(offsetof(Shared, live), mul_size(MaxBackends, sizeof(pg_atomic_uint64)));
}

void set_live_transaction(uint64 number)
{
    pg_atomic_write_u64(&shared->live[backend_number()], number);
    pg_memory_barrier();
}

bool transaction_is_live(uint64 number)
{
    pg_memory_barrier();
    for (int i = 0; i < MaxBackends; i++)
        if (pg_atomic_read_u64(&shared->live[i]) == number)
            return true;
    return false;
}

static SharedShard *find_shared_shard(int32 shard_id)
{
    ShardKey key = {MyDatabaseId, shard_id};
    bool found;
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    SharedShard *shard =
        static_cast<SharedShard *>(hash_search(shards, &key, HASH_ENTER_NULL, &found));
    if (shard != nullptr && !found)
        pg_atomic_init_u32(&shard->doubt, 1);
    LWLockRelease(shared->lock);
    return shard;
}

static void remember(int32 shard_id, SharedShard *shard)
{
    if (shard_id >= seen_size) {
        int size = std::max(64, shard_id * 2);
        Size bytes = sizeof(SharedShard *) * size;
        SharedShard **larger =
            static_cast<SharedShard **>(MemoryContextAllocZero(TopMemoryContext, bytes));
        if (seen != nullptr) {
            memcpy(larger, seen, sizeof(SharedShard *) * seen_size);
            pfree(seen);
        }
        seen = larger;
        seen_size = size;
    }
    seen[shard_id] = shard;
}

bool shard_is_in_doubt(int32 shard_id)
{
    if (unlikely(shard_id >= seen_size || seen[shard_id] == nullptr)) {
        SharedShard *shard = find_shared_shard(shard_id);
        if (shard == nullptr)
            return true;
        remember(shard_id, shard);
    }
    return pg_atomic_read_u32(&seen[shard_id]->doubt) != 0;
}

void mark_in_doubt(int32 shard_id)
{
    if (shard_id < seen_size && seen[shard_id] != nullptr)
        pg_atomic_fetch_add_u32(&seen[shard_id]->doubt, 1);
    request_visit(MyDatabaseId, Task::Recovery, GetCurrentTimestamp());
}

uint32 doubt_generation(int32 shard_id)
{
    return shard_is_in_doubt(shard_id) && shard_id < seen_size && seen[shard_id] != nullptr
               ? pg_atomic_read_u32(&seen[shard_id]->doubt)
               : 0;
}

void clear_doubt(int32 shard_id, uint32 generation)
{
    if (shard_id < seen_size && seen[shard_id] != nullptr && generation != 0)
        pg_atomic_compare_exchange_u32(&seen[shard_id]->doubt, &generation, 0);
}

static void wake_launcher()
{
    uint32 launcher = pg_atomic_read_u32(&shared->launcher);
    if (launcher != 0)
        SetLatch(&ProcGlobal->allProcs[launcher - 1].procLatch);
}

void request_visit(Oid database, Task task, TimestampTz due)
{
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    int i = 0;
    while (i < shared->nvisits &&
           (shared->visits[i].database != database || shared->visits[i].task != task))
        i++;
    if (i < shared->nvisits)
        shared->visits[i].due = std::min(shared->visits[i].due, due);
    else if (i < max_visits)
        shared->visits[shared->nvisits++] = {database, task, due};
    LWLockRelease(shared->lock);
    if (due <= GetCurrentTimestamp())
        wake_launcher();
}

static Oid *find_detector(Oid database)
{
    for (int i = 0; i < max_detectors; i++)
        if (shared->detectors[i] == database)
            return &shared->detectors[i];
    return nullptr;
}

void request_deadlock_detection()
{
    LWLockAcquire(shared->lock, LW_SHARED);
    bool is_running = find_detector(MyDatabaseId) != nullptr;
    LWLockRelease(shared->lock);
    if (!is_running)
        request_visit(MyDatabaseId, Task::Deadlocks, GetCurrentTimestamp());
}

extern "C" {
static void end_deadlock_detection(int, Datum)
{
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    *find_detector(MyDatabaseId) = InvalidOid;
    LWLockRelease(shared->lock);
}
}

bool begin_deadlock_detection()
{
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    Oid *place = find_detector(MyDatabaseId) == nullptr ? find_detector(InvalidOid) : nullptr;
    if (place != nullptr)
        *place = MyDatabaseId;
    LWLockRelease(shared->lock);
    if (place != nullptr)
        before_shmem_exit(end_deadlock_detection, 0);
    return place != nullptr;
}

bool take_due_visit(Visit *visit, long *milliseconds)
{
    TimestampTz now = GetCurrentTimestamp();
    bool found = false;
    *milliseconds = -1;
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    for (int i = 0; i < shared->nvisits && !found; i++) {
        long left = TimestampDifferenceMilliseconds(now, shared->visits[i].due);
        if (shared->visits[i].due <= now) {
            *visit = shared->visits[i];
            shared->visits[i] = shared->visits[--shared->nvisits];
            found = true;
        } else if (*milliseconds < 0 || left < *milliseconds) {
            *milliseconds = left;
        }
    }
    LWLockRelease(shared->lock);
    return found;
}

extern "C" {

static void forget_launcher(int, Datum)
{
    pg_atomic_write_u32(&shared->launcher, 0);
}
}

static void request_shared_memory()
{
    RequestAddinShmemSpace(shared_size());
    RequestAddinShmemSpace(commit_window_size());
    RequestAddinShmemSpace(wait_table_size());
    RequestAddinShmemSpace(finders_size());
    RequestAddinShmemSpace(hash_estimate_size(max_shards, sizeof(SharedShard)));
    RequestNamedLWLockTranche("shardwise_transactions", 1);
}

static void make_shared_memory()
{
    bool found;
    shared =
        static_cast<Shared *>(ShmemInitStruct("shardwise transactions", shared_size(), &found));
    if (!found) {
        memset(static_cast<void *>(shared), 0, shared_size());
        shared->lock = &GetNamedLWLockTranche("shardwise_transactions")->lock;
        pg_atomic_init_u32(&shared->launcher, 0);
        for (int i = 0; i < MaxBackends; i++)
            pg_atomic_init_u64(&shared->live[i], 0);
    }
    void *window = ShmemInitStruct("shardwise commit window", commit_window_size(), &found);
    if (!found)
        memset(window, 0, commit_window_size());
    make_commit_window(window, found);
    void *waits = ShmemInitStruct("shardwise waits", wait_table_size(), &found);
    if (!found)
        memset(waits, 0, wait_table_size());
    make_wait_table(waits, found);
    void *looking = ShmemInitStruct("shardwise finders", finders_size(), &found);
    if (!found)
        memset(looking, 0, finders_size());
    make_finders(looking, found);
    HASHCTL control = {};
    control.keysize = sizeof(ShardKey);
    control.entrysize = sizeof(SharedShard);
    shards =
        ShmemInitHash("shardwise shards", max_shards, max_shards, &control, HASH_ELEM | HASH_BLOBS);
}

void register_launcher()
{
    on_shmem_exit(forget_launcher, 0);
    pg_atomic_write_u32(&shared->launcher, process_number() + 1);
}

void init_shared()
{
    register_shared_memory(request_shared_memory, make_shared_memory);
}

} // namespace shardwise
