// A client's session: runs statements in each protocol and records the answers.
#pragma once

#include "outcome.hpp"
#include "server.hpp"

namespace shardwise::diff
{

class Session
{
public:
    explicit Session(Server &server);

    // Runs SQL in the simple protocol; COPY FROM STDIN gets `copy_data`.
    Outcome simple(const std::string &sql, const std::optional<std::string> &copy_data = {});

    // Parse, bind and execute in one go, unnamed.
    Outcome extended(const Statement &statement, bool binary);

    // Prepares under a name and describes; the outcome has parameter types and columns.
    Outcome prepare(const std::string &name, const Statement &statement);
    Outcome execute_prepared(const std::string &name, const Statement &statement, bool binary);

    bool is_idle() const;
    bool is_failed() const;

    // Ends an open transaction; reconnects where the connection is gone.
    void make_idle();

private:
    Server &server_;
    Connection connection_;
    std::vector<Oid> prepared_types_; // of the statement prepared last

    Outcome collect(const std::optional<std::string> &copy_data, bool binary);
    Outcome lost(const std::string &message);
    Result next_result();
    bool wait_readable(int seconds);
    void read_copy_out(Outcome &outcome);
    void add_rows(Outcome &outcome, const PGresult *result);
    void describe_columns(Outcome &outcome, const PGresult *result);
    void finish(Outcome &outcome) const;

    struct Bound {
        std::vector<Oid> types;
        std::vector<std::optional<std::string>> storage;
        std::vector<const char *> values;
        std::vector<int> lengths, formats;
    };
    Bound bind(const Statement &statement, bool binary, const std::vector<Oid> &inferred);
};

} // namespace shardwise::diff
