// Which parts of the key space go from which shard to which, so that shards hold what their weights
// say and as little as possible moves.
//
// The planner sees the key space as ranges with a size (rows or bytes) and a number of units, in
// which a range can be cut: hashes, or sampled keys. It knows no keys. Results are deterministic:
// equal input gives equal output. Time is O(n log n) in the number of ranges, memory linear in it.
#pragma once

#include "core/shard_map.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace shardwise
{

struct SizedRange {
    HashLength units; // at least 1; a range of 1 is not cut
    double size;
    int32_t owner;
};

// A shard's share. `fixed` is what it holds and keeps whatever the plan does (pinned keys).
struct BalancedShard {
    int32_t number;
    double weight;
    double fixed;
};

// Units [first, end) of a range change hands.
struct Piece {
    size_t range;
    HashLength first;
    HashLength end;
    int32_t source;
    int32_t target;
    double size;

    bool operator==(const Piece &) const = default;
};

enum class Placement {
    MinimizeMovement, // as little as brings every shard well inside of the threshold
    Uniform           // every shard gets its exact share
};

// Gives a newcomer (one of `shards`, which owns nothing yet) its fair share; nothing else moves.
// Each of the others gives what it has beyond its own fair share.
std::vector<Piece> plan_join(const std::vector<SizedRange> &ranges,
                             const std::vector<BalancedShard> &shards, int32_t newcomer);

// Takes everything off a shard; the others (`shards` without it) are filled up evenly by their
// weights, the emptiest first. Nothing moves between the others. Throws std::invalid_argument
// without another shard.
std::vector<Piece> plan_drain(const std::vector<SizedRange> &ranges,
                              const std::vector<BalancedShard> &shards, int32_t leaving);

// Evens the shards out. Does nothing while all of them are within `threshold` (0.3: 30 %) of their
// fair shares.
std::vector<Piece> plan_balance(const std::vector<SizedRange> &ranges,
                                const std::vector<BalancedShard> &shards, Placement placement,
                                double threshold);

// What differs between two maps of the same hash space, over the ranges of the first.
std::vector<Piece> compare_hash_maps(const std::vector<HashRange> &before,
                                     const std::vector<HashRange> &after);

// Pieces that make one move: [first, end) of the pieces.
struct MoveGroup {
    size_t first;
    size_t end;
};

// Sorts pieces into moves, each from one source to one target, of at most `most_pieces` pieces and
// about `most_size` (a piece is never cut for it). Moves that follow each other have different
// sources and targets where possible, so that several can run at once. Adjoining pieces of a move
// stay two pieces.
std::vector<MoveGroup> group_moves(std::vector<Piece> &pieces, size_t most_pieces,
                                   double most_size);

// Seconds that a move is estimated to take: copy, verification and clean-up, at the rates that
// docs/internals.md tells of.
double estimate_move_seconds(double rows, double bytes);

} // namespace shardwise
