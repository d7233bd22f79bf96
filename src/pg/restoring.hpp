// Whether a dump of the router is being restored in this session.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// True in sessions of pg_restore, and of psql that reads a plain dump: they run under settings that
// nobody else combines. The metadata is loaded between tables and constraints, so DDL that follows
// describes what the shards already have: it must stay on the router.
bool session_restores_dump();

} // namespace shardwise
