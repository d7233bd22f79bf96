#include "server.hpp"

#include <chrono>
#include <thread>

namespace shardwise::diff
{

namespace
{

constexpr Oid first_user_oid = 16384;

} // namespace

std::string quote_literal(const std::string &text)
{
    std::string quoted = "'";
    for (char c : text) {
        quoted += c;
        if (c == '\'') {
            quoted += c;
        }
    }
    return quoted + "'";
}

Connection connect(const std::string &conninfo, const std::string &label)
{
    using namespace std::chrono;
    const auto deadline = steady_clock::now() + seconds(30);
    for (;;) {
        Connection connection(PQconnectdb(conninfo.c_str()));
        if (PQstatus(connection.get()) == CONNECTION_OK) {
            PQsetNoticeProcessor(
                connection.get(), [](void *, const char *) {}, nullptr);
            return connection;
        }
        if (steady_clock::now() > deadline) {
            throw ServerFailure(label + ": " + PQerrorMessage(connection.get()));
        }
        std::this_thread::sleep_for(milliseconds(200));
    }
}

Server::Server(std::string conninfo, std::string label)
    : conninfo_(std::move(conninfo)), label_(std::move(label))
{
}

PGconn *Server::connection()
{
    if (!connection_ || PQstatus(connection_.get()) != CONNECTION_OK) {
        connection_ = connect(conninfo_, label_);
    }
    return connection_.get();
}

std::vector<std::vector<std::string>> Server::query(const std::string &sql)
{
    Result result(PQexec(connection(), sql.c_str()));
    ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        throw ServerFailure(label_ + ": " + PQresultErrorMessage(result.get()) + "in: " + sql);
    }
    std::vector<std::vector<std::string>> rows;
    for (int row = 0; row < PQntuples(result.get()); row++) {
        rows.emplace_back();
        for (int column = 0; column < PQnfields(result.get()); column++) {
            rows.back().emplace_back(PQgetvalue(result.get(), row, column));
        }
    }
    return rows;
}

const Type &Server::type(Oid oid)
{
    auto found = types_.find(oid);
    if (found != types_.end()) {
        return found->second;
    }
    // Arrays are told by their subscript handler: typelem alone is set for point and others too.
    auto rows = query("SELECT pg_catalog.format_type(t.oid, NULL), t.typtype, "
                      "CASE WHEN t.typsubscript = 'array_subscript_handler'::regproc "
                      "THEN t.typelem ELSE 0 END, "
                      "COALESCE(NULLIF(t.typbasetype, 0), r.rngsubtype, m.rngtypid, 0) "
                      "FROM pg_catalog.pg_type t "
                      "LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid "
                      "LEFT JOIN pg_catalog.pg_range m ON m.rngmultitypid = t.oid "
                      "WHERE t.oid = " +
                      std::to_string(oid));
    Type type;
    if (rows.empty()) {
        type.name = "(type of an open transaction)";
    } else {
        type.name = rows[0][0];
        type.kind = rows[0][1][0];
        type.element = static_cast<Oid>(std::stoul(rows[0][2]));
        type.base = static_cast<Oid>(std::stoul(rows[0][3]));
    }
    return types_.emplace(oid, std::move(type)).first->second;
}

Oid Server::type_oid(const std::string &name)
{
    auto found = oids_.find(name);
    if (found == oids_.end()) {
        auto rows = query("SELECT " + quote_literal(name) + "::regtype::oid");
        found = oids_.emplace(name, static_cast<Oid>(std::stoul(rows[0][0]))).first;
    }
    return found->second;
}

std::optional<std::string> Server::encode(const std::string &text, const std::string &type_name)
{
    const char *values[] = {text.c_str()};
    std::string sql = "SELECT $1::" + type_name;
    Result result(PQexecParams(connection(), sql.c_str(), 1, nullptr, values, nullptr, nullptr, 1));
    if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
        return {};
    }
    return std::string(PQgetvalue(result.get(), 0, 0),
                       static_cast<size_t>(PQgetlength(result.get(), 0, 0)));
}

void Server::forget_types()
{
    std::erase_if(types_, [](const auto &entry) { return entry.first >= first_user_oid; });
    std::erase_if(oids_, [](const auto &entry) { return entry.second >= first_user_oid; });
}

bool Server::has_extension()
{
    return !query("SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'shardwise'").empty();
}

} // namespace shardwise::diff
