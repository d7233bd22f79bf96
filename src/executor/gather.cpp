#include "executor/gather.hpp"

#include "executor/bulk_rows.hpp"
#include "executor/rows.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "executor/tuptable.h"
#include "lib/binaryheap.h"
#include "utils/sortsupport.h"
}

namespace shardwise
{

namespace
{

// One shard's stream and the row it is at.
struct Stream {
    RemoteQuery *query;
    TupleTableSlot *slot;
    MemoryContext row_context; // by-reference values of the row
    bool is_silent;            // its rows are not wanted
    bool has_allocated;        // bulk: in row_context
    bool is_over;
};

} // namespace

struct Gather {
    const Route *route;
    int n;
    Stream *streams;
    RowReader *reader;
    BulkReader *bulk; // in place of it
    int current;      // without merge: who is read
    int nsort;        // 0: no merge
    SortSupport sort;
    binaryheap *heap; // of stream numbers, first in order on top
    bool started;
};

namespace
{

// Reads the next row of a bulk read; false at the end, or, without `wait`, where none has arrived.
bool read_bulk_stream(Gather *gather, Stream *stream, bool wait)
{
    char *fields;
    int length;

    ExecClearTuple(stream->slot);
    if (stream->is_over)
        return false;
    if (stream->has_allocated) {
        MemoryContextReset(stream->row_context);
        stream->has_allocated = false;
    }
    if (!next_fields(stream->query, wait, &fields, &length)) {
        stream->is_over = true;
        return false;
    }
    if (fields == nullptr)
        return false;
    MemoryContext saved = MemoryContextSwitchTo(stream->row_context);
    stream->has_allocated = read_bulk_row(gather->bulk, fields, length, stream->slot->tts_values,
                                          stream->slot->tts_isnull);
    MemoryContextSwitchTo(saved);
    ExecStoreVirtualTuple(stream->slot);
    return true;
}

bool read_stream(Gather *gather, Stream *stream)
{
    if (gather->bulk != nullptr)
        return read_bulk_stream(gather, stream, true);

    const PGresult *result;
    int row;

    ExecClearTuple(stream->slot);
    MemoryContextReset(stream->row_context);
    if (stream->is_over)
        return false;
    MemoryContext saved = MemoryContextSwitchTo(stream->row_context);
    do {
        if (!next_row(stream->query, &result, &row)) {
            MemoryContextSwitchTo(saved);
            stream->is_over = true;
            return false;
        }
        // One copy of a reference table speaks for all; some rows only carry checks.
    } while (stream->is_silent);
    read_row(gather->reader, result, row, stream->slot->tts_values, stream->slot->tts_isnull);
    MemoryContextSwitchTo(saved);
    ExecStoreVirtualTuple(stream->slot);
    return true;
}

extern "C" int compare_streams(Datum a, Datum b, void *argument)
{
    Gather *gather = (Gather *)argument;
    TupleTableSlot *left = gather->streams[DatumGetInt32(a)].slot;
    TupleTableSlot *right = gather->streams[DatumGetInt32(b)].slot;
    for (int i = 0; i < gather->nsort; i++) {
        SortSupport key = &gather->sort[i];
        int column = key->ssup_attno - 1;
        int order = ApplySortComparator(left->tts_values[column], left->tts_isnull[column],
                                        right->tts_values[column], right->tts_isnull[column], key);
        if (order != 0)
            return -order; // binaryheap keeps the greatest on top
    }
    return 0;
}

void prepare_merge(Gather *gather, const Route *route)
{
    gather->nsort = route->nsort;
    gather->sort = (SortSupport)palloc0(sizeof(SortSupportData) * route->nsort);
    for (int i = 0; i < route->nsort; i++) {
        SortSupport key = &gather->sort[i];
        key->ssup_cxt = CurrentMemoryContext;
        key->ssup_collation = route->sort[i].collation;
        key->ssup_nulls_first = route->sort[i].nulls_first;
        key->ssup_attno = route->sort[i].column + 1;
        PrepareSortSupportFromOrderingOp(route->sort[i].less_than, key);
    }
    gather->heap = binaryheap_allocate(gather->n, compare_streams, gather);
}

TupleTableSlot *merge_row(Gather *gather)
{
    if (!gather->started) {
        for (int i = 0; i < gather->n; i++)
            if (read_stream(gather, &gather->streams[i]))
                binaryheap_add_unordered(gather->heap, Int32GetDatum(i));
        binaryheap_build(gather->heap);
        gather->started = true;
    } else if (!binaryheap_empty(gather->heap)) {
        Datum first = binaryheap_first(gather->heap);
        if (read_stream(gather, &gather->streams[DatumGetInt32(first)]))
            binaryheap_replace_first(gather->heap, first);
        else
            (void)binaryheap_remove_first(gather->heap);
    }
    if (binaryheap_empty(gather->heap))
        return nullptr;
    return gather->streams[DatumGetInt32(binaryheap_first(gather->heap))].slot;
}

// The next row of a bulk read of whichever shard has one, so that none waits for another.
TupleTableSlot *any_bulk_row(Gather *gather)
{
    for (int tried = 0; tried < gather->n; tried++) {
        Stream *stream = &gather->streams[gather->current];
        if (read_bulk_stream(gather, stream, false))
            return stream->slot;
        gather->current = (gather->current + 1) % gather->n;
    }
    for (int tried = 0; tried < gather->n; tried++) {
        Stream *stream = &gather->streams[gather->current];
        if (!stream->is_over && read_bulk_stream(gather, stream, true))
            return stream->slot;
        gather->current = (gather->current + 1) % gather->n;
    }
    return nullptr;
}

TupleTableSlot *any_row(Gather *gather)
{
    if (gather->bulk != nullptr)
        return any_bulk_row(gather);

    for (; gather->current < gather->n; gather->current++) {
        Stream *stream = &gather->streams[gather->current];
        if (read_stream(gather, stream))
            return stream->slot;
    }
    return nullptr;
}

} // namespace

Gather *make_gather(const Route *route, RemoteQuery **queries, int n, TupleDesc columns)
{
    Gather *gather = (Gather *)palloc0(sizeof(Gather));
    gather->route = route;
    gather->n = n;
    gather->streams = (Stream *)palloc0(sizeof(Stream) * n);
    if (route->is_bulk)
        gather->bulk = make_bulk_reader(columns);
    else
        gather->reader = make_row_reader(columns, route->binary_results);
    for (int i = 0; i < n; i++) {
        Stream *stream = &gather->streams[i];
        stream->query = queries[i];
        stream->is_silent =
            (OidIsValid(route->reference) && i > 0) || (route->counts_rows && columns->natts == 0);
        stream->slot = MakeSingleTupleTableSlot(columns, &TTSOpsVirtual);
        stream->row_context =
            AllocSetContextCreate(CurrentMemoryContext, "shardwise row", ALLOCSET_SMALL_SIZES);
    }
    if (route->nsort > 0)
        prepare_merge(gather, route);
    return gather;
}

TupleTableSlot *gather_row(Gather *gather)
{
    return gather->nsort > 0 ? merge_row(gather) : any_row(gather);
}

void raise_copies_differ(uint64 one, uint64 other)
{
    ereport(ERROR,
            (errcode(ERRCODE_DATA_CORRUPTED),
             errmsg("the copies of a reference table differ between shards"),
             errdetail("One shard changed " UINT64_FORMAT " rows, another " UINT64_FORMAT ".", one,
                       other)));
}

uint64 gathered_changes(const Gather *gather)
{
    uint64 first = affected_rows(gather->streams[0].query);
    uint64 sum = first;
    for (int i = 1; i < gather->n; i++) {
        uint64 changes = affected_rows(gather->streams[i].query);
        sum += changes;
        if (OidIsValid(gather->route->reference) && changes != first)
            raise_copies_differ(first, changes);
    }
    return OidIsValid(gather->route->reference) ? first : sum;
}

void take_back_empty_writes(const Gather *gather, const List *shards)
{
    ListCell *cell;
    foreach (cell, shards)
        if (affected_rows(gather->streams[foreach_current_index(cell)].query) == 0)
            take_back_write(lfirst_int(cell));
}

const RemoteQuery *gathered_query(const Gather *gather, int n)
{
    return gather->streams[n].query;
}

void end_gather(Gather *gather)
{
    for (int i = 0; i < gather->n; i++)
        end_query(gather->streams[i].query);
}

} // namespace shardwise
