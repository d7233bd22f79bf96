#include "comparison.hpp"

#include "answers.hpp"

namespace shardwise::random_queries
{

namespace
{

// A query may be slow by chance; one that plain PostgreSQL answers at once must end on the router.
constexpr const char *plain_limit = "2s";
constexpr const char *router_limit = "60s";
constexpr const char *canceled = "57014";

void put_in_constants(RandomQuery *query)
{
    std::string sql;
    for (size_t i = 0; i < query->sql.size(); i++) {
        if (!is_parameter(query->sql, i)) {
            sql += query->sql[i];
            continue;
        }
        size_t digits = 0;
        const auto &value = query->parameters[std::stoul(query->sql.substr(i + 1), &digits) - 1];
        sql += value ? "'" + *value + "'" : "NULL";
        i += digits;
    }
    query->sql = sql;
    query->parameters.clear();
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
        must_run(connection, schema.types);
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

Answer Pair::compare(const RandomQuery &query, Protocol protocol)
{
    return protocol == Protocol::Prepared ? compare_prepared(query) : compare_once(query, protocol);
}

// Executes a statement, prepared once, so often that generic plans come in, with its parameters and
// with other ones in turns. Then the same with these as constants, whose shape the router keeps.
Answer Pair::compare_prepared(const RandomQuery &query)
{
    constexpr size_t executions = 7;
    std::vector<Values> sets = query.other_parameters;
    sets.insert(sets.begin(), query.parameters);
    for (PGconn *connection : {router_.get(), plain_.get()}) {
        diff::Result prepared(PQprepare(connection, "", query.sql.c_str(), 0, nullptr));
        if (!succeeded(prepared)) {
            return compare_once(query, Protocol::Text);
        }
    }
    Answer last = {Verdict::BothFail, ""};
    for (size_t i = 0; i < executions + sets.size(); i++) {
        RandomQuery one = query;
        one.parameters = sets[i % sets.size()];
        bool is_prepared = i < executions;
        if (!is_prepared) {
            put_in_constants(&one);
        }
        Answer answer = compare_once(one, is_prepared ? Protocol::Prepared : Protocol::Simple);
        if (answer.verdict == Verdict::Different || answer.verdict == Verdict::TooSlow) {
            answer.difference = "  execution " + std::to_string(i + 1) + "\n" + answer.difference;
            return answer;
        }
        if (answer.verdict == Verdict::Same) {
            last = answer;
        }
    }
    return last;
}

Answer Pair::compare_once(const RandomQuery &query, Protocol protocol)
{
    diff::Result plain = run(plain_.get(), query, protocol);
    if (!succeeded(plain) && sqlstate(plain) == canceled) {
        return {Verdict::TooSlow, ""};
    }
    diff::Result router = run(router_.get(), query, protocol);
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
    std::string difference = compare_results(router.get(), plain.get(), query);
    return {difference.empty() ? Verdict::Same : Verdict::Different, difference};
}

} // namespace shardwise::random_queries
