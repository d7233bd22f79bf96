#include "pg/pg.hpp"

#include "remote/connection_internal.hpp"
#include "remote/error.hpp"
#include "remote/session.hpp"

extern "C" {
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "libpq/libpq-be-fe-helpers.h"
#include "mb/pg_wchar.h"
#include "utils/wait_event.h"
}

namespace shardwise
{

// Options that say who connects. They go to the user mapping, which only its owner may read.
static bool is_mapping_option(const char *keyword)
{
    static const char *const names[] = {"user",    "password", "passfile",
                                        "sslcert", "sslkey",   "sslpassword"};
    for (const char *name : names)
        if (strcmp(name, keyword) == 0)
            return true;
    return false;
}

// Options that would change what the router relies on.
static bool is_reserved_option(const char *keyword)
{
    return strcmp(keyword, "client_encoding") == 0 || strcmp(keyword, "replication") == 0 ||
           strcmp(keyword, "fallback_application_name") == 0;
}

// Without a password of the caller's own, the server's operating system user would connect.
static void require_password(const List *mapping)
{
    const char *password = find_option(mapping, "password");
    if (!superuser() && (password == nullptr || password[0] == '\0'))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("password is required in the connection string"),
                        errdetail("Only a superuser may add a shard that is reached without a "
                                  "password of its own.")));
}

static void raise_invalid_conninfo(char *error)
{
    // Only this message is certain not to quote the string.
    char *detail = nullptr;
    if (error != nullptr && strncmp(error, "invalid connection option", 25) == 0)
        detail = pchomp(error);
    if (error != nullptr)
        PQfreemem(error);
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid connection string"),
             detail ? errdetail_internal("%s", detail) : 0,
             errhint("Write it as libpq reads it, for example \"host=... port=... dbname=...\".")));
}

const char *find_option(const List *options, const char *name)
{
    ListCell *cell;
    foreach (cell, options) {
        DefElem *option = lfirst_node(DefElem, cell);
        if (strcmp(option->defname, name) == 0)
            return defGetString(option);
    }
    return nullptr;
}

// Applies the rules of CREATE SERVER and CREATE USER MAPPING before a connection is tried.
static void validate(Oid catalog, List *options)
{
    Oid validator = GetForeignDataWrapperByName("shardwise", false)->fdwvalidator;
    transformGenericOptions(catalog, PointerGetDatum(nullptr), options, validator);
}

ConnectionOptions parse_conninfo(const char *conninfo)
{
    char *error = nullptr;
    PQconninfoOption *parsed = PQconninfoParse(conninfo, &error);
    if (parsed == nullptr)
        raise_invalid_conninfo(error);

    ConnectionOptions options = {NIL, NIL, !superuser()};
    const char *reserved = nullptr;
    for (PQconninfoOption *option = parsed; option->keyword != nullptr; option++) {
        if (option->val == nullptr)
            continue;
        if (is_reserved_option(option->keyword)) {
            reserved = pstrdup(option->keyword);
            continue;
        }
        DefElem *elem =
            makeDefElem(pstrdup(option->keyword), (Node *)makeString(pstrdup(option->val)), -1);
        List **target = is_mapping_option(option->keyword) ? &options.mapping : &options.server;
        *target = lappend(*target, elem);
    }
    PQconninfoFree(parsed);

    if (reserved != nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("connection option \"%s\" is set by the router", reserved)));
    require_password(options.mapping);
    validate(ForeignServerRelationId, options.server);
    validate(UserMappingRelationId, options.mapping);
    return options;
}

ConnectionOptions stored_options(Oid server, Oid role)
{
    UserMapping *mapping = GetUserMapping(role, server);
    return {GetForeignServer(server)->options, mapping->options,
            mapping_requires_password(mapping)};
}

static void end_session(void *arg)
{
    Session *session = static_cast<Session *>(arg);
    if (session->conn == nullptr)
        return;
    if (PQtransactionStatus(session->conn) == PQTRANS_ACTIVE)
        (void)request_cancel(session->conn);
    libpqsrv_disconnect(session->conn);
    session->conn = nullptr;
}

void close_session(Session *session)
{
    end_session(session);
}

// Waits until the session is there or has failed; nullptr, or what libpq does not say.
static const char *finish_connecting(PGconn *conn, TimestampTz deadline)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (PQstatus(conn) != CONNECTION_BAD && status != PGRES_POLLING_OK &&
           status != PGRES_POLLING_FAILED) {
        long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
        if (deadline != 0 && left == 0)
            return "timeout expired";
        int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (deadline != 0 ? WL_TIMEOUT : 0) |
                     (status == PGRES_POLLING_READING ? WL_SOCKET_READABLE : WL_SOCKET_CONNECTED);
        int happened = WaitLatchOrSocket(MyLatch, events, PQsocket(conn), left, PG_WAIT_EXTENSION);
        if (happened & WL_LATCH_SET) {
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        }
        if (happened & WL_SOCKET_MASK)
            status = PQconnectPoll(conn);
    }
    return nullptr;
}

Session *open_session(const ConnectionOptions &options, MemoryContext context, char **error,
                      bool replication)
{
    int capacity = list_length(options.server) + list_length(options.mapping) + 4 +
                   static_cast<int>(lengthof(connection_defaults));
    const char **keywords = static_cast<const char **>(palloc0(capacity * sizeof(char *)));
    const char **values = static_cast<const char **>(palloc0(capacity * sizeof(char *)));
    int count = 0;
    for (const auto &option : connection_defaults) {
        keywords[count] = option[0];
        values[count++] = option[1];
    }
    for (const List *list : {options.server, options.mapping}) {
        ListCell *cell;
        foreach (cell, list) {
            DefElem *option = lfirst_node(DefElem, cell);
            if (strcmp(option->defname, "password_required") == 0 ||
                strcmp(option->defname, "pooled") == 0)
                continue;
            keywords[count] = option->defname;
            values[count++] = defGetString(option);
        }
    }
    keywords[count] = "client_encoding";
    values[count++] = GetDatabaseEncodingName();
    keywords[count] = "fallback_application_name";
    values[count++] = "shardwise";
    if (replication) {
        keywords[count] = "replication";
        values[count++] = "database";
    }

    Session *session = static_cast<Session *>(MemoryContextAllocZero(context, sizeof(Session)));
    session->callback.func = end_session;
    session->callback.arg = session;
    MemoryContextRegisterResetCallback(context, &session->callback);

    libpqsrv_connect_prepare();
    session->conn = PQconnectStartParams(keywords, values, false);
    if (session->conn == nullptr)
        ReleaseExternalFD();
    const char *late = finish_connecting(session->conn, connect_deadline(keywords, values));
    if (late != nullptr) {
        *error = pstrdup(late);
    } else if (PQstatus(session->conn) == CONNECTION_OK) {
        if (!options.password_required || PQconnectionUsedPassword(session->conn))
            return session;
        *error = pstrdup("the server did not ask for the password, which only a superuser may use");
    } else
        *error = session->conn ? pchomp(PQerrorMessage(session->conn)) : pstrdup("out of memory");
    end_session(session);
    return nullptr;
}

static void read_error(SessionResult *out, PGconn *conn, const PGresult *result)
{
    out->ok = false;
    out->sqlstate = copy_error_field(result, PG_DIAG_SQLSTATE);
    char *message = copy_error_field(result, PG_DIAG_MESSAGE_PRIMARY);
    char *detail = copy_error_field(result, PG_DIAG_MESSAGE_DETAIL);
    if (message == nullptr)
        message = pchomp(PQerrorMessage(conn));
    out->error = detail ? psprintf("%s (%s)", message, detail) : message;
}

static void read_first_row(SessionResult *out, const PGresult *result)
{
    out->ncolumns = PQnfields(result);
    if (PQntuples(result) == 0 || out->ncolumns == 0)
        return;
    out->values = static_cast<char **>(palloc0(out->ncolumns * sizeof(char *)));
    for (int i = 0; i < out->ncolumns; i++)
        if (!PQgetisnull(result, 0, i))
            out->values[i] = pstrdup(PQgetvalue(result, 0, i));
}

bool start_command(Session *session, const char *sql)
{
    return PQsendQuery(session->conn, sql) && PQsetSingleRowMode(session->conn);
}

PGresult *await_result(Session *session, bool *late)
{
    *late = false;
    while (PQisBusy(session->conn)) {
        if (PQstatus(session->conn) != CONNECTION_OK)
            return nullptr; // it has been said
        int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | WL_SOCKET_READABLE;
        long left = -1;
        if (session->deadline != 0) {
            left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), session->deadline);
            events |= WL_TIMEOUT;
            *late = left <= 0;
            if (*late)
                return nullptr;
        }
        int happened =
            WaitLatchOrSocket(MyLatch, events, PQsocket(session->conn), left, PG_WAIT_EXTENSION);
        if (happened & WL_LATCH_SET) {
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        }
        if ((happened & WL_SOCKET_READABLE) && PQconsumeInput(session->conn) == 0)
            return PQmakeEmptyPGresult(session->conn, PGRES_FATAL_ERROR); // with the reason
    }
    return PQgetResult(session->conn);
}

// Reads results to the end; of many rows and many commands the first row of the last command
// stays. palloc may fail while a PGresult lives: such a leak is bounded by one row.
SessionResult wait_for_command(Session *session)
{
    SessionResult out = {};
    out.ok = true;
    bool in_rows = false;
    bool late = false;
    PGresult *result;
    while ((result = await_result(session, &late)) != nullptr) {
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_SINGLE_TUPLE) {
            if (!in_rows)
                read_first_row(&out, result);
            in_rows = true;
        } else if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
                   status == PGRES_EMPTY_QUERY) {
            if (!in_rows) {
                out.ncolumns = 0;
                out.values = nullptr;
                read_first_row(&out, result);
            }
            out.tag = pstrdup(PQcmdStatus(result));
            in_rows = false;
        } else if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
                   status == PGRES_COPY_BOTH) {
            PQclear(result);
            end_session(session);
            out.ok = false;
            out.error = pstrdup("COPY to or from the client is not possible here");
            return out;
        } else
            read_error(&out, session->conn, result);
        PQclear(result);
    }
    if (late) {
        end_session(session);
        out.ok = false;
        out.error = pstrdup("the server did not answer in time");
    }
    return out;
}

SessionResult run_in_session(Session *session, const char *sql)
{
    if (session->conn != nullptr && start_command(session, sql))
        return wait_for_command(session);
    SessionResult out = {};
    out.error = session->conn ? pchomp(PQerrorMessage(session->conn)) : pstrdup("connection lost");
    return out;
}

} // namespace shardwise
