#include "outcome.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace shardwise::diff
{

namespace
{

constexpr size_t rows_shown = 5;
constexpr size_t characters_shown = 200;

std::string show_value(const std::optional<std::string> &value, bool binary)
{
    if (!value) {
        return "NULL";
    }
    std::string text;
    if (binary) {
        text = "\\x";
        for (unsigned char c : *value) {
            char digits[3];
            std::snprintf(digits, sizeof digits, "%02x", c);
            text += digits;
        }
    } else {
        text = "'" + *value + "'";
    }
    return text.size() > characters_shown ? text.substr(0, characters_shown) + "..." : text;
}

std::string show_row(const Row &row, bool binary)
{
    std::string text = "(";
    for (const auto &value : row) {
        text += (text.size() > 1 ? ", " : "") + show_value(value, binary);
    }
    return text + ")";
}

std::string show_columns(const std::vector<Column> &columns)
{
    std::string text;
    for (const Column &column : columns) {
        text += (text.empty() ? "" : ", ") + column.name + " " + column.type;
        if (column.modifier != -1) {
            text += " (modifier " + std::to_string(column.modifier) + ")";
        }
    }
    return text.empty() ? "no columns" : text;
}

std::string show_list(const std::vector<std::string> &items)
{
    std::string text;
    for (const std::string &item : items) {
        text += (text.empty() ? "" : ", ") + item;
    }
    return text;
}

void note(std::vector<std::string> &differences, const std::string &what, const std::string &router,
          const std::string &plain)
{
    if (router != plain) {
        differences.push_back(what + ": router " + (router.empty() ? "(none)" : router) +
                              " | plain " + (plain.empty() ? "(none)" : plain));
    }
}

std::string summary(const std::optional<ServerError> &error)
{
    return error ? error->sqlstate + " " + error->message +
                       (error->detail.empty() ? "" : " (" + error->detail + ")")
                 : "success";
}

void compare_errors(std::vector<std::string> &differences, const ServerError &router,
                    const ServerError &plain, Compare compare)
{
    note(differences, "SQLSTATE", router.sqlstate, plain.sqlstate);
    if (compare == Compare::SqlState) {
        return;
    }
    note(differences, "severity", router.severity, plain.severity);
    note(differences, "message", router.message, plain.message);
    note(differences, "DETAIL", router.detail, plain.detail);
    note(differences, "HINT", router.hint, plain.hint);
    note(differences, "schema name", router.schema, plain.schema);
    note(differences, "table name", router.table, plain.table);
    note(differences, "column name", router.column, plain.column);
    note(differences, "data type name", router.data_type, plain.data_type);
    note(differences, "constraint name", router.constraint, plain.constraint);
}

void show_only(std::vector<std::string> &differences, const char *side,
               const std::vector<Row> &rows, bool binary)
{
    for (size_t i = 0; i < rows.size() && i < rows_shown; i++) {
        differences.push_back(std::string("row only on ") + side + ": " +
                              show_row(rows[i], binary));
    }
    if (rows.size() > rows_shown) {
        differences.push_back("... and " + std::to_string(rows.size() - rows_shown) +
                              " more rows only on " + side);
    }
}

} // namespace

std::vector<std::string> compare_rows(std::vector<Row> router, std::vector<Row> plain, bool ordered,
                                      bool binary)
{
    std::vector<std::string> differences;
    if (router == plain) {
        return differences;
    }
    if (router.size() != plain.size()) {
        differences.push_back("number of rows: router " + std::to_string(router.size()) +
                              " | plain " + std::to_string(plain.size()));
    }
    const auto router_ordered = router, plain_ordered = plain;
    std::sort(router.begin(), router.end());
    std::sort(plain.begin(), plain.end());
    std::vector<Row> only_router, only_plain;
    std::set_difference(router.begin(), router.end(), plain.begin(), plain.end(),
                        std::back_inserter(only_router));
    std::set_difference(plain.begin(), plain.end(), router.begin(), router.end(),
                        std::back_inserter(only_plain));
    show_only(differences, "router", only_router, binary);
    show_only(differences, "plain", only_plain, binary);
    if (only_router.empty() && only_plain.empty() && ordered) {
        auto [r, p] = std::mismatch(router_ordered.begin(), router_ordered.end(),
                                    plain_ordered.begin(), plain_ordered.end());
        differences.push_back("order, from row " + std::to_string(r - router_ordered.begin() + 1) +
                              ": router " + show_row(*r, binary) + " | plain " +
                              show_row(*p, binary));
    }
    return differences;
}

std::vector<std::string> compare_outcomes(const Outcome &router, const Outcome &plain,
                                          Compare compare, bool ordered)
{
    std::vector<std::string> differences;
    if (router.error && plain.error) {
        compare_errors(differences, *router.error, *plain.error, compare);
    } else if (router.error || plain.error) {
        note(differences, "outcome", summary(router.error), summary(plain.error));
    } else {
        if (router.columns != plain.columns) {
            note(differences, "columns", show_columns(router.columns), show_columns(plain.columns));
        }
        if (compare == Compare::Shape) {
            note(differences, "number of rows", std::to_string(router.rows.size()),
                 std::to_string(plain.rows.size()));
        } else {
            auto rows = compare_rows(router.rows, plain.rows, ordered, router.binary);
            differences.insert(differences.end(), rows.begin(), rows.end());
        }
    }
    note(differences, "command tag", router.tag, plain.tag);
    note(differences, "parameter types", show_list(router.parameter_types),
         show_list(plain.parameter_types));
    note(differences, "transaction status", router.transaction_status, plain.transaction_status);
    return differences;
}

} // namespace shardwise::diff
