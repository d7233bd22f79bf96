// Which line of the input each line that a shard got was: a shard's error tells its own number.
// Takes about a byte a row, on disk when there are many.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "storage/buffile.h"
}

namespace shardwise
{

struct LineMap {
    uint64 first_line; // of the input, before the first record
    uint64 last_line;
    StringInfoData steps; // those not yet on disk
    BufFile *file;        // nullptr: none are
};

// Makes an empty map; its memory is taken from the current context.
void init_line_map(LineMap *map);

// Notes that the shard gets the record that ends in `line` of the input and spans `lines` of them.
// Records come in the order of their lines.
void note_line(LineMap *map, uint64 line, uint32 lines);

// Forgets all records but the last `kept` bytes of steps, which a new COPY sends first.
struct LineMark {
    int length;
    uint64 line;
};
LineMark mark_line(const LineMap *map);
void forget_lines_before(LineMap *map, LineMark mark);

// Moves what is in memory to disk if it is much. No mark survives it.
void spill_line_map(LineMap *map);

// Frees what is on disk.
void close_line_map(LineMap *map);

// Finds the line of the input from the number that a shard gave, 1 being the first.
uint64 find_line(LineMap *map, uint64 shard_line);

} // namespace shardwise
