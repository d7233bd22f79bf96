// A random transaction: statements with savepoints before some of them, and its end.
#pragma once

#include "query.hpp"

namespace shardwise::random_queries
{

struct Step {
    enum class Kind { Statement, Savepoint, RollbackTo, Release };
    Kind kind;
    RandomQuery query; // of Statement
};

struct RandomTransaction {
    std::string begin; // empty: one statement, which is its own transaction
    std::vector<Step> steps;
    bool commits = true;
};

RandomTransaction make_transaction(Choices &choices, const Schema &schema);

} // namespace shardwise::random_queries
