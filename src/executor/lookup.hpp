// Scans that run again for each row above, with a condition `column = value of that row`
// (correlated subqueries, LATERAL). The first ask the shards with the value; where it goes on, all
// rows are read once and kept, in memory or, if they are too many, in a file; found by a hash of
// the column.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "nodes/execnodes.h"
}

namespace shardwise
{

struct RouteScanState;

// What a scan's route says of its condition, and the rows that are kept.
struct Lookup;

// Makes the scan's; nullptr if it has no such condition. From BeginCustomScan.
Lookup *make_lookup(RouteScanState *state);

// Starts to look for the rows of the value that the condition has now: in what is kept, or by a
// statement, which is sent. False if none can match.
bool start_lookup(RouteScanState *state);

// True if the rows come from what is kept: the next one, in the scan's slot; empty at the end.
bool reads_kept_rows(const Lookup *lookup);
TupleTableSlot *next_kept_row(RouteScanState *state);

// Frees what outlives memory contexts. At the scan's end.
void end_kept_rows(Lookup *lookup);

// For EXPLAIN: statements sent with a value; rows kept, -1 for none.
int lookups_sent(const Lookup *lookup);
int64 rows_kept(const Lookup *lookup);
bool keeps_rows_in_file(const Lookup *lookup);

} // namespace shardwise
