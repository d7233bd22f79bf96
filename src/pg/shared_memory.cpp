#include "pg/shared_memory.hpp"

namespace shardwise
{

struct SharedMemoryUser {
    SharedMemoryCallback request;
    SharedMemoryCallback make;
};

static SharedMemoryUser users[8];
static int user_count = 0;

extern "C" {

static shmem_request_hook_type next_request_hook = nullptr;
static shmem_startup_hook_type next_startup_hook = nullptr;

static void request_shared_memory()
{
    if (next_request_hook != nullptr)
        next_request_hook();
    for (int i = 0; i < user_count; i++)
        users[i].request();
}

static void make_shared_memory()
{
    if (next_startup_hook != nullptr)
        next_startup_hook();
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    for (int i = 0; i < user_count; i++)
        users[i].make();
    LWLockRelease(AddinShmemInitLock);
}
}

void register_shared_memory(SharedMemoryCallback request, SharedMemoryCallback make)
{
    Assert(user_count < (int)lengthof(users));
    if (user_count == 0) {
        next_request_hook = shmem_request_hook;
        shmem_request_hook = request_shared_memory;
        next_startup_hook = shmem_startup_hook;
        shmem_startup_hook = make_shared_memory;
    }
    users[user_count++] = {request, make};
}

} // namespace shardwise
