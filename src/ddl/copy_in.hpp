// COPY ... FROM into distributed and reference tables.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "tcop/cmdtag.h"
#include "utils/queryenvironment.h"
}

namespace shardwise
{

// Runs COPY relation FROM: every row goes to the shard that owns its key, as the bytes in which it
// came. Privileges, options and errors, their CONTEXT with the line too, are PostgreSQL's.
void copy_in(const CopyStmt *statement, const char *text, QueryEnvironment *environment,
             QueryCompletion *completion);

} // namespace shardwise
