#include "executor/source_rows.hpp"

namespace shardwise
{

void fill_table_row(const int *columns, const int *otherwise, const TupleTableSlot *row,
                    TupleTableSlot *slot)
{
    ExecClearTuple(slot);
    for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++) {
        int column = columns[i] >= 0 || otherwise == nullptr ? columns[i] : otherwise[i];
        slot->tts_values[i] = column >= 0 ? row->tts_values[column] : (Datum)0;
        slot->tts_isnull[i] = column < 0 || row->tts_isnull[column];
    }
    ExecStoreVirtualTuple(slot);
}

void take_table_row(const int *columns, TupleTableSlot *slot, TupleTableSlot *row)
{
    slot_getallattrs(slot);
    for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++) {
        if (columns[i] < 0)
            continue;
        row->tts_values[columns[i]] = slot->tts_values[i];
        row->tts_isnull[columns[i]] = slot->tts_isnull[i];
    }
}

} // namespace shardwise
