#include "cli/session.hpp"

#include <cstdlib>
#include <iostream>
#include <memory>

namespace shardwise::cli
{

namespace
{

bool is_number(pqxx::oid type)
{
    switch (type) {
    case 20: // int8, int2, int4, oid, float4, float8, numeric
    case 21:
    case 23:
    case 26:
    case 700:
    case 701:
    case 1700:
        return true;
    default:
        return false;
    }
}

class Notices : public pqxx::errorhandler
{
public:
    using pqxx::errorhandler::errorhandler;
    bool operator()(const char message[]) noexcept override
    {
        std::cerr << message << std::flush;
        return false;
    }
};

std::string trimmed(std::string text)
{
    while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
        text.pop_back();
    return text;
}

} // namespace

Session::Session(const std::string &dsn)
{
    setenv("PGAPPNAME", "shardctl", 0);
    try {
        connection = std::make_unique<pqxx::connection>(dsn);
        new Notices(*connection); // the connection frees it
    } catch (const pqxx::broken_connection &error) {
        throw Stop(Exit::Connection, trimmed(error.what()));
    }
}

pqxx::result Session::run(const std::string &sql, const std::vector<Parameter> &parameters)
{
    std::vector<const char *> values;
    for (const Parameter &parameter : parameters)
        values.push_back(parameter ? parameter->c_str() : nullptr);
    try {
        pqxx::nontransaction transaction(*connection);
        return transaction.exec_params(
            sql, pqxx::prepare::make_dynamic_params(values.begin(), values.end()));
    } catch (const pqxx::broken_connection &error) {
        // An error of class 08 that the router reports is of a shard.
        throw Stop(connection->is_open() ? Exit::Failure : Exit::Connection, trimmed(error.what()));
    } catch (const pqxx::sql_error &error) {
        throw Stop(Exit::Failure, trimmed(error.what()));
    }
}

Rows Session::query(const std::string &sql, const std::vector<Parameter> &parameters)
{
    pqxx::result result = run(sql, parameters);
    Rows out;
    for (pqxx::row::size_type i = 0; i < result.columns(); i++)
        out.columns.push_back({result.column_name(i), is_number(result.column_type(i))});
    for (const pqxx::row &row : result) {
        auto &values = out.rows.emplace_back();
        for (const pqxx::field &field : row)
            values.push_back(field.is_null() ? std::nullopt
                                             : std::optional<std::string>(field.c_str()));
    }
    return out;
}

Json Session::query_json(const std::string &sql, const std::vector<Parameter> &parameters)
{
    pqxx::result result = run(
        "SELECT coalesce(json_agg(to_json(result)), '[]') FROM (" + sql + ") result", parameters);
    return Json::parse(result[0][0].c_str());
}

bool Session::has(const std::string &name)
{
    return !query("SELECT 1 FROM pg_catalog.pg_class WHERE relnamespace = "
                  "pg_catalog.to_regnamespace('shardwise') AND relname = $1 UNION ALL "
                  "SELECT 1 FROM pg_catalog.pg_proc WHERE pronamespace = "
                  "pg_catalog.to_regnamespace('shardwise') AND proname = $1",
                  {name})
                .rows.empty();
}

std::string array_literal(const std::vector<std::string> &values)
{
    std::string text = "{";
    for (const std::string &value : values) {
        text += text.size() > 1 ? ",\"" : "\"";
        for (char character : value) {
            if (character == '"' || character == '\\')
                text += '\\';
            text += character;
        }
        text += '"';
    }
    return text + "}";
}

} // namespace shardwise::cli
