// What queries return.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace shardwise::cli
{

using Json = nlohmann::ordered_json;

// A result as text, with what is needed to show it.
struct Rows {
    struct Column {
        std::string name;
        bool is_number;
    };
    std::vector<Column> columns;
    std::vector<std::vector<std::optional<std::string>>> rows;

    // The value of a column by its name; nullopt for NULL, and where there is no such column.
    std::optional<std::string> value(size_t row, const std::string &column) const;
};

} // namespace shardwise::cli
