// COPY ... TO of distributed and reference tables, and of queries on them.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "tcop/cmdtag.h"
#include "utils/queryenvironment.h"
}

namespace shardwise
{

// Runs COPY relation TO: every shard writes its rows in the wanted format, and their bytes go to
// the destination undecoded. Checks privileges as COPY does. Returns nullptr, or the same as COPY
// of a query where the rows have to pass the router: under policies, and binary values that another
// server writes differently.
CopyStmt *copy_table_out(const CopyStmt *statement, Oid relid, QueryCompletion *completion);

// The same for a query whose answer is the rows of one or several shards put together, and nothing
// more. Returns false, and has done nothing, for any other.
bool copy_query_out(const CopyStmt *statement, const char *text, QueryEnvironment *environment,
                    QueryCompletion *completion);

} // namespace shardwise
