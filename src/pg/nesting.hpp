// How deep the current point of execution is nested: a statement that a client sent runs at
// executor depth 1 and utility depth 0; what functions, triggers and utility commands run is
// deeper.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

extern int executor_depth;
extern int utility_depth;

// How many executions of plans have begun: the number of the last one, from 1.
extern uint64 executions;

// The utility command that runs innermost, if it is EXPLAIN ANALYZE; else a nullptr.
struct ExplainCommand {
    const ExplainStmt *statement;
    int executor_depth; // where it began
};
extern ExplainCommand explain_analyze;

// True while EXPLAIN ANALYZE itself is at work, and none of the queries that it runs. Others that
// print plans (auto_explain) do so after any query.
bool explain_analyze_is_at_work();

// Runs `body` while a variable has another value; restores it also when `body` raises an error.
template <typename Value, typename Body> void run_with(Value *variable, Value value, Body body)
{
    const Value before = *variable;
    *variable = value;
    PG_TRY();
    {
        body();
    }
    PG_FINALLY();
    {
        *variable = before;
    }
    PG_END_TRY();
}

// Runs `body` one level deeper in `depth`.
template <typename Body> void run_nested(int *depth, Body body)
{
    run_with(depth, *depth + 1, body);
}

} // namespace shardwise
