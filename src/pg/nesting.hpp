// How deep the current point of execution is nested: a statement that a client sent runs at
// executor depth 1 and utility depth 0; what functions, triggers and utility commands run is
// deeper.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

extern int executor_depth;
extern int utility_depth;

// The EXPLAIN ANALYZE that runs at utility depth 1; nullptr if none does.
extern const ExplainStmt *explain_analyze;

// Runs `body` one level deeper in `depth`; restores it when `body` raises an error.
template <typename Body> void run_nested(int *depth, Body body)
{
    (*depth)++;
    PG_TRY();
    {
        body();
    }
    PG_FINALLY();
    {
        (*depth)--;
    }
    PG_END_TRY();
}

} // namespace shardwise
