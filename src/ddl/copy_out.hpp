// COPY ... TO of distributed and reference tables.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "tcop/cmdtag.h"
}

namespace shardwise
{

// Runs COPY relation TO: every shard writes its rows in the wanted format, and their bytes go to
// the destination undecoded. Checks privileges as COPY does.
void copy_out(const CopyStmt *statement, Oid relid, QueryCompletion *completion);

} // namespace shardwise
