#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/check_shard.hpp"
#include "ddl/ddl.hpp"
#include "ddl/dependencies.hpp"
#include "ddl/row_transfer.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"
#include "ddl/table_shipment.hpp"
#include "pg/arguments.hpp"
#include "pg/versions.hpp"
#include "remote/session.hpp"

extern "C" {
#include "catalog/dependency.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "libpq/libpq.h"
#include "postmaster/postmaster.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/varlena.h"
}

#include <cmath>

namespace shardwise
{

static RoleSpec *public_role()
{
    RoleSpec *role = makeNode(RoleSpec);
    role->roletype = ROLESPEC_PUBLIC;
    role->location = -1;
    return role;
}

// Every role of the router reaches the shard in the same way: privileges are checked on the
// router's table. A role may still be given a mapping of its own.
static void create_public_mapping(const char *server, const ConnectionOptions *options)
{
    CreateUserMappingStmt *mapping = makeNode(CreateUserMappingStmt);
    mapping->user = public_role();
    mapping->servername = pstrdup(server);
    mapping->options = options->mapping;
    CreateUserMapping(mapping);
    CommandCounterIncrement();
}

// The statements are built as trees, not as text: text could reach logs with its password.
static void create_server(const char *name, const ConnectionOptions *options)
{
    CreateForeignServerStmt *server = makeNode(CreateForeignServerStmt);
    server->servername = pstrdup(name);
    server->fdwname = pstrdup("shardwise");
    server->options = options->server;
    CreateForeignServer(server);
    CommandCounterIncrement();
    create_public_mapping(name, options);
}

static void check_weight(double weight)
{
    if (!(weight > 0) || std::isinf(weight))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("weight must be greater than zero and finite")));
}

static void check_new_name(const char *name)
{
    if (name[0] == '\0' || strlen(name) >= NAMEDATALEN)
        ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
                        errmsg("a shard's name has 1 to %d bytes", NAMEDATALEN - 1)));
    if (find_shard_by_name(name) != nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("shard \"%s\" already exists", name),
                 errhint("Use shardwise.update_shard() to change it.")));
    if (OidIsValid(get_foreign_server_oid(name, true)))
        ereport(ERROR,
                (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("server \"%s\" already exists", name),
                 errhint("Choose another name: shards are foreign servers.")));
}

// Two shards in one database would hold each other's rows.
static void refuse_shared_database(const char *name, const ConnectionOptions *options)
{
    static const char *const identity_sql =
        "SELECT extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text || '/' || oid "
        "FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()";
    char *error = nullptr;
    Session *session = open_session(*options, CurrentMemoryContext, &error);
    if (session == nullptr)
        return; // check_shard() has just reached it; the next step will tell
    SessionResult own = run_in_session(session, identity_sql);
    close_session(session);

    const Shard *const *shards;
    int count = list_shards(&shards);
    for (int i = 0; i < count; i++) {
        if (strcmp(NameStr(shards[i]->name), name) == 0 || !OidIsValid(shards[i]->server))
            continue;
        session = open_session(stored_options(shards[i]->server, GetUserId()), CurrentMemoryContext,
                               &error);
        if (session == nullptr)
            continue;
        SessionResult other = run_in_session(session, identity_sql);
        close_session(session);
        if (own.values && other.values && strcmp(own.values[0], other.values[0]) == 0)
            ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
                            errmsg("database of shard \"%s\" is already shard \"%s\"", name,
                                   NameStr(shards[i]->name)),
                            errhint("Each shard needs a database of its own.")));
    }
}

// Gives a new shard the tables that every shard has: reference tables with their rows, distributed
// tables empty, so that ranges can move there.
static void ship_existing_tables(int32 shard_id)
{
    List *relids = list_distributions();
    List *objects = find_shipped_objects();
    if (relids == NIL && objects == NIL)
        return;
    ListCell *cell;
    foreach (cell, relids) {
        Oid relid = lfirst_oid(cell);
        // Writers of reference tables wait; everyone else goes on.
        LockRelationOid(relid,
                        find_table(relid)->is_reference ? ExclusiveLock : ShareUpdateExclusiveLock);
        table_tree(relid, AccessShareLock);
    }
    List *others = list_delete_int(all_shard_ids(), shard_id);
    List *shards = list_make1_int(shard_id);
    if (others != NIL)
        shards = lappend_int(shards, linitial_int(others));
    Management management = begin_management(shards);
    Shipment shipment = {list_make1(linitial(management.targets)), relids};
    ship_tables(&shipment);
    create_objects_on(shipment.targets, objects); // also those that no table needs now
    foreach (cell, relids)
        if (find_table(lfirst_oid(cell))->is_reference && others != NIL)
            copy_between_shards(lfirst_oid(cell),
                                static_cast<Target *>(lsecond(management.targets)),
                                static_cast<Target *>(linitial(management.targets)));
    finish_tables(&shipment);
    end_management(&management);
}

static void add_checked_shard(const char *name, const ConnectionOptions *options, double weight,
                              bool is_local)
{
    require_checks(name, check_shard(*options));
    refuse_shared_database(name, options);
    create_server(name, options);
    int32 id = insert_shard(name, weight, is_local);
    ship_existing_tables(id);
}

static DefElem *text_option(const char *name, const char *value)
{
    return makeDefElem(pstrdup(name), (Node *)makeString(pstrdup(value)), -1);
}

// How this server reaches itself: its first socket, or its own port on localhost.
static ConnectionOptions loopback_options(const char *database)
{
    const char *host = "localhost";
    char *directories = pstrdup(Unix_socket_directories ? Unix_socket_directories : "");
    List *names;
    if (SplitDirectoriesString(directories, ',', &names) && names != NIL)
        host = static_cast<const char *>(linitial(names));
    ConnectionOptions options = {};
    options.server =
        list_make3(text_option("host", host), text_option("port", psprintf("%d", PostPortNumber)),
                   text_option("dbname", database));
    options.mapping = list_make1(text_option("user", GetUserNameFromId(GetUserId(), false)));
    return options;
}

// Creates a database as its own session would: CREATE DATABASE cannot run inside a transaction. So
// it stays when the surrounding transaction rolls back.
static void create_local_database(const char *database)
{
    Oid dboid = MyDatabaseId;
    // Versions of PostgreSQL differ in the names of columns.
    SqlRows rows = query_router(R"(
SELECT format('TEMPLATE template0 ENCODING %L LOCALE_PROVIDER %s LC_COLLATE %L LC_CTYPE %L%s',
    pg_encoding_to_char(encoding),
    CASE datlocprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END, datcollate, datctype,
    concat(CASE datlocprovider WHEN 'b' THEN ' BUILTIN_LOCALE ' ELSE ' ICU_LOCALE ' END
            || quote_literal(coalesce(j->>'daticulocale', j->>'datlocale')),
        ' ICU_RULES ' || quote_literal(j->>'daticurules')))
FROM pg_database d, to_jsonb(d) j WHERE d.oid = $1)",
                                1, &dboid);
    char *sql = psprintf("CREATE DATABASE %s %s", quote_identifier(database), rows.values[0][0]);
    char *error = nullptr;
    Session *session =
        open_session(loopback_options(get_database_name(dboid)), CurrentMemoryContext, &error);
    if (session == nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
                 errmsg("could not connect to this server itself"), errdetail_internal("%s", error),
                 errhint("Create a database and use shardwise.add_shard().")));
    SessionResult result = run_in_session(session, sql);
    close_session(session);
    if (result.ok)
        return;
    if (result.sqlstate == nullptr || strcmp(result.sqlstate, "42P04") != 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("could not create database \"%s\"", database),
                        errdetail_internal("%s", result.error)));
    ereport(NOTICE, (errmsg("database \"%s\" already exists, using it", database)));
}

// Makes the list by which ALTER replaces all options: the old ones dropped, the new ones added.
static List *replacement(List *old_options, List *new_options)
{
    List *changes = NIL;
    ListCell *cell;
    foreach (cell, old_options) {
        DefElem *option = lfirst_node(DefElem, cell);
        changes = lappend(changes,
                          makeDefElemExtended(nullptr, option->defname, nullptr, DEFELEM_DROP, -1));
    }
    foreach (cell, new_options) {
        DefElem *option = lfirst_node(DefElem, cell);
        changes = lappend(
            changes, makeDefElemExtended(nullptr, option->defname, option->arg, DEFELEM_ADD, -1));
    }
    return changes;
}

static void alter_server(const char *name, Oid server, const ConnectionOptions *options)
{
    AlterForeignServerStmt *alter = makeNode(AlterForeignServerStmt);
    alter->servername = pstrdup(name);
    alter->options = replacement(GetForeignServer(server)->options, options->server);
    AlterForeignServer(alter);

    HeapTuple public_mapping = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid),
                                               ObjectIdGetDatum(server));
    if (HeapTupleIsValid(public_mapping)) {
        ReleaseSysCache(public_mapping);
        AlterUserMappingStmt *mapping = makeNode(AlterUserMappingStmt);
        mapping->user = public_role();
        mapping->servername = pstrdup(name);
        mapping->options =
            replacement(GetUserMapping(InvalidOid, server)->options, options->mapping);
        AlterUserMapping(mapping);
        CommandCounterIncrement();
    } else {
        create_public_mapping(name, options);
    }
}

// The new address must lead to the same data, say to a replica that was promoted.
static void check_same_tables(const char *name, const ConnectionOptions *options)
{
    char *error = nullptr;
    Session *session = open_session(*options, CurrentMemoryContext, &error);
    if (session == nullptr)
        ereport(ERROR, (errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
                        errmsg("could not connect to shard \"%s\"", name),
                        errdetail_internal("%s", error)));
    ListCell *cell;
    foreach (cell, list_distributions()) {
        char *table = qualified_table_name(lfirst_oid(cell));
        SessionResult result =
            run_in_session(session, psprintf("SELECT pg_catalog.to_regclass(%s) IS NOT NULL",
                                             quote_literal_cstr(table)));
        if (!result.ok || result.values == nullptr || strcmp(result.values[0], "t") != 0)
            ereport(ERROR,
                    (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                     errmsg("database is not shard \"%s\"", name),
                     errdetail("Table %s is missing there.", table),
                     errhint("update_shard() changes how a shard is reached. To bring in another "
                             "database, use shardwise.add_shard().")));
    }
    close_session(session);
}

static void require_server_owner(const Shard *shard)
{
    if (OidIsValid(shard->server) && !pg_foreign_server_ownercheck(shard->server, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_SERVER, NameStr(shard->name));
}

// Drops the tables of a shard that holds no rows of distributed tables any more.
static void empty_shard(const Shard *shard)
{
    List *relids = list_distributions();
    char *error = nullptr;
    Session *session =
        open_session(stored_options(shard->server, GetUserId()), CurrentMemoryContext, &error);
    if (session == nullptr) {
        ereport(WARNING, (errmsg("shard \"%s\" does not answer; its tables are left there",
                                 NameStr(shard->name)),
                          errdetail_internal("%s", error)));
        return;
    }
    close_session(session);
    char *name = pstrdup(NameStr(shard->name));
    Management management = begin_management(list_make1_int(shard->id));
    Target *target = static_cast<Target *>(linitial(management.targets));
    ListCell *cell;
    foreach (cell, relids) {
        if (find_table(lfirst_oid(cell))->is_reference)
            continue;
        char *table = qualified_table_name(lfirst_oid(cell));
        PGresult *result =
            run_command(target->connection, psprintf("SELECT EXISTS (SELECT FROM %s)", table));
        if (strcmp(PQgetvalue(result, 0, 0), "f") != 0)
            ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                            errmsg("shard \"%s\" holds rows of table %s", name, table),
                            errhint("Look at them there: the shard owns none of their keys.")));
    }
    drop_shipped_tables(management.targets, relids, false);
    end_management(&management);
}

} // namespace shardwise

using namespace shardwise;

// add_shard(name, conninfo, weight).
SHARDWISE_FUNCTION(shardwise_add_shard)
{
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    double weight = PG_GETARG_FLOAT8(2);
    PreventCommandIfReadOnly("add_shard()");
    require_shard_administrator();
    lock_metadata();
    check_new_name(name);
    check_weight(weight);
    ConnectionOptions options = parse_conninfo(text_to_cstring(PG_GETARG_TEXT_PP(1)));
    add_checked_shard(name, &options, weight, false);
    PG_RETURN_VOID();
}

// add_local_shard(name, weight).
SHARDWISE_FUNCTION(shardwise_add_local_shard)
{
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    double weight = PG_GETARG_FLOAT8(1);
    PreventCommandIfReadOnly("add_local_shard()");
    if (!superuser())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("must be superuser to add a local shard"),
                        errhint("Create a database and use shardwise.add_shard().")));
    lock_metadata();
    check_new_name(name);
    check_weight(weight);
    char *database = psprintf("shard_%s", name);
    if (strlen(database) >= NAMEDATALEN)
        ereport(ERROR, (errcode(ERRCODE_NAME_TOO_LONG),
                        errmsg("name of local shard \"%s\" is too long", name)));
    create_local_database(database);
    ConnectionOptions options = loopback_options(database);
    add_checked_shard(name, &options, weight, true);
    PG_RETURN_VOID();
}

// update_shard(name, conninfo, weight): NULL leaves a part as it is.
SHARDWISE_FUNCTION(shardwise_update_shard)
{
    require_argument(fcinfo, 0, "name");
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    PreventCommandIfReadOnly("update_shard()");
    require_shard_administrator();
    lock_metadata();
    const Shard *shard = find_existing_shard(name);
    require_server_owner(shard);
    int32 id = shard->id;
    Oid server = shard->server;
    if (!PG_ARGISNULL(2)) {
        check_weight(PG_GETARG_FLOAT8(2));
        update_shard_weight(id, PG_GETARG_FLOAT8(2));
    }
    if (!PG_ARGISNULL(1)) {
        ConnectionOptions options = parse_conninfo(text_to_cstring(PG_GETARG_TEXT_PP(1)));
        require_checks(name, check_shard(options));
        refuse_shared_database(name, &options);
        check_same_tables(name, &options);
        if (OidIsValid(server))
            alter_server(name, server, &options);
        else
            create_server(name, &options);
        invalidate_shard_maps();
    }
    PG_RETURN_VOID();
}

// remove_shard(name).
SHARDWISE_FUNCTION(shardwise_remove_shard)
{
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    PreventCommandIfReadOnly("remove_shard()");
    require_shard_administrator();
    lock_metadata();
    const Shard *shard = find_existing_shard(name);
    require_server_owner(shard);
    int32 id = shard->id;
    Oid server = shard->server;
    char *duty = describe_shard_duty(id);
    if (duty != nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_IN_USE), errmsg("cannot remove shard \"%s\"", name),
                 errdetail("It owns %s.", duty),
                 errhint("Move its keys to other shards first, or bring the tables home with "
                         "shardwise.undistribute_table().")));
    if (OidIsValid(server) && list_distributions() != NIL)
        empty_shard(shard);
    delete_shard(id);
    if (OidIsValid(server)) {
        ObjectAddress address;
        ObjectAddressSet(address, ForeignServerRelationId, server);
        performDeletion(&address, DROP_CASCADE, PERFORM_DELETION_QUIETLY);
    }
    PG_RETURN_VOID();
}
