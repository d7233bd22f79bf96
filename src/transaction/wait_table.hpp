// Who waits where: the shards' sessions of each backend, and which of them it has been waiting for
// longer than deadlock_timeout. In shared memory, for the search of deadlocks.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// A session on a shard: the foreign server, and the process there, 0 where that is not known.
struct RemoteSession {
    Oid server;
    int pid;
};

constexpr int max_wait_sessions = 64; // of one backend; deadlocks through others are not found

// What is known of one backend that takes part in transactions on shards.
struct BackendWaits {
    int pid; // 0: no backend
    Oid database;
    TimestampTz start; // of its transaction
    int nsessions;
    RemoteSession sessions[max_wait_sessions];
    bool waits;
    RemoteSession waits_for;
    uint64 wait_number; // counts its waits
};

// This backend's own row. A transaction's sessions are kept until forget_sessions().
void note_session(RemoteSession session);
void forget_sessions();
void begin_wait(RemoteSession session);
void end_wait();

// Finds the backend that works on a session, by its number among all, from 0; -1: none.
int find_backend(RemoteSession session);

// Copies the rows of a database's backends into a List of BackendWaits *.
List *list_backend_waits(Oid database);

// Chooses a backend to end a deadlock, if it is still in that wait. `detail` tells its client why.
void choose_victim(const BackendWaits *victim, const char *detail);
// The detail, if this backend has been chosen for the wait it is in; nullptr otherwise.
const char *take_verdict();

// Its part of the shared memory (transaction/shared.cpp).
Size wait_table_size();
void make_wait_table(void *memory, bool found);

} // namespace shardwise
