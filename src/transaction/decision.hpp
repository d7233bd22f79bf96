// Names of prepared transactions, and the rows that decide about them.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// The name of a transaction: shardwise_<system identifier>_<database>_<backend pid>_<number>. The
// first two are this router; the number is never used again.
struct GlobalId {
    char text[96];
    uint64 number;
};

// The name of its part on one shard: as several may be databases of one server, followed by
// _<shard>.
struct PreparedName {
    char text[sizeof(GlobalId::text) + 16];
};
PreparedName prepared_name(const GlobalId *, int32 shard_id);
// Takes such a name apart; false if it is no name of this router.
bool parse_prepared_name(const char *name, GlobalId *gid, int32 *shard_id);

// What the names of this router begin with.
const char *global_id_prefix();
GlobalId make_global_id();

// Writes the decision to commit into the current transaction. A backend uses its row again once
// what the row decided is finished, so the table has about one row for each backend.
void record_decision(const GlobalId *);

// The transaction that wrote the decision has committed. `finished`: all shards have, too, so that
// the row is no longer needed.
void end_decision(bool finished);

// True if a transaction that is over decided to commit.
bool decision_exists(const GlobalId *);

// Decisions of sessions that have ended, and their removal where nothing of them is prepared any
// more.
List *list_finished_decisions();
void delete_decisions(const List *decisions);

} // namespace shardwise
