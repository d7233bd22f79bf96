#include "executor/row_places.hpp"

#include "core/packed_place.hpp"

extern "C" {
#include "storage/itemptr.h"
#include "utils/array.h"
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

static ItemPointer with_offset(ItemPointer place, OffsetNumber offset)
{
    ItemPointer changed = (ItemPointer)palloc(sizeof(ItemPointerData));
    ItemPointerSet(changed, ItemPointerGetBlockNumberNoCheck(place), offset);
    return changed;
}

static ItemPointer unpack(ItemPointer packed)
{
    return with_offset(packed, own_offset(ItemPointerGetOffsetNumberNoCheck(packed)));
}

List *divide_places(const List *shards, Datum packed, Datum **parts)
{
    Datum *places;
    int n;
    deconstruct_array(DatumGetArrayTypeP(packed), TIDOID, sizeof(ItemPointerData), false,
                      TYPALIGN_SHORT, &places, nullptr, &n);
    Datum *own = (Datum *)palloc(sizeof(Datum) * Max(n, 1));
    List *found = NIL;
    *parts = (Datum *)palloc(sizeof(Datum) * list_length(shards));
    ListCell *cell;
    foreach (cell, shards) {
        int nown = 0;
        for (int i = 0; i < n; i++) {
            ItemPointer place = (ItemPointer)DatumGetPointer(places[i]);
            if (shard_of_offset(ItemPointerGetOffsetNumberNoCheck(place)) ==
                (uint32)lfirst_int(cell))
                own[nown++] = PointerGetDatum(unpack(place));
        }
        if (nown == 0 && (found != NIL || lnext(shards, cell) != nullptr))
            continue;
        (*parts)[list_length(found)] = PointerGetDatum(
            construct_array(own, nown, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT));
        found = lappend_int(found, lfirst_int(cell));
    }
    pfree(own);
    return found;
}

} // namespace shardwise

// pack_place(shard, ctid): a row's place over all shards (core/packed_place.hpp). Errors: 0A000 for
// what does not fit.
SHARDWISE_FUNCTION(shardwise_pack_place)
{
    uint32 shard = (uint32)DatumGetCommandId(PG_GETARG_DATUM(0));
    ItemPointer place = (ItemPointer)DatumGetPointer(PG_GETARG_DATUM(1));
    OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(place);
    if (!shardwise::place_can_be_packed(shard, offset))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("rows of shard %u cannot be told from others' by their ctid", shard),
                        errdetail("Shards up to number %d, and %d rows a page, can be compared.",
                                  shardwise::highest_packed_shard, shardwise::own_offset_mask)));
    PG_RETURN_POINTER(shardwise::with_offset(place, shardwise::pack_offset(shard, offset)));
}

// unpack_place(place): the ctid there.
SHARDWISE_FUNCTION(shardwise_unpack_place)
{
    PG_RETURN_POINTER(shardwise::unpack((ItemPointer)DatumGetPointer(PG_GETARG_DATUM(0))));
}
