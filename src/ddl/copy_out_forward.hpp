// Forwarding what shards write for COPY TO.
#pragma once

#include "pg/pg.hpp"
#include "ddl/copy_destination.hpp"

namespace shardwise
{

// What one shard copies: a table with its columns, or a query in parentheses.
struct CopySource {
    int32 shard;
    const char *source;
};

// Writes the rows of all sources, in the order in which they come, to the destination. `names`: of
// the columns, for the header. Returns the number of rows.
uint64 forward_copies(const CopyStmt *statement, CopyDestination *destination, const List *sources,
                      const List *names);

} // namespace shardwise
