// Locks of this extension that stand for no row and no table: advisory locks of the router, of
// kinds that SQL cannot take (pg_advisory_lock() uses 1 and 2).
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "miscadmin.h"
#include "storage/lock.h"
}

namespace shardwise
{

enum class LockKind : uint16 {
    Gate = 41,      // of a move: catalog/gate.hpp
    Runner,         // the process that runs the database's plans
    Mover,          // of a move: the process that works on it
    Start,          // starting a plan: one at a time
    StatisticsVisit // the process that gathers the shards' statistics
};

inline LOCKTAG lock_tag(LockKind kind, int32 object = 0)
{
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, static_cast<uint32>(object),
                         static_cast<uint16>(kind));
    return tag;
}

} // namespace shardwise
