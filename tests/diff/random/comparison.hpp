// One query on both servers, and what differs in the answers.
#pragma once

#include "query.hpp"
#include "server.hpp"

#include <string>

namespace shardwise::random_queries
{

enum class Verdict { Same, BothFail, TooSlow, Different };

struct Answer {
    Verdict verdict;
    std::string difference; // of Verdict::Different
};

class Pair
{
public:
    Pair(std::string router, std::string plain);

    // Makes a schema's tables with their rows on both servers. Throws diff::ServerFailure.
    void create(const Schema &schema);
    void drop(const Schema &schema);

    // Runs a query on both; results travel in binary where `is_binary`.
    Answer compare(const RandomQuery &query, bool is_binary);

private:
    std::string router_info_, plain_info_, search_path_;
    diff::Connection router_, plain_;

    void connect();
};

} // namespace shardwise::random_queries
