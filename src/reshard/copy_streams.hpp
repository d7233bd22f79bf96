// Streams of a copy: each carries one chunk at a time from a session on the source to one on the
// target. One process drives them all. Private to the room.
#pragma once

#include "reshard/move.hpp"

namespace shardwise
{

struct Chunk {
    const MoveTable *table;
    const char *leaf;
    int number;   // in its leaf
    uint32 lower; // first page
    uint32 upper; // the page behind the last
    bool is_last; // the rest of the table, whatever came
};

// Copies chunks under an exported snapshot. `must_stop` is asked after each chunk: then no more
// are begun and false is returned.
bool copy_chunks(const RunningMove *, const char *snapshot, List *chunks,
                 bool (*must_stop)(const RunningMove *));

} // namespace shardwise
