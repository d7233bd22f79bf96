// The tables of a moving keyspace in SQL.
#pragma once

#include "reshard/move.hpp"

namespace shardwise
{

// Fills tables and relations of a move.
void load_move_tables(RunningMove *);

// Joins what `text` says of each table by `separator`.
template <typename Text>
char *join_tables(const RunningMove *move, const char *separator, Text &&text)
{
    StringInfoData out;
    initStringInfo(&out);
    ListCell *cell;
    foreach (cell, move->tables)
        appendStringInfo(&out, "%s%s", out.len > 0 ? separator : "",
                         text((const MoveTable *)lfirst(cell)));
    return out.data;
}

} // namespace shardwise
