// The plan node that hands on the rows of a join's small side and collects their keys, by which the
// scan of the other side is reduced (planner/key_filter.hpp).
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "nodes/execnodes.h"
}

namespace shardwise
{

// The distinct keys of all rows that the node has, or will have, returned.
struct CollectedKeys {
    bool too_many;     // then, no others are known
    int n;             // none is NULL: nothing is equal to NULL
    Datum array;       // of n keys
    uint64 generation; // differs from those of any other run
};

// Gets the keys from the node that put itself at the executor's parameter `source`, which reads its
// rows to the end for that if it has not; it still returns them when asked for.
const CollectedKeys *collect_keys(EState *estate, int source);

// Registers the node. From init_executor().
void init_key_source();

} // namespace shardwise
