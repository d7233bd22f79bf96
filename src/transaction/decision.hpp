// Names of prepared transactions, and the rows that decide about them.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// The name of a transaction: shardwise_<system identifier>_<database>_<backend pid>_<number>. The
// first two are this router; the number is never used again.
struct GlobalId {
    char text[96];
};

// The name of its part on one shard: as several may be databases of one server, followed by
// _<shard>.
struct PreparedName {
    char text[sizeof(GlobalId) + 16];
};
PreparedName prepared_name(const GlobalId *, int32 shard_id);

// What the ids of this router begin with.
const char *global_id_prefix();
GlobalId make_global_id();

// Writes the decision to commit into the current transaction. A backend uses its row again once
// what the row decided is finished, so the table has about one row for each backend.
void record_decision(const GlobalId *);

// The transaction that wrote the decision has committed. `finished`: all shards have, too, so that
// the row is no longer needed.
void end_decision(bool finished);

} // namespace shardwise
