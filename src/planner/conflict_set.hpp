// What SET of ON CONFLICT DO UPDATE may do to the row that is in the way, which is found by the
// index `arbiter` (planner/arbiter.hpp).
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// True if the row may belong to another partition after it.
bool may_leave_partition(const Query *insert, Relation target, Relation arbiter);

// True if it may be out of the way of a row that is proposed later.
bool may_make_room(const Query *insert, Relation target, Relation arbiter);

// True if rows that are changed may be in each other's way.
bool order_matters(const Query *insert, Relation target, Relation arbiter);

} // namespace shardwise
