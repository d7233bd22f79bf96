// Inside room monitor: what lies in shared memory.
#pragma once

#include "pg/pg.hpp"

#include "core/latency_histogram.hpp"

extern "C" {
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"
}

namespace shardwise
{

// One shard's counters, as one database's backends see it. A slot is taken once and never given
// back, so connections keep pointers. Times in microseconds.
struct ShardCounters {
    Oid database; // InvalidOid: free
    Oid server;
    pg_atomic_uint64 statements;
    pg_atomic_uint64 rows;
    pg_atomic_uint64 bytes;
    pg_atomic_uint64 errors;
    pg_atomic_uint64 response_time;
    pg_atomic_uint64 max_response_time;
    pg_atomic_uint64 quiet_times[latency_buckets];  // response times, by bucket
    pg_atomic_uint64 moving_times[latency_buckets]; // the same while a move made work for the shard
    pg_atomic_uint64 opened;
    pg_atomic_uint64 open; // not reset: how many there are
    pg_atomic_uint64 commits;
    pg_atomic_uint64 two_phase_commits;
    pg_atomic_uint64 last_error; // TimestampTz, 0: none
    pg_atomic_uint32 moves;      // not reset: processes that move rows from it or to it
};

constexpr int max_shard_counters = 1024;

// What one connection is doing. Its backend alone writes; readers take what they see, which may be
// a moment old.
struct Progress {
    pg_atomic_uint32 pid; // 0: free
    Oid database;
    Oid role;
    Oid server;
    pg_atomic_uint64 started; // TimestampTz, 0: nothing runs
    pg_atomic_uint64 rows;
    pg_atomic_uint64 bytes;
};

struct QueryKey {
    uint64 query_id;
    Oid database;
    Oid role;
};

constexpr int max_query_text = 1024;
constexpr int tier_count = 4;

// Counters of one normalised query. Under the lock shared, the entry's own lock is held to change
// them; entries come and go under the lock exclusive.
struct QueryCounters {
    QueryKey key;
    slock_t mutex;
    double usage; // decides who has to go
    uint64 calls;
    uint64 tiers[tier_count];
    uint64 rows;
    uint64 shards;
    double total_time; // microseconds
    double min_time;
    double max_time;
    char text[max_query_text]; // constants replaced; in the database's encoding
};

struct SharedMonitor {
    LWLock *query_lock;
    LWLock *shard_lock; // held to take a slot
    ShardCounters shards[max_shard_counters];
    int progress_count;
    Progress progress[FLEXIBLE_ARRAY_MEMBER];
};

extern SharedMonitor *shared_monitor; // nullptr in a process without the shared memory
extern HTAB *query_counters;
extern int max_tracked_queries;

} // namespace shardwise
