// Rows that go to another shard while others look for them. Such a row is deleted on its shard and
// inserted on another, so a statement on several shards that waited for it would find it gone, and
// miss it where it is now. As PostgreSQL does for a row that goes to another partition, it fails.
// Commits of such rows wait for the others, up to deadlock_timeout; who takes longer fails, too.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// The writer: rows of a table leave a shard in this transaction.
void note_leaving_rows(int32 shard_id, Oid table);

// Others: begins and ends a statement on several shards that locks or changes the rows which it
// finds: of `table`; InvalidOid: of more than one. `is_awaited`: it ends soon. The end raises 40001
// where it has waited for a row that has gone to another shard, or may have missed one, unless its
// transaction keeps one snapshot: the shard has raised that then.
void begin_finding(Oid table, bool is_awaited);
void end_finding();
// Ends such a statement that nobody reads to its end.
void give_up_finding();

} // namespace shardwise
