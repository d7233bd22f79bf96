#include "pg/triggers.hpp"

#include "pg/query_form.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
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

// True if `test` holds for the table or a partition of it.
template <typename Test> static bool any_table(Oid relid, Test test)
{
    bool found = false;
    ListCell *cell;
    foreach (cell, find_all_inheritors(relid, AccessShareLock, nullptr)) {
        Relation relation = table_open(lfirst_oid(cell), NoLock);
        found |= test(relation);
        table_close(relation, NoLock);
    }
    return found;
}

bool has_before_row_trigger(Oid relid, int16 event)
{
    return any_table(relid, [=](Relation relation) {
        return find_user_trigger(relation, TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE, event, 0) !=
               nullptr;
    });
}

bool before_row_trigger_sees_earlier(Oid relid, int16 event)
{
    return any_table(relid, [=](Relation relation) {
        const TriggerDesc *triggers = relation->trigdesc;
        for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++)
            if (TRIGGER_TYPE_MATCHES(triggers->triggers[i].tgtype, TRIGGER_TYPE_ROW,
                                     TRIGGER_TYPE_BEFORE, event) &&
                func_volatile(triggers->triggers[i].tgfoid) == PROVOLATILE_VOLATILE)
                return true;
        return false;
    });
}

ResultRelInfo *open_fired_table(EState *estate, Oid relid, Bitmapset *inserted, Bitmapset *updated)
{
    Relation relation = table_open(relid, RowExclusiveLock);
    init_fired_table(estate, relid, relation->rd_rel->relkind, inserted, updated);
    ResultRelInfo *table = makeNode(ResultRelInfo);
    InitResultRelInfo(table, relation, 1, nullptr, 0);
    return table;
}

} // namespace shardwise
