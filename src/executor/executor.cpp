#include "executor/executor.hpp"

#include "executor/copies_scan.hpp"
#include "executor/cursor_scan.hpp"
#include "executor/key_source.hpp"
#include "executor/lock_scan.hpp"
#include "executor/modify_scan.hpp"
#include "executor/route_scan.hpp"
#include "executor/statistics.hpp"
#include "executor/with_scan.hpp"
#include "pg/nesting.hpp"
#include "transaction/snapshot.hpp"

extern "C" {
#include "executor/executor.h"
}

namespace shardwise
{

namespace
{

ExecutorStart_hook_type previous_start = nullptr;
ExecutorRun_hook_type previous_run = nullptr;
ExecutorFinish_hook_type previous_finish = nullptr;
ExecutorEnd_hook_type previous_end = nullptr;

extern "C" void shardwise_executor_start(QueryDesc *desc, int eflags)
{
    executions++;
    announce_with_rows(desc);
    if (previous_start != nullptr)
        previous_start(desc, eflags);
    else
        standard_ExecutorStart(desc, eflags);
    start_cursor(desc);
}

// PostgreSQL before 18 also says whether the plan runs but once.
template <typename... Once>
void shardwise_executor_run(QueryDesc *desc, ScanDirection direction, uint64 count, Once... once)
{
    bool outer = runs_once;
    runs_once = (true && ... && once) && (sizeof...(once) > 0 || count == 0);
    announce_rows_wanted(desc->planstate, count);
    run_nested(&executor_depth, [=] {
        if (previous_run != nullptr)
            previous_run(desc, direction, count, once...);
        else
            standard_ExecutorRun(desc, direction, count, once...);
    });
    runs_once = outer;
}

// AFTER triggers run here, foreign keys' among them: what they do is not the client's statement.
extern "C" void shardwise_executor_finish(QueryDesc *desc)
{
    run_nested(&executor_depth, [=] {
        if (previous_finish != nullptr)
            previous_finish(desc);
        else
            standard_ExecutorFinish(desc);
    });
}

extern "C" void shardwise_executor_end(QueryDesc *desc)
{
    count_execution(desc);
    if (previous_end != nullptr)
        previous_end(desc);
    else
        standard_ExecutorEnd(desc);
    end_reads(take_ended_execution());
}

} // namespace

void init_executor()
{
    previous_start = ExecutorStart_hook;
    ExecutorStart_hook = shardwise_executor_start;
    previous_run = ExecutorRun_hook;
    ExecutorRun_hook = shardwise_executor_run;
    previous_finish = ExecutorFinish_hook;
    ExecutorFinish_hook = shardwise_executor_finish;
    previous_end = ExecutorEnd_hook;
    ExecutorEnd_hook = shardwise_executor_end;
    init_route_scan();
    init_key_source();
    init_modify_scan();
    init_lock_scan();
    init_copies_scan();
    init_cursor_scan();
    init_with_scan();
}

} // namespace shardwise
