// When the shards have analyzed their tables.
#pragma once

#include "catalog/catalog.hpp"
#include "pg/pg.hpp"

namespace shardwise
{

// A distributed or reference table, or a partition.
struct AnalyzedTable {
    Oid relid;
    char *name; // qualified and quoted; of a table that may be dropped while shards are asked
    Oid owner;
    List *shards;        // shards_with_rows()
    StringInfoData when; // of each shard; differs once one has analyzed it again
    bool ever;           // some shard has analyzed it
};

// The numbers of shards that together hold each row of a table once.
List *shards_with_rows(const Table *table);

// A table with its owner and shards; nullptr if it is none of the shards', or has gone.
AnalyzedTable *find_analyzed_table(Oid relid);

// Asks the tables' shards (of AnalyzedTable *) as the current user: each shard once. Autovacuum's
// and everybody's ANALYZE count, and those of partitions. Errors: 08xxx.
void ask_when_analyzed(const List *tables);

} // namespace shardwise
