// validate_plan(): what the shards say. Where the only honest test is to try, it is tried in a
// transaction that rolls back.
#include "pg/pg.hpp"

#include "catalog/key_set.hpp"
#include "pg/names.hpp"
#include "reshard/plan_validate.hpp"
#include "reshard/shard_session.hpp"

namespace shardwise
{

static char *pretty_size(double bytes)
{
    Datum size = Int64GetDatum(static_cast<int64>(bytes));
    return TextDatumGetCString(DirectFunctionCall1(pg_size_pretty, size));
}

// ---- what each shard says -----------------------------------------------------------------------

static constexpr int min_version = 150000;

// The state of a shard's server as far as moves depend on it, in one row.
static SessionResult read_server(const PlanShard *shard)
{
    return run_in_session(
        shard->session,
        "SELECT current_setting('server_version_num'), pg_is_in_recovery(), "
        "current_setting('wal_level'), "
        "current_setting('max_replication_slots')::int - (SELECT count(*) FROM "
        "pg_replication_slots), "
        "current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication), "
        "current_setting('max_logical_replication_workers')::int - "
        "(SELECT count(*) FROM pg_stat_subscription WHERE pid IS NOT NULL), "
        "rolsuper, rolsuper OR rolreplication, "
        "(SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()), "
        "pg_database_size(current_database()), current_user, "
        "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND backend_xid IS NOT NULL AND xact_start < now() - interval '1 minute') "
        "FROM pg_roles WHERE rolname = current_user");
}

// Moves between the swap and the plan's end are replicated backwards, each by a worker of its
// source and a slot of its target. The one that is under way takes one of either on the other side.
static void check_replication(Validation *validation, const PlanShard *shard, int slots,
                              int workers)
{
    int leaving = 0, arriving = 0;
    ListCell *cell;
    foreach (cell, validation->moves) {
        leaving += static_cast<Move *>(lfirst(cell))->source == shard->id;
        arriving += static_cast<Move *>(lfirst(cell))->target == shard->id;
    }
    auto require = [&](const char *check, int free, int needed, const char *setting) {
        if (free < needed)
            add_finding(
                &validation->findings, "error", check,
                psprintf("Shard \"%s\" has %d free, and the plan's moves need %d. Raise %s.",
                         shard->name, free, needed, setting));
    };
    require("replication_slots", slots, arriving + (leaving > 0), "max_replication_slots");
    require("replication_workers", workers, leaving + (arriving > 0),
            "max_logical_replication_workers");
}

void check_server(Validation *validation, const PlanShard *shard)
{
    SessionResult result = read_server(shard);
    Findings *findings = &validation->findings;
    if (!result.ok || result.values == nullptr)
        return add_finding(
            findings, "error", "settings",
            psprintf("Shard \"%s\": %s", shard->name, result.error ? result.error : "no answer"));
    char **value = result.values;
    auto is_true = [&](int i) { return value[i][0] == 't'; };
    if (atoi(value[0]) < min_version)
        add_finding(findings, "error", "version",
                    psprintf("Shard \"%s\" runs an older version than PostgreSQL 15. Upgrade it.",
                             shard->name));
    if (is_true(1))
        add_finding(
            findings, "error", "recovery",
            psprintf("Shard \"%s\" is a standby. Let its connection string lead to the primary "
                     "(target_session_attrs=read-write).",
                     shard->name));
    if (strcmp(value[2], "logical") != 0)
        add_finding(
            findings, "error", "wal_level",
            psprintf("Shard \"%s\" has wal_level = %s. Set it to logical and restart that server; "
                     "source and target both need it, for the way back.",
                     shard->name, value[2]));
    check_replication(validation, shard, atoi(value[3]), atoi(value[5]));
    if (atoi(value[4]) < 2)
        add_finding(
            findings, "error", "wal_senders",
            psprintf("Shard \"%s\" has fewer than two free WAL senders. Raise max_wal_senders.",
                     shard->name));
    if (!is_true(6))
        add_finding(
            findings, "error", "privileges",
            psprintf("Role \"%s\" of shard \"%s\" is no superuser, which a subscription%s needs. "
                     "Give the router's superuser a user mapping to one.",
                     value[10], shard->name, is_true(7) ? "" : ", and a replication connection,"));
    if (atoi(value[8]) > 0)
        add_finding(
            findings, "warning", "prepared_transactions",
            psprintf("Shard \"%s\" has %s prepared transactions. A move cannot begin before they "
                     "are finished; see view shardwise.in_doubt_transactions.",
                     shard->name, value[8]));
    if (atoi(value[11]) > 0)
        add_finding(
            findings, "warning", "long_transactions",
            psprintf("Shard \"%s\" has %s write transactions older than a minute. A move begins "
                     "when they have ended.",
                     shard->name, value[11]));
    if (shard->is_target)
        add_finding(
            findings, "info", "disk",
            psprintf("Shard \"%s\" will need about %s more; its database has %s now. Free space is "
                     "not visible through SQL: make sure of it.",
                     shard->name, pretty_size(shard->bytes_in),
                     pretty_size(strtod(value[9], nullptr))));
}

// ---- what source and target must agree on -------------------------------------------------------

// Describes each table in one column: its columns by name, and the triggers that would fire for
// replicated rows.
static char *signature_query(const List *tables)
{
    StringInfoData sql;
    initStringInfo(&sql);
    ListCell *cell;
    foreach (cell, tables) {
        const char *name = quote_literal_cstr(qualified_table_name(lfirst_oid(cell)));
        appendStringInfo(
            &sql,
            "%s (SELECT string_agg(format('%%s %%s %%s %%s %%s', attname, "
            "format_type(atttypid, atttypmod), attnotnull, attgenerated, "
            "attcollation::regcollation), "
            "', ' ORDER BY attname) FROM pg_attribute WHERE attrelid = to_regclass(%s) "
            "AND attnum > 0 AND NOT attisdropped), "
            "(SELECT string_agg(tgname, ', ' ORDER BY tgname) FROM pg_trigger "
            "WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal AND tgenabled IN ('A', 'R'))",
            foreach_current_index(cell) > 0 ? "," : "SELECT", name, name);
    }
    return sql.data;
}

void check_schema(Validation *validation, const Route *route, const List *tables)
{
    const char *query = signature_query(tables);
    SessionResult source = run_in_session(route->source->session, query);
    SessionResult target = run_in_session(route->target->session, query);
    if (!source.ok || !target.ok)
        return; // the trials tell why
    ListCell *cell;
    foreach (cell, tables) {
        int column = 2 * foreach_current_index(cell);
        const char *name = qualified_table_name(lfirst_oid(cell));
        bool on_source = source.values[column] != nullptr;
        if (!on_source || target.values[column] == nullptr)
            add_finding(&validation->findings, "error", "schema",
                        psprintf("Table %s is missing on shard \"%s\". Bring it home with "
                                 "undistribute_table(), and distribute it again.",
                                 name, on_source ? route->target->name : route->source->name));
        else if (strcmp(source.values[column], target.values[column]) != 0)
            add_finding(&validation->findings, "error", "schema",
                        psprintf("Table %s has other columns on shard \"%s\" than on shard \"%s\". "
                                 "Make them alike with run_on_shards().",
                                 name, route->target->name, route->source->name));
        if (target.values[column + 1] != nullptr)
            add_finding(
                &validation->findings, "warning", "triggers",
                psprintf("Triggers %s of table %s on shard \"%s\" are enabled for replication and "
                         "will fire for copied changes.",
                         target.values[column + 1], name, route->target->name));
    }
}

static void roll_back(Session *session)
{
    run_in_session(session, "ROLLBACK");
}

static SessionResult try_in_session(Session *session, const char *sql)
{
    SessionResult result = run_in_session(session, "BEGIN");
    if (result.ok)
        result = run_in_session(session, "SET LOCAL lock_timeout = '2s'");
    if (result.ok)
        result = run_in_session(session, sql);
    roll_back(session);
    return result;
}

// Tells whether the source accepts the tables with the filter of the move's keys.
void check_publication(Validation *validation, const Route *route, const List *tables)
{
    const Keyspace *keyspace = find_keyspace(route->move->keyspace_id);
    const KeySet *set = load_key_set(keyspace, route->move->id, CurrentMemoryContext);
    StringInfoData sql;
    initStringInfo(&sql);
    ListCell *cell;
    foreach (cell, tables) {
        const Table *table = find_table(lfirst_oid(cell));
        const char *columns[max_key_columns];
        quote_key_columns(table, columns);
        appendStringInfo(&sql, "%s %s WHERE (%s)",
                         foreach_current_index(cell) > 0 ? ","
                                                         : "CREATE PUBLICATION shardwise_validate "
                                                           "FOR TABLE",
                         qualified_table_name(lfirst_oid(cell)),
                         key_set_sql(keyspace, set, columns));
    }
    appendStringInfoString(&sql, " WITH (publish_via_partition_root = true)");
    SessionResult result = try_in_session(route->source->session, sql.data);
    if (!result.ok)
        add_finding(&validation->findings, "error", "publication",
                    psprintf("Shard \"%s\" does not publish the rows of move %d: %s",
                             route->source->name, route->move->id, result.error));
}

void check_connection(Validation *validation, const PlanShard *from, const PlanShard *to)
{
    if (!run_in_session(from->session, log_nothing_sql).ok)
        return; // no superuser, as check_server() says
    char *sql = psprintf("SET LOCAL client_min_messages = error; "
                         "CREATE SUBSCRIPTION shardwise_validate CONNECTION %s "
                         "PUBLICATION shardwise_validate WITH (connect = true, enabled = false, "
                         "create_slot = false, slot_name = NONE, copy_data = false)",
                         quote_literal_cstr(shard_conninfo(to->id, 5)));
    SessionResult result = try_in_session(from->session, sql);
    if (!result.ok)
        add_finding(
            &validation->findings, "error", "connectivity",
            psprintf("Shard \"%s\" cannot subscribe to shard \"%s\" by the connection that the "
                     "router uses: %s. The shards must reach each other under the same addresses.",
                     from->name, to->name, result.error));
}

} // namespace shardwise
