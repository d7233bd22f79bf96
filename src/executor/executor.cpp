#include "executor/executor.hpp"

#include "executor/route_scan.hpp"
#include "pg/nesting.hpp"

extern "C" {
#include "executor/executor.h"
}

namespace shardwise
{

namespace
{

ExecutorRun_hook_type previous_run = nullptr;

extern "C" void shardwise_executor_run(QueryDesc *desc, ScanDirection direction, uint64 count,
                                       bool once)
{
    run_nested(&executor_depth, [=] {
        if (previous_run != nullptr)
            previous_run(desc, direction, count, once);
        else
            standard_ExecutorRun(desc, direction, count, once);
    });
}

} // namespace

void init_executor()
{
    previous_run = ExecutorRun_hook;
    ExecutorRun_hook = shardwise_executor_run;
    init_route_scan();
}

} // namespace shardwise
