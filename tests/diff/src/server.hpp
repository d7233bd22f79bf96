// A server under test, seen from beside: type names and value encodings, asked over a connection of
// its own so that the compared session is left alone.
#pragma once

#include <libpq-fe.h>

#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace shardwise::diff
{

struct CloseConnection {
    void operator()(PGconn *connection) const { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, CloseConnection>;

struct ClearResult {
    void operator()(PGresult *result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ClearResult>;

struct ServerFailure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Opens a connection, waiting while the server comes up again. Throws ServerFailure.
Connection connect(const std::string &conninfo, const std::string &label);

// Quotes a string as an SQL literal (standard_conforming_strings).
std::string quote_literal(const std::string &text);

struct Type {
    std::string name;
    char kind = 'b'; // pg_type.typtype
    Oid element = 0; // of arrays
    Oid base = 0;    // of domains; subtype of ranges; range of multiranges
};

class Server
{
public:
    Server(std::string conninfo, std::string label);

    const std::string &conninfo() const { return conninfo_; }
    const std::string &label() const { return label_; }

    // Runs a command and returns its rows. Throws ServerFailure.
    std::vector<std::vector<std::string>> query(const std::string &sql);

    const Type &type(Oid oid);
    Oid type_oid(const std::string &name);

    // Returns the binary form of a value given as text; nothing if the type does not accept it.
    std::optional<std::string> encode(const std::string &text, const std::string &type_name);

    // Forgets user-defined types, whose OIDs end with the file that made them.
    void forget_types();

    bool has_extension();

private:
    std::string conninfo_, label_;
    Connection connection_;
    std::map<Oid, Type> types_;
    std::map<std::string, Oid> oids_;

    PGconn *connection();
};

} // namespace shardwise::diff
