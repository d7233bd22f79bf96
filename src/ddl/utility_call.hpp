// A utility command as the hook is given it, and PostgreSQL's own way to run it.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "tcop/utility.h"
}

namespace shardwise
{

struct UtilityCall {
    PlannedStmt *statement;
    const char *text;
    bool read_only_tree;
    ProcessUtilityContext context;
    ParamListInfo params;
    QueryEnvironment *environment;
    DestReceiver *destination;
    QueryCompletion *completion;
};

// Runs the command on the router alone, by the next hook or PostgreSQL itself. May scribble on the
// statement: copy before what is needed after.
void run_locally(const UtilityCall &call);

} // namespace shardwise
