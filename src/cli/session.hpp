// The connection to the router, and queries over it. shardctl uses the SQL interface only.
#pragma once

#include "cli/rows.hpp"

#include <memory>
#include <optional>
#include <pqxx/pqxx>
#include <stdexcept>
#include <string>
#include <vector>

namespace shardwise::cli
{

// Exit statuses, as the manual page lists them.
enum class Exit {
    Success = 0,
    Failure = 1,    // the router refused or failed
    Usage = 2,      // the command line is wrong, or a confirmation is missing
    Connection = 3, // the router does not answer
    Findings = 4,   // validate, verify, doctor found errors; a plan ended as failed
    Timeout = 5     // wait or watch ran out of time
};

// Ends the program with a message.
class Stop : public std::runtime_error
{
public:
    Stop(Exit exit_status, const std::string &message)
        : std::runtime_error(message), status(exit_status)
    {
    }

    const Exit status;
};

using Parameter = std::optional<std::string>; // nullopt: NULL

class Session
{
public:
    // dsn: a libpq connection string or URI, completed by libpq's environment variables. Notices
    // of the router go to standard error. Throws Stop(Connection).
    explicit Session(const std::string &dsn);

    // Runs one statement in its own transaction. Throws Stop(Failure) with the router's message,
    // DETAIL and HINT.
    Rows query(const std::string &sql, const std::vector<Parameter> &parameters = {});

    // The same as JSON, made by the router: an array of objects.
    Json query_json(const std::string &sql, const std::vector<Parameter> &parameters = {});

    // True if shardwise has a view or function of this name.
    bool has(const std::string &name);

private:
    pqxx::result run(const std::string &sql, const std::vector<Parameter> &parameters);

    std::unique_ptr<pqxx::connection> connection;
};

// Writes a text[] literal.
std::string array_literal(const std::vector<std::string> &values);

} // namespace shardwise::cli
