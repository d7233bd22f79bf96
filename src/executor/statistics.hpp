// Counts executions of statements that shards answer.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "executor/execdesc.h"
}

namespace shardwise
{

// To be called when a statement has run, before its state is freed.
void count_execution(QueryDesc *desc);

} // namespace shardwise
