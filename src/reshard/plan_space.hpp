// A keyspace as planning sees it: the ranges of its map with their sizes, in the form that core
// computes with, and the way back from what core decides to ranges of a move.
#pragma once

#include "pg/pg.hpp"
#include "catalog/moves.hpp"
#include "core/balance.hpp"
#include "reshard/plan_sizes.hpp"

namespace shardwise
{

enum class SizeUnit { Rows, Bytes, KeySpace };

// Arrays of `count`: the map's entries in their order, for strategy list with the default at the
// end. Pinned keys are in no range.
struct PlanSpace {
    const Keyspace *keyspace;
    const KeyspaceSizes *sizes;
    size_t count;
    SizedRange *ranges;
    double *shares;    // of what the owner holds of the keyspace: 0 to 1
    double *pinned;    // the same of each pin, in the order of the map's index
    size_t *first_cut; // count + 1: where range i's keys begin in `cuts` (strategy range)
    Datum **cuts;      // keys inside of ranges, in order, at which they can be cut
};

// Builds the space. `unit`: what sizes of ranges mean; KeySpace is the width in the hash space,
// the same for all ranges elsewhere. `bounds`: keys of strategy range at which ranges must be cut.
PlanSpace *make_plan_space(const Keyspace *keyspace, const KeyspaceSizes *sizes, SizeUnit unit,
                           const List *bounds = nullptr);

// Finds the place of a key that is in no pin's place: a range, and the unit in it.
struct Place {
    size_t range;
    HashLength unit;
};
Place find_place(const PlanSpace *space, const Datum *key);
Place find_hash_place(const PlanSpace *space, int64 hash);

// What a piece (or a whole pin) is estimated to hold.
struct Estimate {
    double rows;
    double bytes;
};
Estimate estimate_piece(const PlanSpace *space, const Piece *piece);
Estimate estimate_pin(const PlanSpace *space, int pin);

// The size of all pins of a shard, in the unit of the space.
double pinned_size(const PlanSpace *space, int32 shard, SizeUnit unit);

// Makes the ranges of a move from the pieces that it consists of, in the order of the key space;
// adjoining ones are joined, and pins inside of them added as exceptions.
void set_move_ranges(Move *move, const PlanSpace *space, const Piece *pieces, size_t count);

} // namespace shardwise
