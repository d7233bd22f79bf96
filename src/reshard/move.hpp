// One move while a worker runs it: what the catalog says of it, and the steps' shared knowledge.
// docs/internals.md has the states; core/move_state.hpp which may follow which.
#pragma once

#include "pg/pg.hpp"
#include "core/move_state.hpp"
#include "reshard/shard_session.hpp"

namespace shardwise
{

// A distributed table of the keyspace, as the steps need it in SQL.
struct MoveTable {
    Oid relid;
    const char *name;                    // qualified and quoted, as on the shards
    const char *columns;                 // quoted, separated by commas; without generated ones
    const char *filter;                  // the condition that a row's key moves
    const char *old_filter, *new_filter; // the same over OLD and NEW of a row trigger
    const char *identity;                // columns of the primary key; nullptr: there is none
    const char *row_hash;                // bigint over the columns
    const char *key_hash;                // bigint over the identity, or the row
    bool binary;                         // all columns travel in binary between servers
    const char
        *large_values; // assignments in PL/pgSQL that write values of NEW anew; nullptr: none
    List *leaves;      // of char *: the tables that store its rows
};

struct Latency;

struct RunningMove {
    int32 id;
    int32 plan_id;
    int32 keyspace_id;
    int32 source, target; // shards
    MoveState state;
    bool leftovers;     // objects or rows may be on shards that are not to stay
    const char *wanted; // what the operator wants of the plan: run, pause, cancel, rollback, finish
    const char *verification; // full, sampled, none
    const char *on_mismatch;  // stop, repair, force

    const char *object; // name of the schema, slot, publication and subscription on the shards
    const char *back;   // the same for the way back
    List *tables;       // of MoveTable *
    List *relations;    // of Oid: the tables on the router with their partitions
    ShardSession *at_source, *at_target; // opened by the driver
    bool source_changed, target_changed; // has failed over since the copy began
    int64 apply_errors; // of the forward subscription, when first seen; -1: not yet
    Latency *latencies; // of source and target (throttle.hpp)
};

// Reads a move with its tables; everything belongs to the current memory context. Errors: 42704.
RunningMove *load_move(int32 move_id);

// Runs SQL on the router's catalog as its superuser, in a transaction of its own where there is
// none; results belong to the caller's memory context.
Rows catalog(const char *sql);
Rows catalogf(const char *format, ...) pg_attribute_printf(1, 2);

// Reads again what may change while a move runs.
void refresh_move(RunningMove *);

// Goes to another state: one row, one event, one notification (channel shardwise_move), one commit.
// Errors: 55000 where the state has changed under us.
void set_state(RunningMove *, MoveState, const char *detail = nullptr);

// Records something worth telling the operator: in move_event, and in the server's log.
void add_event(const RunningMove *, const char *event, const char *detail);

} // namespace shardwise
