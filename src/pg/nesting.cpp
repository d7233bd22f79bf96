#include "pg/nesting.hpp"

namespace shardwise
{

int executor_depth = 0;
int utility_depth = 0;
const ExplainStmt *explain_analyze = nullptr;

} // namespace shardwise
