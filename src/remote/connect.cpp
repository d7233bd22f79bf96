// Opening and closing a session on a shard.
#include "pg/versions.hpp"
#include "remote/connection_internal.hpp"

#include <poll.h>

extern "C" {
#include "commands/defrem.h"
#include "common/hashfn.h"
#include "libpq/libpq-be-fe-helpers.h"
#include "mb/pg_wchar.h"
}

namespace shardwise
{

// libpq's arrays of keywords and values, ended by nullptr.
struct Keywords {
    const char **names;
    const char **values;
    int count;
};

static void add_keyword(Keywords *keywords, const char *name, const char *value)
{
    keywords->names[keywords->count] = name;
    keywords->values[keywords->count] = value;
    keywords->count++;
}

// Server options first: libpq takes the last value of a keyword, so the mapping decides who
// connects.
static Keywords connection_keywords(const ForeignServer *server, const UserMapping *mapping)
{
    int capacity = list_length(server->options) + list_length(mapping->options) + 3 +
                   static_cast<int>(lengthof(connection_defaults));
    Keywords keywords;
    keywords.names = static_cast<const char **>(palloc0(capacity * sizeof(char *)));
    keywords.values = static_cast<const char **>(palloc0(capacity * sizeof(char *)));
    keywords.count = 0;

    add_keyword(&keywords, "fallback_application_name", "shardwise");
    for (const auto &option : connection_defaults)
        add_keyword(&keywords, option[0], option[1]);
    ListCell *cell;
    foreach (cell, server->options) {
        DefElem *option = lfirst_node(DefElem, cell);
        if (is_server_option(option->defname))
            add_keyword(&keywords, option->defname, defGetString(option));
    }
    foreach (cell, mapping->options) {
        DefElem *option = lfirst_node(DefElem, cell);
        if (is_mapping_option_of_libpq(option->defname))
            add_keyword(&keywords, option->defname, defGetString(option));
    }
    add_keyword(&keywords, "client_encoding", GetDatabaseEncodingName());
    return keywords;
}

static const char *keyword_value(const char *const *names, const char *const *values,
                                 const char *name)
{
    const char *value = nullptr;
    for (int i = 0; names[i] != nullptr; i++)
        if (strcmp(names[i], name) == 0)
            value = values[i];
    return value;
}

TimestampTz connect_deadline(const char *const *names, const char *const *values)
{
    const char *timeout = keyword_value(names, values, "connect_timeout");
    int seconds = timeout != nullptr ? atoi(timeout) : 0;
    if (seconds <= 0)
        return 0;

    int hosts = 1;
    const char *list = keyword_value(names, values, "hostaddr");
    if (list == nullptr)
        list = keyword_value(names, values, "host");
    for (; list != nullptr && *list != '\0'; list++)
        hosts += *list == ',';
    return seconds_from_now(static_cast<double>(std::max(seconds, 2)) * hosts);
}

static void raise_unreachable(Connection *c, const char *detail)
{
    count_shard_error(&c->meter);
    ereport(ERROR, (errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
                    errmsg("could not connect to shard \"%s\"", NameStr(c->shard_name)),
                    errdetail_internal("%s", detail)));
}

// Before connecting: a role that needs a password must have one in its mapping.
static void require_password_option(const UserMapping *mapping)
{
    ListCell *cell;
    foreach (cell, mapping->options) {
        DefElem *option = lfirst_node(DefElem, cell);
        if (strcmp(option->defname, "password") == 0 && defGetString(option)[0] != '\0')
            return;
    }
    ereport(ERROR, (errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
                    errmsg("password is required"),
                    errdetail("Roles that are not superuser must provide a password in the user "
                              "mapping.")));
}

void check_password_rule(const Connection *c, const UserMapping *mapping)
{
    if (c->used_password || !mapping_requires_password(mapping))
        return;
    require_password_option(mapping);
    ereport(ERROR,
            (errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
             errmsg("password is required"),
             errdetail("Roles that are not superuser cannot connect if the server does not "
                       "request a password."),
             errhint("The authentication method of shard \"%s\" must be changed, or a superuser "
                     "must set password_required to false in the user mapping.",
                     NameStr(c->shard_name))));
}

// ---- opening -----------------------------------------------------------------------------------

// A session in the making.
struct Opening {
    Connection *c;
    UserMapping *mapping;
    TimestampTz deadline; // 0: none
    PostgresPollingStatusType status;
    bool given_up;
};

static void start_opening(Opening *opening, Oid role)
{
    Connection *c = opening->c;
    ForeignServer *server = GetForeignServer(c->server);
    opening->mapping = GetUserMapping(role, c->server);
    if (mapping_requires_password(opening->mapping))
        require_password_option(opening->mapping);

    Keywords keywords = connection_keywords(server, opening->mapping);
    namestrcpy(&c->shard_name, server->servername);
    c->context =
        AllocSetContextCreate(TopMemoryContext, "shardwise connection", ALLOCSET_SMALL_SIZES);
    c->invalidated = false;
    c->lost = false;
    c->pooled = server_is_pooled(server);
    c->max_prepared_transactions = -1;
    attach_meter(&c->meter, c->server);

    libpqsrv_connect_prepare();
    c->pg = PQconnectStartParams(keywords.names, keywords.values, false);
    if (c->pg == nullptr) {
        ReleaseExternalFD();
        raise_unreachable(c, "out of memory");
    }
    opening->status =
        PQstatus(c->pg) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    opening->deadline = connect_deadline(keywords.names, keywords.values);
}

// Waits until one of the sessions can go on, and lets it. A set for one wait: the sockets change
// when a host does not answer and libpq tries the next.
static void advance(Opening *openings, int n)
{
    WaitEventSet *set = make_wait_set(CurrentMemoryContext, n + 2);
    AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
    AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
    long timeout = -1;
    NameData *slowest = nullptr;
    for (int i = 0; i < n; i++) {
        Opening *opening = &openings[i];
        if (opening->given_up || opening->status == PGRES_POLLING_OK)
            continue;
        slowest = &opening->c->shard_name;
        int event =
            opening->status == PGRES_POLLING_READING ? WL_SOCKET_READABLE : WL_SOCKET_CONNECTED;
        AddWaitEventToSet(set, event, PQsocket(opening->c->pg), nullptr, opening);
        if (opening->deadline == 0)
            continue;
        long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), opening->deadline);
        timeout = timeout < 0 ? left : std::min(timeout, left);
    }
    WaitEvent events[16];
    int happened = WaitEventSetWait(set, timeout, events, lengthof(events), PG_WAIT_EXTENSION);
    FreeWaitEventSet(set);
    for (int i = 0; i < happened; i++) {
        if (events[i].events & WL_LATCH_SET) {
            ResetLatch(MyLatch);
            continue;
        }
        Opening *opening = static_cast<Opening *>(events[i].user_data);
        opening->status = PQconnectPoll(opening->c->pg);
    }
    if (InterruptPending)
        serve_interrupts_of(slowest);
}

// Why a session cannot come about; nullptr as long as it can.
static const char *find_failure(const Opening *opening)
{
    if (opening->status == PGRES_POLLING_FAILED)
        return pchomp(PQerrorMessage(opening->c->pg));
    bool late = opening->deadline != 0 && GetCurrentTimestamp() >= opening->deadline;
    return opening->status != PGRES_POLLING_OK && late ? "timeout expired" : nullptr;
}

// True if some session is still in the making. One that fails ends the wait for all, unless
// failures may pass.
static bool any_unsettled(Opening *openings, int n, bool failures_pass)
{
    bool unsettled = false;
    for (int i = 0; i < n; i++) {
        Opening *opening = &openings[i];
        if (opening->given_up)
            continue;
        const char *failure = find_failure(opening);
        if (failure != nullptr && !failures_pass)
            raise_unreachable(opening->c, failure);
        if (failure != nullptr) {
            count_shard_error(&opening->c->meter);
            close_connection(opening->c);
            opening->given_up = true;
        } else if (opening->status != PGRES_POLLING_OK) {
            unsettled = true;
        }
    }
    return unsettled;
}

// Tells hosts apart. All ways to this machine are one.
static uint32 hash_of_host(const char *address)
{
    bool is_here = strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
    if (is_here)
        address = ""; // as of a Unix-domain socket
    return hash_bytes((const unsigned char *)address, (int)strlen(address));
}

static void begin_session(const Opening *opening)
{
    Connection *c = opening->c;
    c->host = hash_of_host(PQhostaddr(c->pg));
    c->used_password = PQconnectionUsedPassword(c->pg);
    check_password_rule(c, opening->mapping);
    PQsetnonblocking(c->pg, 1);
    install_notice_receiver(c);
    create_wait_set(c);

    // Now, not with the first statement: defaults for transactions must hold before it begins.
    sync_settings(c);
    if (c->queue != nullptr) // a pooler's session gets them with each transaction
        send_queue_alone(c);
}

void open_connections(Connection **connections, int n, Oid role, bool failures_pass)
{
    Opening *openings = static_cast<Opening *>(palloc0(sizeof(Opening) * n));
    volatile int started = 0;
    for (int i = 0; i < n; i++)
        openings[i].c = connections[i];
    PG_TRY();
    {
        for (int i = 0; i < n; i++) {
            started = i + 1;
            start_opening(&openings[i], role);
        }
        while (any_unsettled(openings, n, failures_pass))
            advance(openings, n);
        for (int i = 0; i < n; i++)
            if (!openings[i].given_up)
                begin_session(&openings[i]);
        for (int i = 0; i < n; i++)
            if (!openings[i].given_up)
                drain_exchange(openings[i].c);
    }
    PG_CATCH();
    {
        for (int i = 0; i < started; i++)
            close_connection(connections[i]);
        PG_RE_THROW();
    }
    PG_END_TRY();
    for (int i = 0; i < n; i++)
        if (!openings[i].given_up)
            count_opened(&connections[i]->meter);
    pfree(openings);
}

void reopen_connection(Connection *c)
{
    Scope scope = c->scope;
    close_connection(c);
    c->scope = Scope::Idle; // its settings are no part of the statement
    open_connections(&c, 1, GetUserId(), false);
    c->scope = scope;
}

// Ends the session and forgets all that was known of it. The Connection itself stays.
void close_connection(Connection *c)
{
    forget_roles(); // whether the next session needs their passwords is decided anew
    detach_query(c);
    PQclear(c->error);
    c->error = nullptr;
    if (c->copy_buffer != nullptr)
        PQfreemem(c->copy_buffer);
    c->copy_buffer = nullptr;
    if (c->wait_set != nullptr)
        FreeWaitEventSet(c->wait_set); // before the socket that it watches
    c->wait_set = nullptr;
    libpqsrv_disconnect(c->pg);
    c->pg = nullptr;
    detach_meter(&c->meter);
    if (c->context != nullptr)
        MemoryContextDelete(c->context);
    c->context = nullptr;

    c->queue = c->queue_tail = nullptr;
    c->notices = c->notices_tail = nullptr;
    c->prepared = nullptr;
    c->prepared_count = 0;
    dlist_init(&c->recent);
    c->stale_names = NIL;
    c->settings = nullptr;
    c->custom_settings = NIL;
    c->told_settings = NIL;
    c->has_unsent_settings = false;
    c->settings_known = c->settings_in_exchange = c->settings_in_transaction = false;
    c->preparing = nullptr;
    c->busy = c->pipelined = c->committing = c->cancel_sent = c->used_password = false;
    c->leading = c->savepoint = 0;
    c->workers_shared = 0;
}

bool connection_went_stale(Connection *c)
{
    struct pollfd fd = {PQsocket(c->pg), POLLIN, 0};
    if (poll(&fd, 1, 0) <= 0)
        return false;
    // A farewell message and the end of the stream may arrive one after the other; anything else
    // that a shard says unasked is a notice or a changed parameter.
    for (int i = 0; i < 2; i++) {
        if (PQconsumeInput(c->pg) == 0)
            return true;
        (void)PQisBusy(c->pg);
    }
    return PQstatus(c->pg) != CONNECTION_OK;
}

} // namespace shardwise
