// One query, or one transaction, on both servers, and what differs in the answers.
#pragma once

#include "answers.hpp"
#include "transaction.hpp"

#include <string>

namespace shardwise::random_queries
{

enum class Verdict { Same, BothFail, TooSlow, Different };

struct Answer {
    Verdict verdict;
    std::string difference; // of Verdict::Different
};

// What became of a transaction's statements, counted.
struct WriteCounts {
    int same = 0, both_fail = 0, refused = 0, too_slow = 0;
    // Of several rows that cannot be written, which one is met first depends on their order.
    int fail_otherwise = 0;
    std::map<std::string, int> refusals; // by their reasons
};

// Each table's rows as VALUES lists, sorted.
using TableRows = std::vector<std::vector<Row>>;

class Pair
{
public:
    Pair(std::string router, std::string plain);

    // Makes a schema's tables with their rows on both servers. Throws diff::ServerFailure.
    void create(const Schema &schema);
    void drop(const Schema &schema);

    // Runs a query on both.
    Answer compare(const RandomQuery &query, Protocol protocol);

    // Runs a transaction on both, and compares what each statement answers and all tables after
    // it. The plain server takes back what the router refuses.
    Answer compare(const RandomTransaction &transaction, const Schema &schema, Protocol protocol,
                   WriteCounts *counts);

    // All rows of the plain server, and the same put back on both.
    TableRows rows(const Schema &schema);
    void put_back(const Schema &schema, const TableRows &rows);

    // Rows on shards that do not own them, and reference tables that differ; empty: none.
    std::string misplaced(const Schema &schema);

private:
    std::string router_info_, plain_info_, search_path_;
    diff::Connection router_, plain_;

    enum class Ending { Done, Failed };

    void connect();
    Answer compare_once(const RandomQuery &query, Protocol protocol);
    Answer compare_prepared(const RandomQuery &query);
    bool both_connected() const;
    void run_on_both(const char *command);
    Ending run_statement(const RandomQuery &query, Protocol protocol, WriteCounts *counts,
                         std::string *difference);
    std::string run_steps(const RandomTransaction &transaction, Protocol protocol,
                          WriteCounts *counts);
    std::string compare_tables(const Schema &schema);
};

} // namespace shardwise::random_queries
