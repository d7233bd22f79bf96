// Which options a shard's foreign server and user mappings may carry.
#include "remote/connection_internal.hpp"

extern "C" {
#include "access/reloptions.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
}

namespace shardwise
{

enum OptionPlace { place_nowhere = 0, place_server = 1, place_mapping = 2 };

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names != nullptr; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

// Decides where a libpq option belongs. Secrets belong to the user mapping alone: options of a
// server are readable by everyone.
static int place_of(const PQconninfoOption *option)
{
    static const char *const ours[] = {"client_encoding", "fallback_application_name",
                                       "replication", nullptr};
    static const char *const identity[] = {"passfile", "sslcert", "sslkey", nullptr};

    if (strchr(option->dispchar, 'D') != nullptr || is_one_of(option->keyword, ours))
        return place_nowhere;
    if (strcmp(option->keyword, "user") == 0 || strchr(option->dispchar, '*') != nullptr)
        return place_mapping;
    if (is_one_of(option->keyword, identity))
        return place_server | place_mapping;
    return place_server;
}

// The options that this libpq knows; only their names and kinds matter, so that the environment
// from which PQconndefaults() fills values plays no part. Made once per backend.
static const PQconninfoOption *libpq_options()
{
    static PQconninfoOption *options = nullptr;
    if (options == nullptr) {
        options = PQconndefaults();
        if (options == nullptr)
            ereport(ERROR, (errcode(ERRCODE_FDW_OUT_OF_MEMORY), errmsg("out of memory"),
                            errdetail("Could not get libpq's default connection options.")));
    }
    return options;
}

static int place_of_keyword(const char *keyword)
{
    for (const PQconninfoOption *o = libpq_options(); o->keyword != nullptr; o++)
        if (strcmp(o->keyword, keyword) == 0)
            return place_of(o);
    return place_nowhere;
}

bool is_server_option(const char *keyword)
{
    return (place_of_keyword(keyword) & place_server) != 0;
}

bool is_mapping_option_of_libpq(const char *keyword)
{
    return (place_of_keyword(keyword) & place_mapping) != 0;
}

// Options by which a connection reads no file of the router and borrows nobody's identity: all that
// a role without superuser rights may set.
static bool is_harmless(const char *keyword)
{
    static const char *const names[] = {"user",
                                        "password",
                                        "host",
                                        "hostaddr",
                                        "port",
                                        "dbname",
                                        "options",
                                        "application_name",
                                        "connect_timeout",
                                        "keepalives",
                                        "keepalives_idle",
                                        "keepalives_interval",
                                        "keepalives_count",
                                        "tcp_user_timeout",
                                        "channel_binding",
                                        "sslmode",
                                        "sslcompression",
                                        "sslsni",
                                        "ssl_min_protocol_version",
                                        "ssl_max_protocol_version",
                                        "gssencmode",
                                        "requirepeer",
                                        "target_session_attrs",
                                        nullptr};
    return is_one_of(keyword, names);
}

static void raise_unknown_option(const char *name, int place)
{
    StringInfoData known;
    initStringInfo(&known);
    for (const PQconninfoOption *o = libpq_options(); o->keyword != nullptr; o++)
        if ((place_of(o) & place) != 0)
            appendStringInfo(&known, "%s%s", known.len > 0 ? ", " : "", o->keyword);
    if (place == place_mapping)
        appendStringInfoString(&known, ", password_required");
    if (place == place_server)
        appendStringInfoString(&known, ", pooled");
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("invalid option \"%s\"", name),
                    known.len > 0 ? errhint("Valid options in this context are: %s", known.data)
                                  : errhint("There are no valid options in this context.")));
}

static void check_option(const DefElem *option, int place)
{
    const char *name = option->defname;

    if (place == place_mapping && strcmp(name, "password_required") == 0) {
        bool required = defGetBoolean(const_cast<DefElem *>(option));
        if (!required && !superuser())
            ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                            errmsg("password_required=false is superuser-only"),
                            errhint("User mappings with the password_required option set to false "
                                    "may only be created or modified by the superuser.")));
        return;
    }
    if (place == place_server && strcmp(name, "pooled") == 0) {
        (void)defGetBoolean(const_cast<DefElem *>(option));
        return;
    }
    if ((place_of_keyword(name) & place) == 0)
        raise_unknown_option(name, place);
    if (!is_harmless(name) && !superuser())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("permission denied to set connection option \"%s\"", name),
                        errdetail("Only a superuser may let a connection use files or identities "
                                  "of the router's own operating system user.")));
}

// True where a pooler gives each transaction another session: what a session keeps is lost then.
bool server_is_pooled(const ForeignServer *server)
{
    ListCell *cell;
    foreach (cell, server->options) {
        DefElem *option = lfirst_node(DefElem, cell);
        if (strcmp(option->defname, "pooled") == 0)
            return defGetBoolean(option);
    }
    return false;
}

// Decides whether a role needs a password of its own for this mapping. Without one, the router's
// operating system user (peer, trust, a key file) would vouch for whoever asks. A superuser may do
// as the operating system user does anyway. A PUBLIC mapping can be made by the server's owner
// alone; if that is a superuser, nobody else had a say in who connects where. A role's own mapping
// may have been made by that role, so that a superuser must vouch for it by name.
bool mapping_requires_password(const UserMapping *mapping)
{
    if (superuser_arg(mapping->userid))
        return false;

    ListCell *cell;
    foreach (cell, mapping->options) {
        DefElem *option = lfirst_node(DefElem, cell);
        if (strcmp(option->defname, "password_required") == 0)
            return defGetBoolean(option);
    }

    HeapTuple tuple = SearchSysCache1(USERMAPPINGOID, ObjectIdGetDatum(mapping->umid));
    if (!HeapTupleIsValid(tuple))
        return true;
    bool is_public = !OidIsValid(((Form_pg_user_mapping)GETSTRUCT(tuple))->umuser);
    ReleaseSysCache(tuple);
    return !is_public || !superuser_arg(GetForeignServer(mapping->serverid)->owner);
}

} // namespace shardwise

using namespace shardwise;

// Checks the options of CREATE and ALTER of FOREIGN DATA WRAPPER, SERVER and USER MAPPING.
SHARDWISE_FUNCTION(shardwise_server_options_validator)
{
    List *options = untransformRelOptions(PG_GETARG_DATUM(0));
    Oid catalog = PG_GETARG_OID(1);
    int place = catalog == ForeignServerRelationId ? place_server
                : catalog == UserMappingRelationId ? place_mapping
                                                   : place_nowhere;
    ListCell *cell;
    foreach (cell, options)
        check_option(lfirst_node(DefElem, cell), place);
    PG_RETURN_VOID();
}
