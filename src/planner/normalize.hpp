// Makes statements that differ in constants alone look alike, so that analysis, deparse and the
// shards' planning happen once for all of them.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Params with this number and above stand for constants of the statement (see normalize_query).
constexpr int constant_param_base = 1 << 20;

struct NormalizedQuery {
    uint64 hash;     // of the query's shape; equal queries have equal hashes
    List *constants; // the Const nodes taken out, in the order of their Params' numbers
};

// Replaces constants in `query` by Params numbered from constant_param_base, in place, where the
// statement means the same with a parameter there. The caller owns the tree.
NormalizedQuery normalize_query(Query *query);

// True if normalize_query() took constants out of the tree.
bool holds_taken_constants(Node *node);

// A copy of a tree that normalize_query() took `constants` out of, with the constants again.
Node *restore_constants(Node *node, List *constants);

} // namespace shardwise
