// Answers of libpq to random statements, and what differs between two.
#pragma once

#include "query.hpp"
#include "server.hpp"

#include <string>
#include <vector>

namespace shardwise::random_queries
{

using Row = std::vector<std::string>;

// Text, Binary: extended, with results as such. Prepared: the session's unnamed statement.
enum class Protocol { Simple, Text, Binary, Prepared };

// Throws diff::ServerFailure where it fails.
void must_run(PGconn *connection, const std::string &sql);

// A query without parameters goes by the simple protocol where it is asked for.
diff::Result run(PGconn *connection, const RandomQuery &query, Protocol protocol);

bool succeeded(const diff::Result &result);
std::string sqlstate(const diff::Result &result);

// The number of rows, or the error.
std::string describe(const diff::Result &result);

// What the answers, both successes, differ in; empty: nothing.
std::string compare_results(const PGresult *router, const PGresult *plain,
                            const RandomQuery &query);

// What sorted rows of one side are not on the other.
std::string compare_sorted(const std::vector<Row> &router, const std::vector<Row> &plain);

} // namespace shardwise::random_queries
