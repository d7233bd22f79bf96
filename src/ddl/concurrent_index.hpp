// Validity of indexes that commands outside of transaction blocks make or rebuild. The router's is
// valid when all shards have theirs. Each change commits, so that it holds whatever becomes of the
// shards' part.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// The indexes of tables on the shards that are invalid: qualified names, since REINDEX CONCURRENTLY
// puts another index in one's place.
List *list_invalid_indexes();

// Makes those of the named indexes invalid again that are valid now, and returns their names.
List *keep_indexes_invalid(const List *names);

// Makes the named indexes valid, once all shards have theirs.
void make_indexes_valid(const List *names);

} // namespace shardwise
