#include "answers.hpp"

#include <algorithm>
#include <cstring>

namespace shardwise::random_queries
{

// A type that a schema makes has other Oids on each server, from here on.
static constexpr Oid first_own_type = 16384;

namespace
{

std::vector<Row> rows_of(const PGresult *result, const std::vector<int> &columns)
{
    std::vector<Row> rows;
    for (int r = 0; r < PQntuples(result); r++) {
        Row row;
        for (int c : columns) {
            row.push_back(PQgetisnull(result, r, c) ? std::string("N")
                                                    : "V" + std::string(PQgetvalue(result, r, c),
                                                                        PQgetlength(result, r, c)));
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

std::string show(const Row &row)
{
    std::string text;
    for (const std::string &value : row) {
        text += text.empty() ? "(" : ", ";
        text += value == "N" ? "NULL" : "";
        for (unsigned char c : value.substr(1)) {
            static const char digits[] = "0123456789abcdef";
            if (c >= ' ') {
                text += static_cast<char>(c);
            } else {
                text += std::string("\\x") + digits[c >> 4] + digits[c & 15];
            }
        }
    }
    return text + ")";
}

// What is in `rows` and not in `others`; both sorted.
std::string surplus(const std::string &label, const std::vector<Row> &rows,
                    const std::vector<Row> &others)
{
    std::vector<Row> more;
    std::set_difference(rows.begin(), rows.end(), others.begin(), others.end(),
                        std::back_inserter(more));
    std::string text;
    for (size_t i = 0; i < more.size() && i < 5; i++) {
        text += "  only on " + label + ": " + show(more[i]) + "\n";
    }
    return more.size() > 5 ? text + "  and " + std::to_string(more.size() - 5) + " more\n" : text;
}

} // namespace

void must_run(PGconn *connection, const std::string &sql)
{
    diff::Result result(PQexec(connection, sql.c_str()));
    ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        throw diff::ServerFailure(sql.substr(0, 2000) + ": " + PQerrorMessage(connection));
    }
}

diff::Result run(PGconn *connection, const RandomQuery &query, Protocol protocol)
{
    if (protocol == Protocol::Simple && query.parameters.empty()) {
        return diff::Result(PQexec(connection, query.sql.c_str()));
    }
    std::vector<const char *> values;
    for (const auto &parameter : query.parameters) {
        values.push_back(parameter ? parameter->c_str() : nullptr);
    }
    if (protocol == Protocol::Prepared) {
        return diff::Result(PQexecPrepared(connection, "", static_cast<int>(values.size()),
                                           values.data(), nullptr, nullptr, 0));
    }
    return diff::Result(PQexecParams(connection, query.sql.c_str(), static_cast<int>(values.size()),
                                     nullptr, values.data(), nullptr, nullptr,
                                     protocol == Protocol::Binary ? 1 : 0));
}

bool succeeded(const diff::Result &result)
{
    ExecStatusType status = PQresultStatus(result.get());
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

std::string sqlstate(const diff::Result &result)
{
    const char *state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    return state != nullptr ? state : "connection lost";
}

std::string describe(const diff::Result &result)
{
    if (succeeded(result)) {
        return std::to_string(PQntuples(result.get())) + " rows, " + PQcmdStatus(result.get());
    }
    return sqlstate(result) + " " + PQresultErrorMessage(result.get());
}

std::string compare_sorted(const std::vector<Row> &router, const std::vector<Row> &plain)
{
    if (router == plain) {
        return "";
    }
    return "  rows: router " + std::to_string(router.size()) + ", plain " +
           std::to_string(plain.size()) + "\n" + surplus("router", router, plain) +
           surplus("plain", plain, router);
}

std::string compare_results(const PGresult *router, const PGresult *plain, const RandomQuery &query)
{
    if (std::strcmp(PQcmdStatus(const_cast<PGresult *>(router)),
                    PQcmdStatus(const_cast<PGresult *>(plain))) != 0) {
        return std::string("  tag: router ") + PQcmdStatus(const_cast<PGresult *>(router)) +
               ", plain " + PQcmdStatus(const_cast<PGresult *>(plain)) + "\n";
    }
    if (PQnfields(router) != PQnfields(plain)) {
        return "  number of columns\n";
    }
    std::vector<int> all;
    for (int c = 0; c < PQnfields(plain); c++) {
        all.push_back(c);
        Oid of_router = PQftype(router, c), of_plain = PQftype(plain, c);
        if (of_router != of_plain && std::min(of_router, of_plain) < first_own_type) {
            return "  type of column " + std::to_string(c + 1) + "\n";
        }
        if (std::strcmp(PQfname(router, c), PQfname(plain, c)) != 0) {
            return "  name of column " + std::to_string(c + 1) + "\n";
        }
    }
    std::vector<Row> ours = rows_of(router, all), theirs = rows_of(plain, all);
    std::sort(ours.begin(), ours.end());
    std::sort(theirs.begin(), theirs.end());
    std::string difference = compare_sorted(ours, theirs);
    if (difference.empty() && !query.ordered.empty() &&
        rows_of(router, query.ordered) != rows_of(plain, query.ordered)) {
        return "  order of rows\n";
    }
    return difference;
}

} // namespace shardwise::random_queries
