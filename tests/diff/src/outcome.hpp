// What a server answered to one statement, in a form that can be compared across servers.
#pragma once

#include "statement_file.hpp"

#include <optional>
#include <string>
#include <vector>

namespace shardwise::diff
{

struct Column {
    std::string name;
    std::string type; // by name: user-defined types have other OIDs on each server
    int modifier = -1;
    bool operator==(const Column &) const = default;
};

using Row = std::vector<std::optional<std::string>>;

struct ServerError {
    std::string sqlstate, severity, message, detail, hint;
    std::string schema, table, column, data_type, constraint;
};

struct Outcome {
    std::optional<ServerError> error;
    std::vector<Column> columns;
    std::vector<Row> rows; // of binary results: with OIDs of types replaced by names
    std::string tag;
    std::vector<std::string> parameter_types; // prepared statements only
    std::string transaction_status;
    bool binary = false;
};

// Lists what differs between the two answers; empty if they agree.
std::vector<std::string> compare_outcomes(const Outcome &router, const Outcome &plain,
                                          Compare compare, bool ordered);

// Lists which rows one side has and the other has not, at most a few.
std::vector<std::string> compare_rows(std::vector<Row> router, std::vector<Row> plain, bool ordered,
                                      bool binary);

} // namespace shardwise::diff
