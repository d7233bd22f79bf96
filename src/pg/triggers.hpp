// Triggers of tables.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "utils/reltrigger.h"
}

namespace shardwise
{

// True for PostgreSQL's own trigger of a foreign key that refers to the table, if it changes the
// rows that refer (CASCADE, SET NULL, SET DEFAULT).
bool acts_for_foreign_key(const Trigger *trigger);

} // namespace shardwise
