#include "pg/pg.hpp"

#include "executor/line_map.hpp"

namespace shardwise
{

namespace
{

constexpr int spill_size = 64 * 1024;

// Steps are numbers of seven bits a byte, the lowest first: the distance from the record before,
// doubled, plus one where the record's own number of lines follows.
void append_number(StringInfo steps, uint64 number)
{
    while (number >= 0x80) {
        appendStringInfoCharMacro(steps, (char)(number | 0x80));
        number >>= 7;
    }
    appendStringInfoCharMacro(steps, (char)number);
}

// Reads steps from disk, then from memory.
struct StepReader {
    LineMap *map;
    char buffer[BLCKSZ];
    size_t length, next;
    int in_memory; // read so far
};

bool next_byte(StepReader *reader, uint8 *byte)
{
    if (reader->next == reader->length && reader->map->file != nullptr) {
        reader->length = BufFileRead(reader->map->file, reader->buffer, sizeof(reader->buffer));
        reader->next = 0;
    }
    if (reader->next < reader->length) {
        *byte = (uint8)reader->buffer[reader->next++];
        return true;
    }
    if (reader->in_memory == reader->map->steps.len)
        return false;
    *byte = (uint8)reader->map->steps.data[reader->in_memory++];
    return true;
}

bool next_number(StepReader *reader, uint64 *number)
{
    uint8 byte;
    int shift = 0;
    *number = 0;
    do {
        if (!next_byte(reader, &byte))
            return false;
        *number |= (uint64)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return true;
}

} // namespace

void init_line_map(LineMap *map)
{
    *map = {};
    initStringInfo(&map->steps);
}

void note_line(LineMap *map, uint64 line, uint32 lines)
{
    append_number(&map->steps, (line - map->last_line) << 1 | (lines != 1));
    if (lines != 1)
        append_number(&map->steps, lines);
    map->last_line = line;
}

void close_line_map(LineMap *map)
{
    if (map->file != nullptr)
        BufFileClose(map->file);
    map->file = nullptr;
}

LineMark mark_line(const LineMap *map)
{
    return {map->steps.len, map->last_line};
}

void forget_lines_before(LineMap *map, LineMark mark)
{
    close_line_map(map);
    map->first_line = mark.line;
    map->steps.len -= mark.length;
    memmove(map->steps.data, map->steps.data + mark.length, map->steps.len);
}

void spill_line_map(LineMap *map)
{
    if (map->steps.len < spill_size)
        return;
    if (map->file == nullptr) {
        // The caller's context may be that of one row.
        MemoryContext saved = MemoryContextSwitchTo(GetMemoryChunkContext(map->steps.data));
        map->file = BufFileCreateTemp(false);
        MemoryContextSwitchTo(saved);
    }
    BufFileWrite(map->file, map->steps.data, map->steps.len);
    resetStringInfo(&map->steps);
}

uint64 find_line(LineMap *map, uint64 shard_line)
{
    if (map->file != nullptr && BufFileSeek(map->file, 0, 0, SEEK_SET) != 0)
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not rewind temporary file")));
    StepReader *reader = static_cast<StepReader *>(palloc0(sizeof(StepReader)));
    reader->map = map;
    uint64 line = map->first_line, on_shard = 0, step;
    while (on_shard < shard_line && next_number(reader, &step)) {
        uint64 lines = 1;
        if (step & 1)
            (void)next_number(reader, &lines);
        line += step >> 1;
        on_shard += lines;
    }
    return on_shard >= shard_line ? line - (on_shard - shard_line) : line;
}

} // namespace shardwise
