// Errors and notices of a shard, passed on whole.
#include "remote/error.hpp"

#include "pg/triggers.hpp"
#include "pg/violation_detail.hpp"
#include "remote/connection_internal.hpp"

namespace shardwise
{

static const char *field(const PGresult *result, int code)
{
    return PQresultErrorField(result, code);
}

char *copy_error_field(const PGresult *result, int code)
{
    const char *value = field(result, code);
    return value != nullptr ? pstrdup(value) : nullptr;
}

int sqlstate_of(const PGresult *result)
{
    const char *code = field(result, PG_DIAG_SQLSTATE);
    if (code == nullptr || strlen(code) != 5)
        return 0;
    return MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4]);
}

bool error_has_sqlstate(const PGresult *result, const char *sqlstate)
{
    const char *code = field(result, PG_DIAG_SQLSTATE);
    return code != nullptr && strcmp(code, sqlstate) == 0;
}

// An error without SQLSTATE is libpq's own: the socket broke, or what came made no sense.
bool error_ends_session(const PGresult *result)
{
    if (field(result, PG_DIAG_SQLSTATE) == nullptr)
        return true;
    const char *severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity != nullptr &&
           (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

void raise_lost(Connection *c, int sqlstate, const char *detail)
{
    drop_notices(c);
    bool unknown = sqlstate == ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN;
    ereport(ERROR, (errcode(sqlstate),
                    unknown ? errmsg("lost connection to shard \"%s\" during commit",
                                     NameStr(c->shard_name))
                            : errmsg("lost connection to shard \"%s\"", NameStr(c->shard_name)),
                    detail != nullptr && detail[0] != '\0' ? errdetail_internal("%s", detail) : 0,
                    unknown ? errhint("The shard may or may not have committed the transaction; "
                                      "check before you repeat it.")
                            : 0));
    pg_unreachable();
}

// All fields of an error, copied: the PGresult must be freed before the ereport leaves.
struct RemoteError {
    int sqlstate;
    char *message, *detail, *hint, *context, *internal_query;
    int internal_position;
    char *schema, *table, *column, *datatype, *constraint;
};

char *copy_message(const PGresult *result)
{
    char *message = copy_error_field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (message == nullptr) { // libpq's own: the first line says what happened
        message = pstrdup(PQresultErrorMessage(result));
        message[strcspn(message, "\n")] = '\0';
    }
    return message;
}

static RemoteError copy_error(const PGresult *result)
{
    RemoteError e = {};
    e.sqlstate = sqlstate_of(result);
    e.message = copy_error_field(result, PG_DIAG_MESSAGE_PRIMARY);
    e.detail = copy_error_field(result, PG_DIAG_MESSAGE_DETAIL);
    e.hint = copy_error_field(result, PG_DIAG_MESSAGE_HINT);
    e.context = copy_error_field(result, PG_DIAG_CONTEXT);
    e.internal_query = copy_error_field(result, PG_DIAG_INTERNAL_QUERY);
    const char *position = field(result, PG_DIAG_INTERNAL_POSITION);
    e.internal_position = position != nullptr ? atoi(position) : 0;
    e.schema = copy_error_field(result, PG_DIAG_SCHEMA_NAME);
    e.table = copy_error_field(result, PG_DIAG_TABLE_NAME);
    e.column = copy_error_field(result, PG_DIAG_COLUMN_NAME);
    e.datatype = copy_error_field(result, PG_DIAG_DATATYPE_NAME);
    e.constraint = copy_error_field(result, PG_DIAG_CONSTRAINT_NAME);
    return e;
}

// The shard has shown what its own user may see of the row, who may see everything.
static char *detail_of(const RemoteError *e)
{
    if (ERRCODE_TO_CATEGORY(e->sqlstate) != ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
        return e->detail;
    return visible_detail({e->sqlstate, e->detail, e->schema, e->table, e->constraint});
}

static int set_name(int code, const char *value)
{
    return value != nullptr ? err_generic_string(code, value) : 0;
}

// A trigger on the shard has found a key that is another shard's (ddl/key_check_triggers.hpp).
static void raise_moved_key(const Connection *c, const RemoteError *e)
{
    const char *marker = e->message != nullptr ? strstr(e->message, key_check_marker) : nullptr;
    if (marker == nullptr || e->sqlstate != ERRCODE_INVALID_TEXT_REPRESENTATION)
        return;
    char *table = pstrdup(marker + strlen(key_check_marker));
    if (char *quote = strrchr(table, '"'))
        *quote = '\0';
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("moving row to another shard during a BEFORE FOR EACH ROW trigger is not "
                    "supported"),
             errdetail("A trigger of table %s has given a row a shard key that shard \"%s\" does "
                       "not own.",
                       table, NameStr(c->shard_name)),
             errhint("Give the row its shard key in the statement."),
             e->context != nullptr ? errcontext("%s", e->context) : 0,
             errcontext("shard \"%s\"", NameStr(c->shard_name))));
}

// The position refers to the text that the shard got, which is not the user's: it is left out.
static void raise_remote_error(Connection *c, const RemoteError *e)
{
    raise_moved_key(c, e);
    bool has_query = e->internal_query != nullptr;
    const char *detail = detail_of(e);
    ereport(ERROR,
            (errcode(e->sqlstate != 0 ? e->sqlstate : ERRCODE_CONNECTION_FAILURE),
             errmsg_internal("%s", e->message != nullptr ? e->message : "no error message"),
             detail != nullptr ? errdetail_internal("%s", detail) : 0,
             e->hint != nullptr ? errhint("%s", e->hint) : 0,
             has_query ? internalerrquery(e->internal_query) : 0,
             has_query ? internalerrposition(e->internal_position) : 0,
             set_name(PG_DIAG_SCHEMA_NAME, e->schema), set_name(PG_DIAG_TABLE_NAME, e->table),
             set_name(PG_DIAG_COLUMN_NAME, e->column), set_name(PG_DIAG_DATATYPE_NAME, e->datatype),
             set_name(PG_DIAG_CONSTRAINT_NAME, e->constraint),
             e->context != nullptr ? errcontext("%s", e->context) : 0,
             errcontext("shard \"%s\"", NameStr(c->shard_name))));
}

// A shard that says that it ends the session has not committed a lone write; where the socket just
// broke, or a COMMIT was under way, nobody knows.
[[noreturn]] static void raise_loss(Connection *c)
{
    bool unknown = c->committing;
    char *detail = nullptr;
    if (c->error != nullptr) {
        detail = copy_message(c->error);
        unknown = unknown || (c->scope == Scope::LoneWrite && sqlstate_of(c->error) == 0);
        PQclear(c->error);
        c->error = nullptr;
    }
    raise_lost(c, unknown ? ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN : ERRCODE_CONNECTION_FAILURE,
               detail);
}

// Takes the error over from libpq. What the shard had to say before it failed comes before the
// failure.
static RemoteError take_error(Connection *c)
{
    emit_notices(c);
    if (c->error == nullptr || c->lost)
        raise_loss(c);

    RemoteError e = copy_error(c->error);
    PQclear(c->error);
    c->error = nullptr;
    return e;
}

void raise_exchange_error(Connection *c, const RemoteStatement *statement)
{
    count_shard_error(&c->meter);
    // The answer to a cancel request that was passed on: the router's own error says why.
    if (c->cancel_sent && c->error != nullptr && error_has_sqlstate(c->error, "57014")) {
        PQclear(c->error);
        c->error = nullptr;
        CHECK_FOR_INTERRUPTS();
        ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED),
                        errmsg("canceling statement due to user request")));
    }

    RemoteError e = take_error(c);
    if (statement != nullptr && statement->translate_error != nullptr && e.message != nullptr)
        statement->translate_error(statement->argument, e.sqlstate, e.message);
    raise_remote_error(c, &e);
    pg_unreachable();
}

char *waiting_error_context(const Connection *c)
{
    return c->error != nullptr ? copy_error_field(c->error, PG_DIAG_CONTEXT) : nullptr;
}

void raise_waiting_error(Connection *c, const char *context)
{
    count_shard_error(&c->meter);
    RemoteError e = take_error(c);
    e.context = const_cast<char *>(context);
    raise_remote_error(c, &e);
    pg_unreachable();
}

static int level_of(const char *severity)
{
    static const struct {
        const char *name;
        int level;
    } levels[] = {{"WARNING", WARNING}, {"NOTICE", NOTICE}, {"INFO", INFO},     {"LOG", LOG},
                  {"DEBUG1", DEBUG1},   {"DEBUG2", DEBUG2}, {"DEBUG3", DEBUG3}, {"DEBUG4", DEBUG4},
                  {"DEBUG5", DEBUG5},   {"DEBUG", DEBUG1}};
    if (severity != nullptr)
        for (const auto &l : levels)
            if (strcmp(l.name, severity) == 0)
                return l.level;
    return NOTICE;
}

// Like copy_error_field(), but returns nullptr where memory is short: this runs inside libpq, out
// of which no longjmp may lead.
static char *try_copy_field(MemoryContext context, const PGresult *result, int code)
{
    const char *value = field(result, code);
    if (value == nullptr)
        return nullptr;
    size_t length = strlen(value) + 1;
    char *copy =
        static_cast<char *>(MemoryContextAllocExtended(context, length, MCXT_ALLOC_NO_OOM));
    if (copy != nullptr)
        memcpy(copy, value, length);
    return copy;
}

static void receive_notice(void *argument, const PGresult *result)
{
    Connection *c = static_cast<Connection *>(argument);
    Notice *notice = static_cast<Notice *>(MemoryContextAllocExtended(
        c->context, sizeof(Notice), MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO));
    if (notice == nullptr)
        return;
    notice->level = level_of(field(result, PG_DIAG_SEVERITY_NONLOCALIZED));
    notice->sqlstate = sqlstate_of(result);
    notice->message = try_copy_field(c->context, result, PG_DIAG_MESSAGE_PRIMARY);
    notice->detail = try_copy_field(c->context, result, PG_DIAG_MESSAGE_DETAIL);
    notice->hint = try_copy_field(c->context, result, PG_DIAG_MESSAGE_HINT);
    notice->context = try_copy_field(c->context, result, PG_DIAG_CONTEXT);
    if (c->notices_tail != nullptr)
        c->notices_tail->next = notice;
    else
        c->notices = notice;
    c->notices_tail = notice;
}

void install_notice_receiver(Connection *c)
{
    PQsetNoticeReceiver(c->pg, receive_notice, c);
}

static void free_notice(Notice *notice)
{
    for (char *text : {notice->message, notice->detail, notice->hint, notice->context})
        if (text != nullptr)
            pfree(text);
    pfree(notice);
}

static Notice *take_notice(Connection *c)
{
    Notice *notice = c->notices;
    c->notices = notice->next;
    if (c->notices == nullptr)
        c->notices_tail = nullptr;
    return notice;
}

void emit_notices(Connection *c)
{
    while (c->notices != nullptr) {
        Notice *notice = take_notice(c);
        if (notice->message != nullptr)
            ereport(notice->level,
                    (errcode(notice->sqlstate), errmsg_internal("%s", notice->message),
                     notice->detail != nullptr ? errdetail_internal("%s", notice->detail) : 0,
                     notice->hint != nullptr ? errhint("%s", notice->hint) : 0,
                     notice->context != nullptr ? errcontext("%s", notice->context) : 0));
        free_notice(notice);
    }
}

void drop_notices(Connection *c)
{
    while (c->notices != nullptr)
        free_notice(take_notice(c));
}

} // namespace shardwise
