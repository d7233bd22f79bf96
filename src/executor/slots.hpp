// Slots of a scan.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace shardwise
{

// Shows a row in a scan's own slot, which is a virtual one, as the nodes above expect. The values
// stay the row's.
inline TupleTableSlot *show_row(TupleTableSlot *slot, TupleTableSlot *row)
{
    ExecClearTuple(slot);
    if (TupIsNull(row))
        return slot;
    slot_getallattrs(row);
    int n = slot->tts_tupleDescriptor->natts;
    memcpy(slot->tts_values, row->tts_values, sizeof(Datum) * n);
    memcpy(slot->tts_isnull, row->tts_isnull, sizeof(bool) * n);
    return ExecStoreVirtualTuple(slot);
}

} // namespace shardwise
