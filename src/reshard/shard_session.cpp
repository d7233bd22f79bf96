#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "remote/error.hpp"
#include "reshard/shard_session.hpp"

extern "C" {
#include "catalog/pg_authid.h"
#include "commands/defrem.h"
#include "libpq/libpq-be-fe-helpers.h"
#include "utils/wait_event.h"
}

namespace shardwise
{

namespace
{

// Nothing of a shard's configuration may change what moves read, print or wait for.
constexpr const char *settings_sql =
    "SET search_path = pg_catalog; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; "
    "SET IntervalStyle = 'postgres'; SET extra_float_digits = 3; SET bytea_output = 'hex'; "
    "SET row_security = off; SET statement_timeout = 0; SET lock_timeout = 0; "
    "SET idle_in_transaction_session_timeout = 0; SET idle_session_timeout = 0; "
    "SET client_min_messages = warning; SET standard_conforming_strings = on; "
    "SET default_transaction_read_only = off; SET default_transaction_isolation = 'read "
    "committed'; "
    "SET synchronous_commit = on; SET vacuum_cost_delay = 0; SET lc_monetary = 'C'; "
    // A router that vanishes leaves a fence shut, or a snapshot held, until the shard finds out.
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

struct ShardOptions {
    NameData name;
    ConnectionOptions options;
};

ShardOptions options_of(int32 shard_id)
{
    ShardOptions found = {};
    in_transaction([&] {
        const Shard *shard = find_shard(shard_id);
        if (!OidIsValid(shard->server))
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                            errmsg("shard \"%s\" has no foreign server", NameStr(shard->name))));
        found = {shard->name, stored_options(shard->server, BOOTSTRAP_SUPERUSERID)};
    });
    return found;
}

Rows copy_rows(PGresult *result)
{
    Rows rows = {PQntuples(result), PQnfields(result), nullptr, 0};
    rows.affected = strtoul(PQcmdTuples(result), nullptr, 10);
    rows.values =
        (char ***)MemoryContextAllocHuge(CurrentMemoryContext, sizeof(char **) * (rows.count + 1));
    for (int i = 0; i < rows.count; i++) {
        rows.values[i] = (char **)palloc0(sizeof(char *) * (rows.columns + 1));
        for (int j = 0; j < rows.columns; j++)
            if (!PQgetisnull(result, i, j))
                rows.values[i][j] = pstrdup(PQgetvalue(result, i, j));
    }
    return rows;
}

} // namespace

char *vformat_sql(const char *format, va_list arguments)
{
    StringInfoData sql;
    initStringInfo(&sql);
    for (;;) {
        va_list copy;
        va_copy(copy, arguments);
        int needed = appendStringInfoVA(&sql, format, copy);
        va_end(copy);
        if (needed == 0)
            return sql.data;
        enlargeStringInfo(&sql, needed);
    }
}

char *format_sql(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = vformat_sql(format, arguments);
    va_end(arguments);
    return sql;
}

ShardSession *open_shard_session(int32 shard_id, bool replication)
{
    ShardOptions shard = options_of(shard_id);
    ShardSession *s = (ShardSession *)palloc0(sizeof(ShardSession));
    s->shard_name = shard.name;
    char *error = nullptr;
    s->session = open_session(shard.options, CurrentMemoryContext, &error, replication);
    if (s->session == nullptr)
        ereport(ERROR, (errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
                        errmsg("could not connect to shard \"%s\"", NameStr(s->shard_name)),
                        errdetail_internal("%s", error)));
    s->conn = s->session->conn;
    if (!replication)
        (void)run(s, settings_sql);
    return s;
}

void close_shard_session(ShardSession *s)
{
    close_session(s->session);
    s->conn = nullptr;
}

void raise_shard_error(ShardSession *s, PGresult *result)
{
    char *state = copy_error_field(result, PG_DIAG_SQLSTATE);
    char *message = copy_error_field(result, PG_DIAG_MESSAGE_PRIMARY);
    char *detail = copy_error_field(result, PG_DIAG_MESSAGE_DETAIL);
    char *hint = copy_error_field(result, PG_DIAG_MESSAGE_HINT);
    PQclear(result);
    if (message == nullptr)
        message = pchomp(PQerrorMessage(s->conn));
    int code = state != nullptr && strlen(state) == 5
                   ? MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])
                   : ERRCODE_CONNECTION_FAILURE;
    ereport(ERROR, (errcode(code), errmsg_internal("%s", message),
                    detail != nullptr ? errdetail_internal("%s", detail) : 0,
                    hint != nullptr ? errhint("%s", hint) : 0,
                    errcontext("shard \"%s\"", NameStr(s->shard_name))));
}

void send(ShardSession *s, const char *sql)
{
    if (s->conn == nullptr || PQsendQuery(s->conn, sql) == 0)
        raise_shard_error(s, nullptr);
}

Rows receive(ShardSession *s)
{
    PGresult *last = nullptr;
    bool late = false;
    for (;;) {
        PGresult *result = await_result(s->session, &late);
        if (result == nullptr)
            break;
        // The first error stands; what follows it only says that the connection is gone.
        if (last != nullptr && PQresultStatus(last) == PGRES_FATAL_ERROR) {
            PQclear(result);
            continue;
        }
        PQclear(last);
        last = result;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
            break;
    }
    if (late) {
        PQclear(last);
        ereport(ERROR, (errcode(ERRCODE_CONNECTION_FAILURE),
                        errmsg("shard \"%s\" did not answer in time", NameStr(s->shard_name))));
    }
    if (last == nullptr || PQresultStatus(last) == PGRES_FATAL_ERROR ||
        PQresultStatus(last) == PGRES_BAD_RESPONSE)
        raise_shard_error(s, last);
    Rows rows = copy_rows(last);
    PQclear(last);
    return rows;
}

Rows run(ShardSession *s, const char *sql)
{
    send(s, sql);
    return receive(s);
}

Rows runf(ShardSession *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = vformat_sql(format, arguments);
    va_end(arguments);
    return run(s, sql);
}

const char *const log_nothing_sql =
    "SET log_statement = none; SET log_min_error_statement = panic; "
    "SET log_min_duration_statement = -1; SET log_min_duration_sample = -1; "
    "SET log_transaction_sample_rate = 0";

Rows run_unlogged(ShardSession *s, const char *sql)
{
    (void)run(s, log_nothing_sql);
    Rows rows = run(s, sql); // where it fails, the session ends with its task
    (void)run(s, "RESET log_statement; RESET log_min_error_statement; "
                 "RESET log_min_duration_statement; RESET log_min_duration_sample; "
                 "RESET log_transaction_sample_rate");
    return rows;
}

char *run_value(ShardSession *s, const char *sql)
{
    Rows rows = run(s, sql);
    return rows.count > 0 && rows.columns > 0 ? rows.values[0][0] : nullptr;
}

char *run_valuef(ShardSession *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = vformat_sql(format, arguments);
    va_end(arguments);
    return run_value(s, sql);
}

static void append_option(StringInfo out, const char *name, const char *value)
{
    appendStringInfo(out, "%s%s='", out->len > 0 ? " " : "", name);
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\')
            appendStringInfoChar(out, '\\');
        appendStringInfoChar(out, *value);
    }
    appendStringInfoChar(out, '\'');
}

char *shard_conninfo(int32 shard_id, int connect_timeout)
{
    ConnectionOptions options = options_of(shard_id).options;
    StringInfoData conninfo;
    initStringInfo(&conninfo);
    for (const List *list : {options.server, options.mapping}) {
        ListCell *cell;
        foreach (cell, list) {
            DefElem *option = lfirst_node(DefElem, cell);
            if (strcmp(option->defname, "password_required") != 0)
                append_option(&conninfo, option->defname, defGetString(option));
        }
    }
    if (connect_timeout > 0 && find_option(options.server, "connect_timeout") == nullptr)
        append_option(&conninfo, "connect_timeout", psprintf("%d", connect_timeout));
    return conninfo.data;
}

} // namespace shardwise
