#include "transaction/stop_point.hpp"

extern "C" {
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "utils/wait_event.h"
}

namespace shardwise
{

char *stop_point_setting = nullptr;

static void wait_for_reload()
{
    ereport(LOG, (errmsg("waiting at stop point \"%s\"", stop_point_setting)));
    while (!ConfigReloadPending) {
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1000,
                        WAIT_EVENT_PG_SLEEP);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    }
}

void reach_stop_point(const char *name)
{
    size_t length = strlen(name);
    if (strncmp(stop_point_setting, name, length) != 0 || stop_point_setting[length] != ':')
        return;
    if (strcmp(stop_point_setting + length + 1, "kill") == 0)
        kill(MyProcPid, SIGKILL);
    else
        wait_for_reload();
}

void init_stop_points()
{
    DefineCustomStringVariable(
        "shardwise.stop_point", "Stops this session at a step of two-phase commit, for tests.",
        nullptr, &stop_point_setting, "", PGC_SUSET,
        GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, nullptr, nullptr, nullptr);
}

} // namespace shardwise
