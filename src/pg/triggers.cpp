#include "pg/triggers.hpp"

extern "C" {
#include "utils/fmgroids.h"
}

namespace shardwise
{

bool acts_for_foreign_key(const Trigger *trigger)
{
    switch (trigger->tgfoid) {
    case F_RI_FKEY_CASCADE_DEL:
    case F_RI_FKEY_CASCADE_UPD:
    case F_RI_FKEY_SETNULL_DEL:
    case F_RI_FKEY_SETNULL_UPD:
    case F_RI_FKEY_SETDEFAULT_DEL:
    case F_RI_FKEY_SETDEFAULT_UPD:
        return true;
    default:
        return false;
    }
}

} // namespace shardwise
