#include "pg/nesting.hpp"

namespace shardwise
{

int executor_depth = 0;
int utility_depth = 0;
uint64 executions = 0;
ExplainCommand explain_analyze = {};

bool explain_analyze_is_at_work()
{
    return explain_analyze.statement != nullptr && explain_analyze.executor_depth == executor_depth;
}

} // namespace shardwise
