#include "executor/row_file.hpp"

#include "pg/versions.hpp"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_operator_d.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/tuplesort.h"
}

namespace shardwise
{

namespace
{

// Where a block begins: its first row.
struct BlockStart {
    uint32 hash;
    int segment;
    off_t offset;
};

struct RowHeader {
    uint32 hash;
    uint32 length;
};

constexpr Size block_size = 8192;

} // namespace

struct RowFile {
    Tuplesortstate *sort;
    TupleTableSlot *sorted; // hash and the row's bytes
    BufFile *file;
    MemoryContext context;
    BlockStart *blocks;
    int64 nblocks;
    int64 room;
    Size in_block; // bytes of the last block
    uint32 wanted;
    bool has_more;
    MinimalTuple row;
    Size row_room;
};

namespace
{

// Hashes as the sort compares them.
int32 signed_hash(uint32 hash)
{
    return static_cast<int32>(hash);
}

void begin_block(RowFile *file, uint32 hash)
{
    if (file->nblocks == file->room) {
        file->room = Max(1024, 2 * file->room);
        Size size = file->room * sizeof(BlockStart);
        file->blocks =
            (BlockStart *)(file->blocks != nullptr ? repalloc_huge(file->blocks, size)
                                                   : MemoryContextAllocHuge(file->context, size));
    }
    BlockStart *block = &file->blocks[file->nblocks++];
    block->hash = hash;
    BufFileTell(file->file, &block->segment, &block->offset);
    file->in_block = 0;
}

void write_row(RowFile *file, uint32 hash, const bytea *row)
{
    RowHeader header = {hash, static_cast<uint32>(VARSIZE_ANY_EXHDR(row))};
    if (file->nblocks == 0 || file->in_block >= block_size)
        begin_block(file, hash);
    BufFileWrite(file->file, &header, sizeof(header));
    BufFileWrite(file->file, const_cast<char *>(VARDATA_ANY(row)), header.length);
    file->in_block += sizeof(header) + header.length;
}

// The last block that begins before the hash: rows of it may be at its end.
int64 find_block(const RowFile *file, uint32 hash)
{
    const BlockStart *end = file->blocks + file->nblocks;
    const BlockStart *found =
        std::lower_bound(static_cast<const BlockStart *>(file->blocks), end, hash,
                         [](const BlockStart &block, uint32 value) {
                             return signed_hash(block.hash) < signed_hash(value);
                         });
    return Max(found - file->blocks - 1, 0);
}

[[noreturn]] void raise_short_read()
{
    ereport(ERROR, (errcode_for_file_access(),
                    errmsg("could not read from temporary file of kept rows: %m")));
}

// False at the file's end.
bool read_bytes(RowFile *file, void *bytes, Size length)
{
    Size read = BufFileRead(file->file, bytes, length);
    if (read != 0 && read != length)
        raise_short_read();
    return read == length;
}

} // namespace

RowFile *begin_row_file()
{
    RowFile *file = (RowFile *)palloc0(sizeof(RowFile));
    TupleDesc columns = CreateTemplateTupleDesc(2);
    TupleDescInitEntry(columns, 1, "hash", INT4OID, -1, 0);
    TupleDescInitEntry(columns, 2, "row", BYTEAOID, -1, 0);
    AttrNumber column = 1;
    Oid less = Int4LessOperator, collation = InvalidOid;
    bool nulls_first = false;
    file->context = CurrentMemoryContext;
    file->sort = tuplesort_begin_heap(columns, 1, &column, &less, &collation, &nulls_first,
                                      work_mem, nullptr, TUPLESORT_NONE);
    file->sorted = MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
    return file;
}

void add_to_row_file(RowFile *file, uint32 hash, MinimalTuple row)
{
    TupleDesc columns = file->sorted->tts_tupleDescriptor;
    bytea *bytes = (bytea *)palloc(VARHDRSZ + row->t_len);
    SET_VARSIZE(bytes, VARHDRSZ + row->t_len);
    memcpy(VARDATA(bytes), row, row->t_len);
    Datum values[] = {Int32GetDatum(signed_hash(hash)), PointerGetDatum(bytes)};
    bool nulls[] = {false, false};
    ExecStoreMinimalTuple(heap_form_minimal_tuple(columns, values, nulls), file->sorted, true);
    tuplesort_puttupleslot(file->sort, file->sorted);
    ExecClearTuple(file->sorted);
    pfree(bytes);
}

void finish_row_file(RowFile *file)
{
    MemoryContext saved = MemoryContextSwitchTo(file->context);
    tuplesort_performsort(file->sort);
    file->file = BufFileCreateTemp(false);
    while (tuplesort_gettupleslot(file->sort, true, false, file->sorted, nullptr)) {
        CHECK_FOR_INTERRUPTS();
        bool is_null;
        uint32 hash = static_cast<uint32>(DatumGetInt32(slot_getattr(file->sorted, 1, &is_null)));
        write_row(file, hash, DatumGetByteaPP(slot_getattr(file->sorted, 2, &is_null)));
    }
    ExecDropSingleTupleTableSlot(file->sorted);
    tuplesort_end(file->sort);
    file->sort = nullptr;
    MemoryContextSwitchTo(saved);
}

void seek_in_row_file(RowFile *file, uint32 hash)
{
    file->wanted = hash;
    file->has_more = file->nblocks > 0;
    if (!file->has_more)
        return;
    const BlockStart *block = &file->blocks[find_block(file, hash)];
    if (BufFileSeek(file->file, block->segment, block->offset, SEEK_SET) != 0)
        raise_short_read();
}

MinimalTuple next_in_row_file(RowFile *file)
{
    while (file->has_more) {
        RowHeader header;
        if (!read_bytes(file, &header, sizeof(header)) ||
            signed_hash(header.hash) > signed_hash(file->wanted))
            break;
        if (header.length > file->row_room) {
            if (file->row != nullptr)
                pfree(file->row);
            file->row_room = Max(block_size, Size{header.length});
            file->row = (MinimalTuple)MemoryContextAllocHuge(file->context, file->row_room);
        }
        if (!read_bytes(file, file->row, header.length))
            raise_short_read();
        if (header.hash == file->wanted)
            return file->row;
    }
    file->has_more = false;
    return nullptr;
}

void end_row_file(RowFile *file)
{
    if (file->sort != nullptr)
        tuplesort_end(file->sort);
    if (file->file != nullptr)
        BufFileClose(file->file);
    file->sort = nullptr;
    file->file = nullptr;
}

} // namespace shardwise
