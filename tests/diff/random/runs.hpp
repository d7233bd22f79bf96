// The two kinds of a run: random queries, and random transactions that write.
#pragma once

#include "comparison.hpp"

namespace shardwise::random_queries
{

struct Options {
    std::string router, plain;
    uint64_t seed = 20250101;
    int queries = 2000, only = -1;
    int writes = 400, only_transaction = -1;
    bool keep = false;
};

constexpr int most_reports = 20;

// A seed of its own for each number.
uint64_t mix(uint64_t seed, uint64_t number);

void print_query(const RandomQuery &query);

// The tables whose names stand in the text.
void print_tables(const Schema &schema, const std::string &sql);

// False if an answer differs, or too few say anything.
bool run_queries(Pair &pair, const Options &options);
bool run_writes(Pair &pair, const Options &options);

} // namespace shardwise::random_queries
