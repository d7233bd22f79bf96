// tableoid in statements for the shards: it shows the router's Oid of a table, not the shard's.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Replaces the tableoid of tables without partitions by a constant. `queries` are those around the
// node, innermost first.
Node *replace_tableoid(Node *node, List *queries);

// Replaces that of partitioned tables, too, by an expression for the shard, which alone knows a
// row's partition. The result names Oids of both servers: nothing of it must be taken for a value
// of the router. Depends on the partitions' names (ddl/rename tells the plans of their parents).
Node *translate_tableoid(Node *node, List *queries);

// True for the tableoid of a partitioned table, if its level is among the queries.
bool is_partition_oid(const Node *node, List *queries);

} // namespace shardwise
