#include "pg/triggers.hpp"

extern "C" {
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
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

const Trigger *find_user_trigger(Relation relation, int16 all, int16 any, int16 none)
{
    const TriggerDesc *triggers = relation->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++) {
        const Trigger *trigger = &triggers->triggers[i];
        if (!trigger->tgisinternal && trigger->tgenabled != TRIGGER_DISABLED &&
            (trigger->tgtype & all) == all && (trigger->tgtype & any) != 0 &&
            (trigger->tgtype & none) == 0)
            return trigger;
    }
    return nullptr;
}

bool has_before_row_trigger(Oid relid, int16 event)
{
    bool found = false;
    ListCell *cell;
    foreach (cell, find_all_inheritors(relid, AccessShareLock, nullptr)) {
        Relation relation = table_open(lfirst_oid(cell), NoLock);
        found |= find_user_trigger(relation, TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE, event, 0) !=
                 nullptr;
        table_close(relation, NoLock);
    }
    return found;
}

} // namespace shardwise
