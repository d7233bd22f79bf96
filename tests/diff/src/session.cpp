#include "session.hpp"

#include "binary_value.hpp"

#include <poll.h>

#include <cerrno>

namespace shardwise::diff
{

namespace
{

constexpr int answer_seconds = 60; // then the statement is cancelled
constexpr int cancel_seconds = 10; // then the connection is given up

std::string field(const PGresult *result, int code)
{
    const char *value = PQresultErrorField(result, code);
    return value ? value : "";
}

ServerError read_error(const PGresult *result)
{
    ServerError error;
    error.sqlstate = field(result, PG_DIAG_SQLSTATE);
    error.severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    error.message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    error.detail = field(result, PG_DIAG_MESSAGE_DETAIL);
    error.hint = field(result, PG_DIAG_MESSAGE_HINT);
    error.schema = field(result, PG_DIAG_SCHEMA_NAME);
    error.table = field(result, PG_DIAG_TABLE_NAME);
    error.column = field(result, PG_DIAG_COLUMN_NAME);
    error.data_type = field(result, PG_DIAG_DATATYPE_NAME);
    error.constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
    if (error.sqlstate.empty()) { // libpq's own: the connection is gone
        error.sqlstate = "(no SQLSTATE)";
        error.message = PQresultErrorMessage(result);
    }
    return error;
}

const char *status_name(PGTransactionStatusType status)
{
    switch (status) {
    case PQTRANS_IDLE:
        return "idle";
    case PQTRANS_INTRANS:
        return "in transaction";
    case PQTRANS_INERROR:
        return "failed transaction";
    case PQTRANS_ACTIVE:
        return "active";
    case PQTRANS_UNKNOWN:
        break;
    }
    return "connection lost";
}

} // namespace

Session::Session(Server &server)
    : server_(server), connection_(connect(server.conninfo(), server.label()))
{
}

bool Session::is_idle() const
{
    return PQtransactionStatus(connection_.get()) == PQTRANS_IDLE;
}
bool Session::is_failed() const
{
    return PQtransactionStatus(connection_.get()) == PQTRANS_INERROR;
}

void Session::make_idle()
{
    if (PQstatus(connection_.get()) == CONNECTION_OK && !is_idle()) {
        simple("ROLLBACK");
    }
    if (PQstatus(connection_.get()) != CONNECTION_OK || !is_idle()) {
        connection_ = connect(server_.conninfo(), server_.label());
    }
}

bool Session::wait_readable(int seconds)
{
    pollfd descriptor = {PQsocket(connection_.get()), POLLIN, 0};
    int ready;
    do {
        ready = poll(&descriptor, 1, seconds * 1000);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

// PQgetResult with a bound, so that a server that hangs is a finding and not the end of the run.
Result Session::next_result()
{
    while (PQisBusy(connection_.get())) {
        if (!wait_readable(answer_seconds)) {
            char ignored[256];
            PGcancel *cancel = PQgetCancel(connection_.get());
            PQcancel(cancel, ignored, sizeof ignored);
            PQfreeCancel(cancel);
            if (!wait_readable(cancel_seconds)) {
                connection_ = connect(server_.conninfo(), server_.label());
                throw ServerFailure("no answer within " + std::to_string(answer_seconds) +
                                    " seconds, and none to a cancel request");
            }
        }
        if (!PQconsumeInput(connection_.get())) {
            break;
        }
    }
    return Result(PQgetResult(connection_.get()));
}

void Session::describe_columns(Outcome &outcome, const PGresult *result)
{
    outcome.columns.clear();
    for (int i = 0; i < PQnfields(result); i++) {
        outcome.columns.push_back(
            {PQfname(result, i), server_.type(PQftype(result, i)).name, PQfmod(result, i)});
    }
}

void Session::add_rows(Outcome &outcome, const PGresult *result)
{
    describe_columns(outcome, result);
    for (int row = 0; row < PQntuples(result); row++) {
        Row values;
        for (int i = 0; i < PQnfields(result); i++) {
            if (PQgetisnull(result, row, i)) {
                values.emplace_back();
                continue;
            }
            std::string value(PQgetvalue(result, row, i),
                              static_cast<size_t>(PQgetlength(result, row, i)));
            if (PQfformat(result, i) == 1) {
                value = without_oids(server_, PQftype(result, i), value);
            }
            values.emplace_back(std::move(value));
        }
        outcome.rows.push_back(std::move(values));
    }
}

void Session::read_copy_out(Outcome &outcome)
{
    char *buffer = nullptr;
    int length;
    while ((length = PQgetCopyData(connection_.get(), &buffer, 0)) > 0) {
        outcome.rows.push_back({std::string(buffer, static_cast<size_t>(length))});
        PQfreemem(buffer);
    }
}

Outcome Session::collect(const std::optional<std::string> &copy_data, bool binary)
{
    Outcome outcome;
    outcome.binary = binary;
    while (Result result = next_result()) {
        switch (PQresultStatus(result.get())) {
        case PGRES_TUPLES_OK:
            add_rows(outcome, result.get());
            outcome.tag = PQcmdStatus(result.get());
            break;
        case PGRES_COMMAND_OK:
        case PGRES_EMPTY_QUERY:
            outcome.tag = PQcmdStatus(result.get());
            break;
        case PGRES_COPY_OUT:
            read_copy_out(outcome);
            break;
        case PGRES_COPY_IN:
            if (copy_data) {
                PQputCopyData(connection_.get(), copy_data->data(),
                              static_cast<int>(copy_data->size()));
            }
            PQputCopyEnd(connection_.get(), copy_data ? nullptr : "no data in the file");
            break;
        default:
            outcome.error = read_error(result.get());
            break;
        }
        if (PQstatus(connection_.get()) != CONNECTION_OK) {
            break;
        }
    }
    finish(outcome);
    return outcome;
}

void Session::finish(Outcome &outcome) const
{
    outcome.transaction_status = status_name(PQtransactionStatus(connection_.get()));
}

Outcome Session::lost(const std::string &message)
{
    Outcome outcome;
    outcome.error = ServerError();
    outcome.error->sqlstate = "(no answer)";
    outcome.error->message = message;
    finish(outcome);
    return outcome;
}

Outcome Session::simple(const std::string &sql, const std::optional<std::string> &copy_data)
{
    if (!PQsendQuery(connection_.get(), sql.c_str())) {
        return lost(PQerrorMessage(connection_.get()));
    }
    try {
        return collect(copy_data, false);
    } catch (const ServerFailure &failure) {
        return lost(failure.what());
    }
}

Session::Bound Session::bind(const Statement &statement, bool binary,
                             const std::vector<Oid> &inferred)
{
    Bound bound;
    for (size_t i = 0; i < statement.parameters.size(); i++) {
        const Parameter &parameter = statement.parameters[i];
        std::string type = parameter.type;
        bound.types.push_back(type.empty() ? 0 : server_.type_oid(type));
        if (type.empty() && i < inferred.size()) {
            type = server_.type(inferred[i]).name;
        }
        // Text stays where the type is unknown, or does not accept the value: the server's error
        // is what is to be seen then.
        std::optional<std::string> encoded;
        if (binary && !type.empty() && parameter.value) {
            encoded = server_.encode(*parameter.value, type);
        }
        bound.formats.push_back(encoded.has_value());
        bound.storage.push_back(encoded ? std::move(encoded) : parameter.value);
    }
    for (const auto &value : bound.storage) {
        bound.values.push_back(value ? value->data() : nullptr);
        bound.lengths.push_back(value ? static_cast<int>(value->size()) : 0);
    }
    return bound;
}

Outcome Session::extended(const Statement &statement, bool binary)
{
    try {
        Bound bound = bind(statement, binary, {});
        if (!PQsendQueryParams(connection_.get(), statement.sql.c_str(),
                               static_cast<int>(bound.values.size()), bound.types.data(),
                               bound.values.data(), bound.lengths.data(), bound.formats.data(),
                               binary)) {
            return lost(PQerrorMessage(connection_.get()));
        }
        return collect(statement.copy_data, binary);
    } catch (const ServerFailure &failure) {
        return lost(failure.what());
    }
}

Outcome Session::prepare(const std::string &name, const Statement &statement)
{
    try {
        Bound bound = bind(statement, false, {});
        prepared_types_.clear();
        if (!PQsendPrepare(connection_.get(), name.c_str(), statement.sql.c_str(),
                           static_cast<int>(bound.types.size()), bound.types.data())) {
            return lost(PQerrorMessage(connection_.get()));
        }
        Outcome outcome = collect({}, false);
        if (outcome.error) {
            return outcome;
        }
        if (!PQsendDescribePrepared(connection_.get(), name.c_str())) {
            return lost(PQerrorMessage(connection_.get()));
        }
        while (Result result = next_result()) {
            if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
                outcome.error = read_error(result.get());
                continue;
            }
            for (int i = 0; i < PQnparams(result.get()); i++) {
                prepared_types_.push_back(PQparamtype(result.get(), i));
                outcome.parameter_types.push_back(server_.type(prepared_types_.back()).name);
            }
            describe_columns(outcome, result.get());
        }
        finish(outcome);
        return outcome;
    } catch (const ServerFailure &failure) {
        return lost(failure.what());
    }
}

Outcome Session::execute_prepared(const std::string &name, const Statement &statement, bool binary)
{
    try {
        Bound bound = bind(statement, binary, prepared_types_);
        if (!PQsendQueryPrepared(connection_.get(), name.c_str(),
                                 static_cast<int>(bound.values.size()), bound.values.data(),
                                 bound.lengths.data(), bound.formats.data(), binary)) {
            return lost(PQerrorMessage(connection_.get()));
        }
        return collect(statement.copy_data, binary);
    } catch (const ServerFailure &failure) {
        return lost(failure.what());
    }
}

} // namespace shardwise::diff
