#include "comparison.hpp"

#include <algorithm>

namespace shardwise::random_queries
{

namespace
{

using Row = std::vector<std::string>;

// A query may be slow by chance; one that plain PostgreSQL answers at once must end on the router.
constexpr const char *plain_limit = "2s";
constexpr const char *router_limit = "60s";
constexpr const char *canceled = "57014";

void must_run(PGconn *connection, const std::string &sql)
{
    diff::Result result(PQexec(connection, sql.c_str()));
    ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        throw diff::ServerFailure(sql.substr(0, 2000) + ": " + PQerrorMessage(connection));
    }
}

diff::Result run(PGconn *connection, const RandomQuery &query, bool is_binary)
{
    std::vector<const char *> values;
    for (const std::string &parameter : query.parameters) {
        values.push_back(parameter.c_str());
    }
    return diff::Result(PQexecParams(connection, query.sql.c_str(), static_cast<int>(values.size()),
                                     nullptr, values.data(), nullptr, nullptr, is_binary ? 1 : 0));
}

bool succeeded(const diff::Result &result)
{
    return PQresultStatus(result.get()) == PGRES_TUPLES_OK;
}

std::string sqlstate(const diff::Result &result)
{
    const char *state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    return state != nullptr ? state : "connection lost";
}

std::string describe(const diff::Result &result)
{
    if (succeeded(result)) {
        return std::to_string(PQntuples(result.get())) + " rows";
    }
    return sqlstate(result) + " " + PQresultErrorMessage(result.get());
}

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

std::string compare_rows(const PGresult *router, const PGresult *plain, const RandomQuery &query)
{
    std::vector<int> all;
    for (int c = 0; c < PQnfields(plain); c++) {
        all.push_back(c);
        if (PQftype(router, c) != PQftype(plain, c)) {
            return "  type of column " + std::to_string(c + 1) + "\n";
        }
    }
    std::vector<Row> ours = rows_of(router, all), theirs = rows_of(plain, all);
    std::sort(ours.begin(), ours.end());
    std::sort(theirs.begin(), theirs.end());
    if (ours != theirs) {
        return "  rows: router " + std::to_string(ours.size()) + ", plain " +
               std::to_string(theirs.size()) + "\n" + surplus("router", ours, theirs) +
               surplus("plain", theirs, ours);
    }
    if (!query.ordered.empty() && rows_of(router, query.ordered) != rows_of(plain, query.ordered)) {
        return "  order of rows\n";
    }
    return "";
}

} // namespace

Pair::Pair(std::string router, std::string plain)
    : router_info_(std::move(router)), plain_info_(std::move(plain))
{
    connect();
}

void Pair::connect()
{
    router_ = diff::connect(router_info_, "router");
    plain_ = diff::connect(plain_info_, "plain");
    must_run(router_.get(), std::string("SET statement_timeout = '") + router_limit + "'");
    must_run(plain_.get(), std::string("SET statement_timeout = '") + plain_limit + "'");
    if (!search_path_.empty()) {
        must_run(router_.get(), search_path_);
        must_run(plain_.get(), search_path_);
    }
}

void Pair::create(const Schema &schema)
{
    search_path_ = "SET search_path = " + schema.name;
    for (PGconn *connection : {router_.get(), plain_.get()}) {
        must_run(connection, "CREATE SCHEMA " + schema.name);
        must_run(connection, search_path_);
        for (const Table &table : schema.tables) {
            must_run(connection, table.definition);
            std::string rows;
            for (const std::string &row : table.rows) {
                rows += (rows.empty() ? "" : ", ") + row;
            }
            if (!rows.empty()) {
                must_run(connection, "INSERT INTO " + table.name + " VALUES " + rows);
            }
            if (connection == router_.get() && !table.distribution.empty()) {
                must_run(connection, table.distribution);
            }
        }
    }
    must_run(plain_.get(), "ANALYZE");
}

void Pair::drop(const Schema &schema)
{
    for (PGconn *connection : {router_.get(), plain_.get()}) {
        must_run(connection, "DROP SCHEMA " + schema.name + " CASCADE");
    }
}

Answer Pair::compare(const RandomQuery &query, bool is_binary)
{
    diff::Result plain = run(plain_.get(), query, is_binary);
    if (!succeeded(plain) && sqlstate(plain) == canceled) {
        return {Verdict::TooSlow, ""};
    }
    diff::Result router = run(router_.get(), query, is_binary);
    if (PQstatus(router_.get()) != CONNECTION_OK || PQstatus(plain_.get()) != CONNECTION_OK) {
        std::string message = "  a connection broke: " + describe(router) + "\n";
        connect();
        return {Verdict::Different, message};
    }
    if (!succeeded(plain) && !succeeded(router) && sqlstate(plain) == sqlstate(router)) {
        return {Verdict::BothFail, ""};
    }
    if (!succeeded(plain) || !succeeded(router)) {
        return {Verdict::Different,
                "  router: " + describe(router) + "\n  plain: " + describe(plain) + "\n"};
    }
    std::string difference = compare_rows(router.get(), plain.get(), query);
    return {difference.empty() ? Verdict::Same : Verdict::Different, difference};
}

} // namespace shardwise::random_queries
