#include "pg/pg.hpp"

#include "catalog/moves.hpp"
#include "ddl/check_shard.hpp"
#include "ddl/schema_drift.hpp"
#include "ddl/spi.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "foreign/foreign.h"
}

namespace shardwise
{

// Facts of a database, asked of the router and of the shard alike; the order of struct Facts.
// pg_postmaster_start_time() with the database's oid tells whether two connections reach the same
// database, without the privileges that pg_control_system() may need.
static const char *const facts_sql = R"(
SELECT current_setting('server_version_num'), current_setting('server_version'),
    pg_is_in_recovery()::text,
    extract(epoch FROM pg_postmaster_start_time())::text || '/' || d.oid,
    pg_encoding_to_char(d.encoding),
    CASE d.datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' ELSE d.datlocprovider::text END
        || ' ' || coalesce(to_jsonb(d)->>'daticulocale', to_jsonb(d)->>'datlocale', d.datcollate)
        || ' ' || d.datctype,
    coalesce(pg_database_collation_actual_version(d.oid), ''),
    current_setting('integer_datetimes'), current_setting('TimeZone'),
    (SELECT source FROM pg_settings WHERE name = 'TimeZone'),
    current_setting('max_prepared_transactions'), current_setting('wal_level'),
    current_setting('max_connections'), current_user::text,
    has_database_privilege(d.oid, 'CREATE')::text,
    coalesce(has_schema_privilege(to_regnamespace('public'), 'CREATE'), false)::text,
    r.rolsuper::text
FROM pg_catalog.pg_database d, pg_catalog.pg_roles r
WHERE d.datname = current_database() AND r.rolname = current_user)";

struct Facts {
    char *version_number, *version, *in_recovery, *identity, *encoding, *collation,
        *collation_version, *integer_datetimes, *time_zone, *time_zone_source,
        *max_prepared_transactions, *wal_level, *max_connections, *user, *can_create,
        *can_use_public, *is_superuser;
};

constexpr int fact_count = sizeof(Facts) / sizeof(char *);

// Collations, other than the database's own, by which distributed tables sort, and their versions.
static const char *const router_collations_sql = R"(
SELECT DISTINCT quote_ident(n.nspname) || '.' || quote_ident(c.collname),
    coalesce(pg_collation_actual_version(c.oid), '')
FROM shardwise.distribution d
JOIN pg_attribute a ON a.attrelid = d.relation AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_collation c ON c.oid = a.attcollation AND c.collprovider <> 'd'
JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE c.collname NOT IN ('C', 'POSIX')
ORDER BY 1)";

static List *add_check(List *checks, const char *name, bool required, bool ok, char *detail)
{
    ShardCheck *check = static_cast<ShardCheck *>(palloc(sizeof(ShardCheck)));
    *check = {name, ok, required, detail};
    return lappend(checks, check);
}

static bool is_true(const char *value)
{
    return strcmp(value, "true") == 0;
}

static Facts router_facts()
{
    Facts facts = {};
    SqlRows rows = query_router(facts_sql);
    memcpy(&facts, rows.values[0], sizeof(facts));
    return facts;
}

static bool shard_facts(Session *session, Facts *facts, char **error)
{
    SessionResult set = run_in_session(session, "SET search_path = pg_catalog");
    SessionResult result = set.ok ? run_in_session(session, facts_sql) : set;
    if (!result.ok || result.values == nullptr || result.ncolumns != fact_count) {
        *error = result.error ? result.error : pstrdup("the server gave no answer");
        return false;
    }
    for (int i = 0; i < fact_count; i++)
        if (result.values[i] == nullptr)
            result.values[i] = pstrdup("");
    memcpy(facts, result.values, sizeof(*facts));
    return true;
}

static List *check_version(List *checks, const Facts &router, const Facts &shard)
{
    int router_major = atoi(router.version_number) / 10000;
    int shard_major = atoi(shard.version_number) / 10000;
    char *detail = psprintf("PostgreSQL %s.", shard.version);
    if (shard_major < 15)
        detail = psprintf("PostgreSQL %s; a shard needs version 15 or later. Upgrade the server.",
                          shard.version);
    else if (shard_major != router_major)
        detail = psprintf("PostgreSQL %s, the router has %s: syntax and functions that only one of "
                          "them knows will fail. Prefer equal major versions.",
                          shard.version, router.version);
    return add_check(checks, "version", true, shard_major >= 15, detail);
}

static List *check_equal(List *checks, const char *name, const char *router, const char *shard,
                         const char *advice)
{
    bool ok = strcmp(router, shard) == 0;
    char *detail =
        ok ? psprintf("%s.", shard[0] ? shard : "none")
           : psprintf("The shard has \"%s\", the router \"%s\". %s", shard, router, advice);
    return add_check(checks, name, true, ok, detail);
}

// Sorted streams of several shards are merged by the router's rules: other rules on a shard mean
// wrong answers.
static List *check_used_collations(List *checks, Session *session)
{
    SqlRows rows = query_router(router_collations_sql);
    StringInfoData problems;
    initStringInfo(&problems);
    for (int i = 0; i < rows.count; i++) {
        const char *name = rows.values[i][0];
        SessionResult result = run_in_session(
            session,
            psprintf("SELECT coalesce(pg_collation_actual_version(to_regcollation(%s)), ''),"
                     " to_regcollation(%s) IS NOT NULL",
                     quote_literal_cstr(name), quote_literal_cstr(name)));
        // A collation that the shard does not have yet is created with the tables that use it.
        if (!result.ok || result.values == nullptr || strcmp(result.values[1], "f") == 0)
            continue;
        if (strcmp(result.values[0], rows.values[i][1]) != 0)
            appendStringInfo(&problems, "Collation %s is version \"%s\", on the router \"%s\". ",
                             name, result.values[0], rows.values[i][1]);
    }
    bool ok = problems.len == 0;
    if (ok)
        appendStringInfoString(&problems, "Collations of distributed tables agree.");
    else
        appendStringInfoString(&problems, "Use the same C library and ICU on all servers.");
    return add_check(checks, "table_collations", true, ok, problems.data);
}

// What has changed with an upgrade of the shard's C library or ICU: PostgreSQL warns whoever
// connects, but those who use the router do not see it.
static List *check_recorded_collations(List *checks, Session *session)
{
    SessionResult result = run_in_session(
        session,
        "SELECT string_agg(name, ', ' ORDER BY name) FROM (SELECT 'the database''s own' AS name "
        "FROM pg_database WHERE datname = current_database() AND "
        "datcollversion <> pg_database_collation_actual_version(oid) "
        "UNION ALL SELECT quote_ident(nspname) || '.' || quote_ident(collname) "
        "FROM pg_collation c JOIN pg_namespace n ON n.oid = collnamespace "
        "WHERE collversion <> pg_collation_actual_version(c.oid) AND EXISTS (SELECT FROM "
        "pg_attribute WHERE attcollation = c.oid AND attnum > 0 AND NOT attisdropped)) changed");
    const char *names = result.ok && result.values != nullptr ? result.values[0] : nullptr;
    return add_check(
        checks, "index_collations", false, result.ok && names == nullptr,
        names != nullptr
            ? psprintf(
                  "Collations that sort differently since indexes were built: %s. Run REINDEX "
                  "there, then ALTER DATABASE ... REFRESH COLLATION VERSION or ALTER COLLATION "
                  "... REFRESH VERSION.",
                  names)
        : result.ok ? pstrdup("No collation has changed since indexes were built.")
                    : result.error);
}

static List *check_time_zone(List *checks, const Facts &router, const Facts &shard)
{
    // A value that the client or a role setting brought says nothing about the servers.
    bool comparable = strcmp(router.time_zone_source, "configuration file") == 0 ||
                      strcmp(router.time_zone_source, "default") == 0 ||
                      strcmp(router.time_zone_source, "command line") == 0;
    bool ok = !comparable || strcmp(router.time_zone, shard.time_zone) == 0;
    char *detail = ok ? psprintf("%s.", shard.time_zone)
                      : psprintf("The shard has \"%s\", the router \"%s\". Statements through the "
                                 "router use its time zone; set timezone alike for everyone else.",
                                 shard.time_zone, router.time_zone);
    return add_check(checks, "time_zone", false, ok, detail);
}

static List *check_privileges(List *checks, const Facts &shard)
{
    bool ok = is_true(shard.can_create);
    checks = add_check(
        checks, "privileges", true, ok,
        ok ? psprintf("Role \"%s\" may create schemas.", shard.user)
           : psprintf("Role \"%s\" may not create schemas. Run on the shard: GRANT CREATE ON "
                      "DATABASE ... TO %s.",
                      shard.user, quote_identifier(shard.user)));
    ok = is_true(shard.can_use_public);
    checks =
        add_check(checks, "public_schema", false, ok,
                  ok ? psprintf("Role \"%s\" may create tables in schema public.", shard.user)
                     : psprintf("Role \"%s\" may not create tables in schema public. Run on the "
                                "shard: GRANT CREATE ON SCHEMA public TO %s.",
                                shard.user, quote_identifier(shard.user)));
    ok = is_true(shard.is_superuser);
    return add_check(
        checks, "replication", false, ok,
        ok ? psprintf("Role \"%s\" may create subscriptions.", shard.user)
           : psprintf("Moving rows to or from this shard needs a superuser there, as role \"%s\" "
                      "is not, to create subscriptions. Give the router's superuser a user "
                      "mapping to one before you start a plan.",
                      shard.user));
}

static List *check_settings(List *checks, const Facts &router, const Facts &shard)
{
    int prepared = atoi(shard.max_prepared_transactions);
    int wanted = atoi(router.max_connections);
    char *detail = psprintf("%d.", prepared);
    if (prepared == 0)
        detail = psprintf("0: transactions over several shards will fail. Set "
                          "max_prepared_transactions to %d or more and restart the shard.",
                          wanted);
    else if (prepared < wanted)
        detail = psprintf("%d; recommended is the router's max_connections, %d.", prepared, wanted);
    checks = add_check(checks, "max_prepared_transactions", false, prepared > 0, detail);

    bool ok = strcmp(shard.wal_level, "logical") == 0;
    checks =
        add_check(checks, "wal_level", false, ok,
                  ok ? pstrdup("logical.")
                     : psprintf("%s: rows cannot be moved while they are in use. Set wal_level "
                                "to logical and restart the shard.",
                                shard.wal_level));

    int connections = atoi(shard.max_connections);
    ok = connections >= wanted;
    return add_check(
        checks, "max_connections", false, ok,
        ok ? psprintf("%d.", connections)
           : psprintf("%d: the router's %d connections may each need one. Raise it, or "
                      "lower the router's.",
                      connections, wanted));
}

// The settings that texts of definitions depend on; those of use_canonical_settings().
static const char *const definition_settings_sql =
    "SET search_path = pg_catalog; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; "
    "SET IntervalStyle = postgres; SET extra_float_digits = 3; SET bytea_output = hex; "
    "SET lc_monetary = 'C'; SET quote_all_identifiers = off";

static void read_from_session(void *session, const char *sql, char **objects, char **definitions)
{
    run_in_session(static_cast<Session *>(session), definition_settings_sql);
    SessionResult result = run_in_session(static_cast<Session *>(session), sql);
    bool read = result.ok && result.values != nullptr;
    *objects = read ? result.values[0] : pstrdup("{}");
    *definitions = read ? result.values[1] : pstrdup("{}");
}

// Of a database that holds this router's tables already: a shard.
static List *check_schema(List *checks, Session *session)
{
    bool has_tables;
    List *differences = find_schema_drift(read_from_session, session, &has_tables);
    if (!has_tables)
        return checks;
    StringInfoData detail;
    initStringInfo(&detail);
    ListCell *cell;
    foreach (cell, differences) {
        const SchemaDifference *difference = static_cast<SchemaDifference *>(lfirst(cell));
        if (foreach_current_index(cell) == 5)
            break;
        appendStringInfo(&detail, "%s: %s. ", difference->object, difference->kind);
    }
    if (differences == NIL)
        appendStringInfoString(&detail, "Its tables are like the router's.");
    else
        appendStringInfo(
            &detail, "%d differences in all; SELECT * FROM shardwise.check_schema() shows them.",
            list_length(differences));
    return add_check(checks, "schema", false, differences == NIL, detail.data);
}

static List *check_facts(List *checks, Session *session, const Facts &router, const Facts &shard)
{
    bool in_recovery = is_true(shard.in_recovery);
    checks = add_check(checks, "writable", true, !in_recovery,
                       in_recovery ? pstrdup("The server is a standby. Name the primary, or add "
                                             "target_session_attrs=read-write.")
                                   : pstrdup("The server accepts writes."));
    bool same = strcmp(router.identity, shard.identity) == 0;
    checks =
        add_check(checks, "separate_database", true, !same,
                  same ? pstrdup("This is the router's own database. Name another database, or "
                                 "use shardwise.add_local_shard().")
                       : pstrdup("Not the router's own database."));
    checks = check_version(checks, router, shard);
    checks = check_equal(checks, "encoding", router.encoding, shard.encoding,
                         "Create the shard's database with the router's encoding.");
    checks =
        check_equal(checks, "collation", router.collation, shard.collation,
                    "Sorted rows of several shards are merged: create the shard's database "
                    "from template0 with the router's locale provider, LC_COLLATE and LC_CTYPE.");
    checks =
        check_equal(checks, "collation_version", router.collation_version, shard.collation_version,
                    "The same locale sorts differently there: use the same C library and ICU, "
                    "or databases with LC_COLLATE 'C'.");
    checks = check_used_collations(checks, session);
    checks = check_recorded_collations(checks, session);
    checks = check_equal(checks, "integer_datetimes", router.integer_datetimes,
                         shard.integer_datetimes, "Use a server with integer_datetimes on.");
    checks = check_time_zone(checks, router, shard);
    checks = check_privileges(checks, shard);
    return check_settings(checks, router, shard);
}

// A list of numbers as alternatives of a regular expression.
static char *pipes(char *list)
{
    for (char *at = list; *at != '\0'; at++)
        if (*at == ',')
            *at = '|';
    return list;
}

// Objects of this router's moves belong to moves that are not over.
static List *check_move_objects(List *checks, Session *session)
{
    char *prefix = move_object_prefix();
    SqlRows active = query_router("SELECT coalesce(string_agg(move_id::text, ','), '') "
                                  "FROM shardwise.move WHERE leftovers",
                                  0, nullptr);
    SessionResult result = run_in_session(
        session,
        psprintf("SELECT pg_catalog.string_agg(kind || ' ' || name, ', ') FROM ("
                 "SELECT 'replication slot' AS kind, slot_name AS name FROM "
                 "pg_catalog.pg_replication_slots"
                 " WHERE database = pg_catalog.current_database() "
                 "UNION ALL SELECT 'publication', pubname FROM pg_catalog.pg_publication "
                 "UNION ALL SELECT 'subscription', subname FROM pg_catalog.pg_stat_subscription "
                 "UNION ALL SELECT 'schema', nspname FROM pg_catalog.pg_namespace "
                 "UNION ALL SELECT 'trigger', tgname FROM pg_catalog.pg_trigger) o "
                 "WHERE pg_catalog.starts_with(name::text, '%s') AND NOT "
                 "pg_catalog.substr(name::text, %d) COLLATE \"C\" ~ '^(%s)(_.*)?$'",
                 prefix, static_cast<int>(strlen(prefix)) + 1,
                 active.values[0][0][0] != '\0' ? pipes(active.values[0][0]) : "none"));
    const char *names = result.ok && result.values != nullptr ? result.values[0] : nullptr;
    return add_check(checks, "moves", false, result.ok && names == nullptr,
                     names != nullptr
                         ? psprintf("Left behind by moves that are over: %s. Drop them.", names)
                     : result.ok ? pstrdup("Nothing is left of moves that are over.")
                                 : result.error);
}

List *check_shard(const ConnectionOptions &options)
{
    char *error = nullptr;
    Facts router = router_facts();
    Facts shard = {};
    Session *session = open_session(options, CurrentMemoryContext, &error);
    if (session == nullptr || PQserverVersion(session->conn) < 150000) {
        List *checks = add_check(NIL, "reachable", true, session != nullptr,
                                 session ? pstrdup("The server answers.") : error);
        if (session == nullptr)
            return checks;
        shard.version = pstrdup(PQparameterStatus(session->conn, "server_version"));
        shard.version_number = psprintf("%d", PQserverVersion(session->conn));
        close_session(session);
        return check_version(checks, router, shard);
    }
    bool answered = shard_facts(session, &shard, &error);
    List *checks = add_check(NIL, "reachable", true, answered,
                             answered ? pstrdup("The server answers.") : error);
    if (answered) {
        checks = check_facts(checks, session, router, shard);
        checks = check_schema(checks, session);
        checks = check_move_objects(checks, session);
    }
    close_session(session);
    return checks;
}

void require_checks(const char *shard_name, const List *checks)
{
    StringInfoData failed;
    initStringInfo(&failed);
    ListCell *cell;
    foreach (cell, checks) {
        const ShardCheck *check = static_cast<const ShardCheck *>(lfirst(cell));
        if (!check->ok && check->required)
            appendStringInfo(&failed, "%s%s: %s", failed.len ? "\n" : "", check->name,
                             check->detail);
    }
    if (failed.len > 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("database cannot be shard \"%s\"", shard_name),
                        errdetail_internal("%s", failed.data)));
    foreach (cell, checks) {
        const ShardCheck *check = static_cast<const ShardCheck *>(lfirst(cell));
        if (!check->ok)
            ereport(WARNING, (errcode(ERRCODE_WARNING),
                              errmsg("shard \"%s\": check \"%s\" failed", shard_name, check->name),
                              errdetail_internal("%s", check->detail)));
    }
}

void require_shard_administrator()
{
    Oid wrapper = get_foreign_data_wrapper_oid("shardwise", false);
    AclResult result = pg_foreign_data_wrapper_aclcheck(wrapper, GetUserId(), ACL_USAGE);
    if (result != ACLCHECK_OK)
        aclcheck_error(result, OBJECT_FDW, "shardwise");
}

void require_usable_server(const Shard *shard)
{
    if (!OidIsValid(shard->server))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("shard \"%s\" has no foreign server", NameStr(shard->name)),
                        errhint("Create it again with shardwise.update_shard().")));
    if (!pg_foreign_server_ownercheck(shard->server, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_SERVER, NameStr(shard->name));
}

// Of a connection string, or of a shard by its name.
static ConnectionOptions named_options(const char *conninfo)
{
    const Shard *shard = strlen(conninfo) < NAMEDATALEN ? find_shard_by_name(conninfo) : nullptr;
    if (shard == nullptr)
        return parse_conninfo(conninfo);
    require_usable_server(shard);
    return stored_options(shard->server, GetUserId());
}

// check_shard(conninfo text), or its name -> setof (check_name, ok, detail).
SHARDWISE_FUNCTION(shardwise_check_shard)
{
    require_shard_administrator();
    List *checks = check_shard(named_options(text_to_cstring(PG_GETARG_TEXT_PP(0))));

    InitMaterializedSRF(fcinfo, 0);
    ReturnSetInfo *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    ListCell *cell;
    foreach (cell, checks) {
        const ShardCheck *check = static_cast<const ShardCheck *>(lfirst(cell));
        Datum values[] = {CStringGetTextDatum(check->name), BoolGetDatum(check->ok),
                          CStringGetTextDatum(check->detail)};
        bool nulls[lengthof(values)] = {};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
    PG_RETURN_NULL();
}

} // namespace shardwise
