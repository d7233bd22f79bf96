// What DROP takes away of objects that the shards have too, by name or by CASCADE: PostgreSQL tells
// of each object, and the shards follow when the command is through.
#pragma once

#include "ddl/utility_call.hpp"

namespace shardwise
{

// Notes an object that is about to be dropped; called by the object access hook. Returns false
// where no command collects drops.
bool note_drop(Oid class_id, Oid object_id, int sub_id);

// Runs a command and drops on the shards what it has dropped on the router.
void run_drop(const UtilityCall &call);

} // namespace shardwise
