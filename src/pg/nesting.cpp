#include "pg/nesting.hpp"

namespace shardwise
{

int executor_depth = 0;
int utility_depth = 0;
bool explain_analyze = false;

} // namespace shardwise
