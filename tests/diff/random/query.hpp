// A random SELECT over a schema, of which PostgreSQL gives one answer only: LIMIT follows an order
// over all columns, windows that depend on the order of rows have one over all columns in reach,
// and nothing is computed in floating point.
#pragma once

#include "schema.hpp"

#include <optional>
#include <string>
#include <vector>

namespace shardwise::random_queries
{

using Values = std::vector<std::optional<std::string>>; // without: NULL

struct RandomQuery {
    std::string sql;
    Values parameters;
    std::vector<Values> other_parameters; // sets of them, for the same statement
    std::vector<int> ordered; // numbers of output columns, from 0, by which the rows are sorted
    bool is_total_order = false;
};

// `$` and a number; elsewhere it is a JSON path's, or an expression's that text matches.
inline bool is_parameter(const std::string &sql, size_t i)
{
    return sql[i] == '$' && i + 1 < sql.size() && sql[i + 1] >= '0' && sql[i + 1] <= '9';
}

RandomQuery make_query(Choices &choices, const Schema &schema);

// A random INSERT, UPDATE, DELETE, MERGE or several in one statement, whose effect and RETURNING
// do not depend on the order of rows; now and then a SELECT.
RandomQuery make_write(Choices &choices, const Schema &schema);

} // namespace shardwise::random_queries
