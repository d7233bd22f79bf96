// Fields of an error or notice that a shard has sent.
#pragma once

#include "pg/pg.hpp"

#include "libpq-fe.h"

namespace shardwise
{

// A copy of a field (PG_DIAG_...) in the current memory context; nullptr where the result has none,
// or there is no result.
char *copy_error_field(const PGresult *result, int code);

} // namespace shardwise
