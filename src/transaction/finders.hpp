// Statements that look for rows of a table on several shards to lock or change them, and commits
// that let rows of it go to other shards, keep out of each other's way: a row that such a statement
// has seen on one shard would be gone when it comes there, and is not yet seen on the other one.
// So a statement does not begin to look while rows leave, and rows do not leave while statements
// look, but for those that are told; they have to fail. In shared memory.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

struct FinderKind {
    Oid table;       // its topmost one; InvalidOid: several, or it is not known
    bool is_awaited; // it ends soon, so commits wait for it
};

// This backend begins to look for rows, after commits under way that let rows of the table go. If
// it is looking for others already, it is told rather than made to wait.
void start_finding(FinderKind kind);
void stop_finding();
bool finder_was_told();

// Tells a backend, if it looks for rows. (Numbers are those of wait_table.hpp.)
void tell_finder(int backend);

// This backend's commit lets rows of tables (topmost) go: keeps others from beginning to look.
void announce_leaving_rows(const List *tables);
void end_leaving_rows();

// True if a backend looks for rows of the tables.
bool anyone_may_wait(const List *tables);
// The same of one that is to be awaited, and has not been told.
bool anyone_finds(const List *tables);
// Waits until one may have ended; false if that took too long. Serves interrupts.
bool wait_for_finders(long milliseconds);
void stop_waiting_for_finders();
void tell_all_finders(const List *tables);

// Its part of the shared memory (transaction/shared.cpp).
Size finders_size();
void make_finders(void *memory, bool found);

} // namespace shardwise
