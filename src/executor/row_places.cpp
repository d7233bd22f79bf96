#include "executor/row_places.hpp"

extern "C" {
#include "storage/itemptr.h"
#include "utils/hsearch.h"
}

namespace shardwise
{

struct RowPlaces {
    HTAB *table;
};

RowPlace place_of(const TupleTableSlot *row, int n)
{
    const Datum *values = row->tts_values;
    ItemPointer tid = (ItemPointer)DatumGetPointer(values[1]);
    return RowPlace{(uint32)DatumGetCommandId(values[0]),
                    n > 2 ? (uint32)DatumGetCommandId(values[2]) : 0,
                    ItemPointerGetBlockNumberNoCheck(tid), ItemPointerGetOffsetNumberNoCheck(tid)};
}

RowPlaces *make_row_places(MemoryContext context)
{
    RowPlaces *places = (RowPlaces *)MemoryContextAlloc(context, sizeof(RowPlaces));
    HASHCTL control = {};
    control.keysize = control.entrysize = sizeof(RowPlace);
    control.hcxt = context;
    places->table =
        hash_create("shardwise row places", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    return places;
}

bool add_place(RowPlaces *places, RowPlace place)
{
    bool found;
    (void)hash_search(places->table, &place, HASH_ENTER, &found);
    return !found;
}

bool has_place(const RowPlaces *places, RowPlace place)
{
    return hash_search(places->table, &place, HASH_FIND, nullptr) != nullptr;
}

} // namespace shardwise
