// Rows of plans, moves and the ranges they take.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"
#include "core/move_state.hpp"

namespace shardwise
{

enum class MoveRangeKind : uint8 {
    Range,   // hash strategies: hashes, both inclusive; range: keys, upper exclusive
    Key,     // lower_key, an entry of strategy list
    Default, // strategy list: what no entry names
    Pin,     // pin_key
    Except   // pin_key: a pinned key inside of the other ranges, which stays where it is
};

// Keys are in the form of the catalog (key_to_text_array); nullptr stands for MINVALUE or MAXVALUE
// in a Range, and for a column that the kind does not use.
struct MoveRange {
    MoveRangeKind kind;
    bool is_hashed; // a Range of hashes
    int64 lower_hash;
    int64 upper_hash;
    ArrayType *lower_key;
    ArrayType *upper_key;
    ArrayType *pin_key;
};

struct Move {
    int32 id;
    int32 plan_id;
    int32 position; // in the plan, from 1
    int32 keyspace_id;
    int32 source;
    int32 target;
    MoveState state;
    double rows; // estimates
    double bytes;
    double seconds;
    int nranges;
    MoveRange *ranges; // in the order of the key space
};

// Prefix of the names of all objects that moves of this router make on shards: shardwise_, eight
// hex digits and an underscore; the move's number follows.
char *move_object_prefix();

// Reads a move with its ranges. Errors: 42704 if there is none.
Move *read_move(int32 move_id);

// The numbers of a plan's moves in their order.
List *list_moves(int32 plan_id);

struct NewPlan {
    const char *kind;
    const char *description;
    int64 topology_hash;
};

// Writes a plan, owned by the current user, and returns its number.
int32 insert_plan(const NewPlan *plan);

// Raises 42704, that there is no such plan.
[[noreturn]] void raise_no_plan(int32 plan_id);

// Reads a plan's topology_hash. Errors: 42704 if there is no such plan.
int64 read_plan_topology(int32 plan_id);

// Writes a move in state planned with its ranges; `id` is set here.
void insert_move(Move *move);

} // namespace shardwise
