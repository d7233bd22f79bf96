// Counters in shared memory, for the views stat_shards, stat_queries and stat_progress. All rooms
// above may count; this one reads nobody.
#pragma once

#include "pg/pg.hpp"

#include "core/latency_histogram.hpp"

extern "C" {
#include "nodes/parsenodes.h"
#include "portability/instr_time.h"
}

namespace shardwise
{

struct ShardCounters;
struct Progress;

// What one connection measures. Lives in the connection; zero before attach_meter().
struct Meter {
    ShardCounters *shard; // nullptr: more shards than there is room for
    Progress *progress;   // nullptr: more connections than there is room for
    bool is_open;
    bool running;
    bool answered;
    uint64 counted_in; // the count of shards that it was last part of
    instr_time started;
    uint64 rows;
    uint64 bytes;
    double response_time; // microseconds until the first answer
};

// Finds the place where a connection to the foreign server counts, opened or not yet; gives it
// back.
void attach_meter(Meter *, Oid server);
void count_opened(Meter *);
void detach_meter(Meter *);

// A statement was sent; rows came; it ended, in an error or not.
void start_measuring(Meter *);
void count_received(Meter *, uint64 rows, uint64 bytes);
void end_measuring(Meter *);

// Counts the shards that statements go to from here on.
void begin_counting_shards();
int counted_shards();

// An error of the shard, or of the connection to it.
void count_shard_error(Meter *);

// A transaction that wrote on the shard committed there.
void count_commit(Meter *, bool two_phase);

// What the statements of all this database's backends on a server have taken until their first
// answer, since the counters were reset; apart from the others those of times when a move made work
// for the server.
struct ResponseTimes {
    LatencyHistogram quiet, moving;
};
ResponseTimes read_response_times(Oid server);

// From here until this process ends a move makes work for the server.
void count_mover(Oid server);

// Microseconds since `start`.
double microseconds_since(const instr_time &start);

// One execution of a statement of the user's.
struct QueryRun {
    uint64 query_id;
    const char *text; // the source, of which the statement is the part from `location`
    int location;     // -1: all
    int length;       // 0: to the end
    int tier;         // 0 fast path, 1 single shard, 2 scatter, 3 pull; -1: no query
    int shards;
    uint64 rows;
    double microseconds;
};

// True if executions are to be counted (setting shardwise.track_queries).
bool tracks_queries();
void count_query(const QueryRun &);

// Gives the query its id, if PostgreSQL has not (compute_query_id, or an extension that asked for
// it). Constants do not count, nor the number of rows in VALUES. Costs a walk over the query, which
// is why it is left until somebody needs the id.
void identify_query(Query *query, const char *text);

// Registers settings and shared memory. From _PG_init, before the other rooms.
void init_monitor();

} // namespace shardwise
