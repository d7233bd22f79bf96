// The plan node of writes in batches: reads what its source plan found, and brings it to the
// shards.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "nodes/execnodes.h"
#include "portability/instr_time.h"
}

namespace shardwise
{

// What a node has done, for the statistics.
struct ModifyResult {
    List *shards; // int: that got rows
    instr_time started;
};

// The node's outcome, or nullptr if it is another node.
const ModifyResult *as_modify_scan(PlanState *node);

// Registers the node's methods.
void init_modify_scan();

} // namespace shardwise
