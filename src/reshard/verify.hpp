// Verification: are the moving keys' rows on both sides the same?
//
// The side that owns the keys is read under a snapshot, a marker is written and awaited, and the
// other side is read under a snapshot then: it has all changes of the first and perhaps a few more.
// Both add up the hashes of their rows in buckets, by the hash of the primary key. Where buckets
// differ, single rows are compared; rows that differ still are locked on the owner's side, which
// settles whether they were just being changed.
#pragma once

#include "reshard/replication.hpp"

namespace shardwise
{

// What a verification found.
struct Verification {
    int64 rows;       // compared, on the owner's side
    int64 mismatched; // on both sides, with different values
    int64 missing;    // on the owner's side alone
    int64 extra;      // on the other side alone
    char *keys;       // hashes of the first keys that differ, for reports
    double seconds;
};

// Compares all tables along a flow and writes a row a table into move_verification. With
// `sampled`, a part of the buckets first, and everything if they differ.
Verification verify_flow(const Flow *, bool sampled);

// Copies the rows that the last verification found different from the owner's side to the other.
// Returns the number of their keys.
int64 repair_flow(const Flow *);

} // namespace shardwise
