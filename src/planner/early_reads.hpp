// What a statement with several writes has to read before it writes: all its parts see the rows as
// they were before, but the shards take a new snapshot for each statement that they get. So reads
// of tables that another part writes become SELECTs that run first, whose rows are kept on the
// router.
#pragma once

#include "pg/pg.hpp"
#include "planner/route_planner.hpp"

namespace shardwise
{

struct EarlyReads {
    List *written;   // Oid: tables that have been written so far, the topmost of partitions
    bool writes_any; // triggers or foreign keys may have written others
    List *queries;   // Query *: the SELECTs
    List *names;     // String *: under which their rows are kept, in the same order
    List *copied;    // Oid, in the same order: the reference table whose copies are to be found in
                     // them, by their places (kept_target.hpp); InvalidOid: none
};

// A name for rows that are kept, which no other plan has.
char *name_kept_rows();

// SELECT columns FROM the rows kept under a name. `columns` (TargetEntry) say what they are like.
Query *select_kept_rows(List *columns, const char *name);

// Notes what a write changes.
void note_write(EarlyReads *reads, const Query *write);

// Makes a query read early what has been written. Changes it in place. nullptr, or why that is not
// possible.
Refusal read_early(Query *query, EarlyReads *reads);

// The same for the queries inside of it alone, and for those in checks (WithCheckOption).
Refusal read_subqueries_early(Query *query, EarlyReads *reads);
Refusal read_checks_early(List *checks, EarlyReads *reads);

// Makes the whole of a query run early, if it depends on nothing around it; false if it does.
bool run_early(Query *query, EarlyReads *reads);

// True if nothing that a query reads has been written so far.
bool reads_unwritten(Query *query, const EarlyReads *reads);

} // namespace shardwise
