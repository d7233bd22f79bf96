// validate_plan(): what would keep a plan from running, found out before it starts. Where the only
// honest test is to try, it is tried in a transaction that rolls back.
#include "pg/pg.hpp"

#include "catalog/key_set.hpp"
#include "catalog/map_change.hpp"
#include "remote/session.hpp"
#include "reshard/plan_make.hpp"
#include "pg/names.hpp"

extern "C" {
#include "catalog/pg_authid.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
}

namespace shardwise
{

namespace
{

// The rows that are found.
struct Findings {
    ReturnSetInfo *out;
};

void add(Findings *findings, const char *severity, const char *check, const char *detail)
{
    Datum values[] = {CStringGetTextDatum(severity), CStringGetTextDatum(check),
                      CStringGetTextDatum(detail)};
    bool nulls[lengthof(values)] = {};
    tuplestore_putvalues(findings->out->setResult, findings->out->setDesc, values, nulls);
}

// A shard that the plan uses.
struct PlanShard {
    int32 id;
    const char *name;
    Session *session; // nullptr: it does not answer
    bool is_target;
    double bytes_in;
};

// A keyspace's tables between one source and one target: what the trials are made of.
struct Route {
    const Move *move; // the first of its kind
    PlanShard *source;
    PlanShard *target;
};

struct Validation {
    Findings findings;
    List *moves;  // of Move *
    List *shards; // of PlanShard *
    List *routes; // of Route *
};

char *pretty_size(double bytes)
{
    Datum size = Int64GetDatum(static_cast<int64>(bytes));
    return TextDatumGetCString(DirectFunctionCall1(pg_size_pretty, size));
}

// ---- what the router knows ----------------------------------------------------------------------

// True if a key's bound lies below another one, where nullptr as `lower` is MINVALUE and as `upper`
// MAXVALUE.
bool key_is_below(const Keyspace *keyspace, ArrayType *lower, ArrayType *upper)
{
    if (lower == nullptr || upper == nullptr)
        return true;
    Datum first[max_key_columns], second[max_key_columns];
    key_from_text_array(keyspace, lower, first);
    key_from_text_array(keyspace, upper, second);
    return compare_keys(keyspace, first, second) < 0;
}

bool begins_below_end(const Keyspace *keyspace, const MoveRange *a, const MoveRange *b)
{
    return a->is_hashed ? a->lower_hash <= b->upper_hash
                        : key_is_below(keyspace, a->lower_key, b->upper_key);
}

// Ranges of a move are in order, so both lists are walked once.
bool ranges_overlap(const Keyspace *keyspace, const Move *a, const Move *b)
{
    auto is_range = [](const Move *move, int i) {
        return i < move->nranges && move->ranges[i].kind == MoveRangeKind::Range;
    };
    int i = 0, j = 0;
    while (is_range(a, i) && is_range(b, j)) {
        CHECK_FOR_INTERRUPTS();
        const MoveRange *one = &a->ranges[i], *other = &b->ranges[j];
        bool one_begins = begins_below_end(keyspace, one, other);
        bool other_begins = begins_below_end(keyspace, other, one);
        if (one_begins && other_begins)
            return true;
        i += one_begins; // it lies below the other
        j += other_begins;
    }
    return false;
}

// A pinned key that a move leaves where it is must stay pinned until the move is over: the range
// around it may come back.
bool keeps(const Keyspace *keyspace, const KeySet *set, const Datum *key)
{
    KeySet kept = {};
    kept.nkeys = set->nexcept;
    kept.keys = set->excepts;
    return key_set_contains(keyspace, &kept, key);
}

bool holds_single_key(const Keyspace *keyspace, const Move *holder, const Move *other)
{
    const KeySet *set = nullptr;
    for (int i = 0; i < other->nranges; i++) {
        const MoveRange *range = &other->ranges[i];
        ArrayType *text = range->kind == MoveRangeKind::Pin   ? range->pin_key
                          : range->kind == MoveRangeKind::Key ? range->lower_key
                                                              : nullptr;
        Datum key[max_key_columns];
        if (text == nullptr)
            continue;
        key_from_text_array(keyspace, text, key);
        if (set == nullptr)
            set = load_key_set(keyspace, holder->id, CurrentMemoryContext);
        if (key_set_contains(keyspace, set, key) ||
            (range->kind == MoveRangeKind::Pin && keeps(keyspace, set, key)))
            return true;
    }
    return false;
}

bool takes_default(const Move *move)
{
    return std::any_of(move->ranges, move->ranges + move->nranges,
                       [](const MoveRange &range) { return range.kind == MoveRangeKind::Default; });
}

bool moves_overlap(const Move *a, const Move *b)
{
    const Keyspace *keyspace = find_keyspace(a->keyspace_id);
    if (takes_default(a) && takes_default(b))
        return true;
    return ranges_overlap(keyspace, a, b) || holds_single_key(keyspace, a, b) ||
           holds_single_key(keyspace, b, a);
}

// Moves of other plans in the same keyspaces that are not over, as numbers: those of plans that
// have been started, or of the others. Rows are read as the server itself: everyone may read them.
List *list_other_moves(int32 plan_id, int32 keyspace_id, bool started, MemoryContext context)
{
    List *ids = NIL;
    const Oid types[] = {INT4OID, INT4OID, BOOLOID};
    Datum values[] = {Int32GetDatum(plan_id), Int32GetDatum(keyspace_id), BoolGetDatum(started)};
    SPI_connect();
    SPI_execute_with_args(
        "SELECT m.move_id FROM shardwise.move m JOIN shardwise.plan p USING (plan_id) "
        "WHERE m.plan_id <> $1 AND m.keyspace_id = $2 "
        "AND m.state NOT IN ('done', 'cancelled', 'rolled_back') "
        "AND (p.state <> 'planned') = $3 ORDER BY m.move_id",
        lengthof(types), const_cast<Oid *>(types), values, nullptr, true, 0);
    for (uint64 i = 0; i < SPI_processed; i++) {
        bool isnull;
        int32 id =
            DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
        MemoryContext spi = MemoryContextSwitchTo(context);
        ids = lappend_int(ids, id);
        MemoryContextSwitchTo(spi);
    }
    SPI_finish();
    return ids;
}

// Tells of a move of another plan that takes keys of this one. Returns whether it does.
bool report_overlap(Validation *validation, const Move *other, bool active)
{
    ListCell *cell;
    foreach (cell, validation->moves) {
        const Move *move = static_cast<Move *>(lfirst(cell));
        if (move->keyspace_id != other->keyspace_id || !moves_overlap(move, other))
            continue;
        add(&validation->findings, active ? "error" : "warning", "overlap",
            psprintf("Move %d takes keys that move %d of plan %d takes too. %s", move->id,
                     other->id, other->plan_id,
                     active ? "Wait until that plan is done, or cancel it."
                            : "Only one of the two plans can run; cancel the other."));
        return true;
    }
    return false;
}

// One finding for each other plan is enough.
void check_overlap(Validation *validation, int32 plan_id)
{
    List *reported = NIL; // of plan numbers
    ListCell *cell, *other_cell;
    for (bool started : {true, false})
        foreach (cell, list_keyspaces_of(validation->moves)) {
            List *others =
                list_other_moves(plan_id, lfirst_int(cell), started, CurrentMemoryContext);
            foreach (other_cell, others) {
                const Move *other = read_move(lfirst_int(other_cell));
                if (!list_member_int(reported, other->plan_id) &&
                    report_overlap(validation, other, started))
                    reported = lappend_int(reported, other->plan_id);
            }
        }
}

void check_topology(Validation *validation, int64 planned_hash)
{
    bool lost = false;
    ListCell *cell;
    foreach (cell, validation->moves) {
        const Move *move = static_cast<Move *>(lfirst(cell));
        if (move->state != MoveState::Planned || owns_ranges(move, move->source))
            continue;
        lost = true;
        add(&validation->findings, "error", "topology",
            psprintf("Move %d takes keys that shard \"%s\" does not own any more. Make a new plan.",
                     move->id, NameStr(find_shard(move->source)->name)));
    }
    if (!lost && topology_hash(list_keyspaces_of(validation->moves)) != planned_hash)
        add(&validation->findings, "warning", "topology",
            "The shard map has changed since the plan was made, but not where the plan moves. It "
            "can run; a new plan may be better.");
}

void check_tables(Validation *validation)
{
    ListCell *cell, *table_cell;
    foreach (cell, list_keyspaces_of(validation->moves)) {
        const Keyspace *keyspace = find_keyspace(lfirst_int(cell));
        foreach (table_cell, list_keyspace_tables(keyspace->id)) {
            Oid relid = lfirst_oid(table_cell);
            Relation rel = table_open(relid, AccessShareLock);
            RelationGetIndexList(rel);
            if (!OidIsValid(rel->rd_pkindex))
                add(&validation->findings, "warning", "primary_key",
                    psprintf("Table %s has no primary key: its rows are logged whole during the "
                             "move, and changes are applied by reading the table. Add one if it "
                             "is updated often.",
                             qualified_table_name(relid)));
            table_close(rel, NoLock);
        }
    }
}

// ---- what each shard says -----------------------------------------------------------------------

constexpr int min_version = 150000;

// The state of a shard's server as far as moves depend on it, in one row.
SessionResult read_server(const PlanShard *shard)
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
void check_replication(Validation *validation, const PlanShard *shard, int slots, int workers)
{
    int leaving = 0, arriving = 0;
    ListCell *cell;
    foreach (cell, validation->moves) {
        leaving += static_cast<Move *>(lfirst(cell))->source == shard->id;
        arriving += static_cast<Move *>(lfirst(cell))->target == shard->id;
    }
    auto require = [&](const char *check, int free, int needed, const char *setting) {
        if (free < needed)
            add(&validation->findings, "error", check,
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
        return add(
            findings, "error", "settings",
            psprintf("Shard \"%s\": %s", shard->name, result.error ? result.error : "no answer"));
    char **value = result.values;
    auto is_true = [&](int i) { return value[i][0] == 't'; };
    if (atoi(value[0]) < min_version)
        add(findings, "error", "version",
            psprintf("Shard \"%s\" runs an older version than PostgreSQL 15. Upgrade it.",
                     shard->name));
    if (is_true(1))
        add(findings, "error", "recovery",
            psprintf("Shard \"%s\" is a standby. Let its connection string lead to the primary "
                     "(target_session_attrs=read-write).",
                     shard->name));
    if (strcmp(value[2], "logical") != 0)
        add(findings, "error", "wal_level",
            psprintf("Shard \"%s\" has wal_level = %s. Set it to logical and restart that server; "
                     "source and target both need it, for the way back.",
                     shard->name, value[2]));
    check_replication(validation, shard, atoi(value[3]), atoi(value[5]));
    if (atoi(value[4]) < 2)
        add(findings, "error", "wal_senders",
            psprintf("Shard \"%s\" has fewer than two free WAL senders. Raise max_wal_senders.",
                     shard->name));
    if (!is_true(6))
        add(findings, "error", "privileges",
            psprintf("Role \"%s\" of shard \"%s\" is no superuser, which a subscription%s needs. "
                     "Give the router's superuser a user mapping to one.",
                     value[10], shard->name, is_true(7) ? "" : ", and a replication connection,"));
    if (atoi(value[8]) > 0)
        add(findings, "warning", "prepared_transactions",
            psprintf("Shard \"%s\" has %s prepared transactions. A move cannot begin before they "
                     "are finished; see view shardwise.in_doubt_transactions.",
                     shard->name, value[8]));
    if (atoi(value[11]) > 0)
        add(findings, "warning", "long_transactions",
            psprintf("Shard \"%s\" has %s write transactions older than a minute. A move begins "
                     "when they have ended.",
                     shard->name, value[11]));
    if (shard->is_target)
        add(findings, "info", "disk",
            psprintf("Shard \"%s\" will need about %s more; its database has %s now. Free space is "
                     "not visible through SQL: make sure of it.",
                     shard->name, pretty_size(shard->bytes_in),
                     pretty_size(strtod(value[9], nullptr))));
}

// ---- what source and target must agree on -------------------------------------------------------

// Describes each table in one column: its columns by name, and the triggers that would fire for
// replicated rows.
char *signature_query(const List *tables)
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
            add(&validation->findings, "error", "schema",
                psprintf("Table %s is missing on shard \"%s\". Bring it home with "
                         "undistribute_table(), and distribute it again.",
                         name, on_source ? route->target->name : route->source->name));
        else if (strcmp(source.values[column], target.values[column]) != 0)
            add(&validation->findings, "error", "schema",
                psprintf("Table %s has other columns on shard \"%s\" than on shard \"%s\". "
                         "Make them alike with run_on_shards().",
                         name, route->target->name, route->source->name));
        if (target.values[column + 1] != nullptr)
            add(&validation->findings, "warning", "triggers",
                psprintf("Triggers %s of table %s on shard \"%s\" are enabled for replication and "
                         "will fire for copied changes.",
                         target.values[column + 1], name, route->target->name));
    }
}

void roll_back(Session *session)
{
    run_in_session(session, "ROLLBACK");
}

SessionResult try_in_session(Session *session, const char *sql)
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
        for (int i = 0; i < table->nkeys; i++)
            columns[i] = quote_identifier(get_attname(table->relid, table->key_columns[i], false));
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
        add(&validation->findings, "error", "publication",
            psprintf("Shard \"%s\" does not publish the rows of move %d: %s", route->source->name,
                     route->move->id, result.error));
}

char *conninfo_of(int32 shard_id)
{
    ConnectionOptions options = stored_options(find_shard(shard_id)->server, BOOTSTRAP_SUPERUSERID);
    StringInfoData conninfo;
    initStringInfo(&conninfo);
    for (const List *list : {options.server, options.mapping}) {
        ListCell *cell;
        foreach (cell, list) {
            DefElem *option = lfirst_node(DefElem, cell);
            if (strcmp(option->defname, "password_required") == 0)
                continue;
            appendStringInfo(&conninfo, "%s='", option->defname);
            for (const char *at = strVal(option->arg); *at != '\0'; at++) {
                if (*at == '\\' || *at == '\'')
                    appendStringInfoChar(&conninfo, '\\');
                appendStringInfoChar(&conninfo, *at);
            }
            appendStringInfoString(&conninfo, "' ");
        }
    }
    if (find_option(options.server, "connect_timeout") == nullptr)
        appendStringInfoString(&conninfo, "connect_timeout='5'");
    return conninfo.data;
}

// Lets one shard connect to the other, as a subscription would.
void check_connection(Validation *validation, const PlanShard *from, const PlanShard *to)
{
    char *sql = psprintf("SET LOCAL client_min_messages = error; "
                         "CREATE SUBSCRIPTION shardwise_validate CONNECTION %s "
                         "PUBLICATION shardwise_validate WITH (connect = true, enabled = false, "
                         "create_slot = false, slot_name = NONE, copy_data = false)",
                         quote_literal_cstr(conninfo_of(to->id)));
    SessionResult result = try_in_session(from->session, sql);
    if (!result.ok)
        add(&validation->findings, "error", "connectivity",
            psprintf("Shard \"%s\" cannot subscribe to shard \"%s\" by the connection that the "
                     "router uses: %s. The shards must reach each other under the same addresses.",
                     from->name, to->name, result.error));
}

// ---- all of it ----------------------------------------------------------------------------------

PlanShard *add_shard(Validation *validation, int32 id)
{
    ListCell *cell;
    foreach (cell, validation->shards)
        if (static_cast<PlanShard *>(lfirst(cell))->id == id)
            return static_cast<PlanShard *>(lfirst(cell));
    PlanShard *shard = static_cast<PlanShard *>(palloc0(sizeof(PlanShard)));
    shard->id = id;
    shard->name = pstrdup(NameStr(find_shard(id)->name));
    char *error = nullptr;
    if (OidIsValid(find_shard(id)->server))
        shard->session = open_session(stored_options(find_shard(id)->server, BOOTSTRAP_SUPERUSERID),
                                      CurrentMemoryContext, &error);
    else
        error = pstrdup("its foreign server is missing");
    if (shard->session == nullptr)
        add(&validation->findings, "error", "reachable",
            psprintf("Shard \"%s\" does not answer: %s", shard->name, error));
    validation->shards = lappend(validation->shards, shard);
    return shard;
}

void add_route(Validation *validation, const Move *move)
{
    PlanShard *source = add_shard(validation, move->source);
    PlanShard *target = add_shard(validation, move->target);
    target->is_target = true;
    target->bytes_in += move->bytes;
    ListCell *cell;
    foreach (cell, validation->routes) {
        auto *route = static_cast<Route *>(lfirst(cell));
        if (route->source == source && route->target == target &&
            route->move->keyspace_id == move->keyspace_id)
            return;
    }
    auto *route = static_cast<Route *>(palloc(sizeof(Route)));
    *route = {move, source, target};
    validation->routes = lappend(validation->routes, route);
}

// True if an earlier route has the same shards.
bool was_connected(const Validation *validation, const Route *route)
{
    ListCell *cell;
    foreach (cell, validation->routes) {
        auto *earlier = static_cast<Route *>(lfirst(cell));
        if (earlier == route)
            return false;
        if (earlier->source == route->source && earlier->target == route->target)
            return true;
    }
    return false;
}

void check_route(Validation *validation, const Route *route)
{
    if (route->source->session == nullptr || route->target->session == nullptr)
        return;
    List *tables = list_keyspace_tables(route->move->keyspace_id);
    if (tables == NIL)
        return;
    check_schema(validation, route, tables);
    check_publication(validation, route, tables);
    if (was_connected(validation, route))
        return;
    check_connection(validation, route->target, route->source);
    check_connection(validation, route->source, route->target);
}

void validate(Validation *validation, int32 plan_id, int64 planned_hash)
{
    ListCell *cell;
    foreach (cell, list_keyspaces_of(validation->moves))
        require_plan_privilege(list_keyspace_tables(lfirst_int(cell)));
    check_topology(validation, planned_hash);
    check_overlap(validation, plan_id);
    check_tables(validation);
    foreach (cell, validation->moves)
        add_route(validation, static_cast<Move *>(lfirst(cell)));
    foreach (cell, validation->shards)
        if (static_cast<PlanShard *>(lfirst(cell))->session != nullptr)
            check_server(validation, static_cast<PlanShard *>(lfirst(cell)));
    foreach (cell, validation->routes)
        check_route(validation, static_cast<Route *>(lfirst(cell)));
    foreach (cell, validation->shards)
        if (static_cast<PlanShard *>(lfirst(cell))->session != nullptr)
            close_session(static_cast<PlanShard *>(lfirst(cell))->session);
}

} // namespace

} // namespace shardwise

using namespace shardwise;

// validate_plan(plan_id) -> setof (severity, check_name, detail); severity is error, warning or
// info.
SHARDWISE_FUNCTION(shardwise_validate_plan)
{
    int32 plan_id = PG_GETARG_INT32(0);
    Validation validation = {};
    int64 planned_hash = read_plan_topology(plan_id);
    ListCell *cell;
    foreach (cell, list_moves(plan_id))
        validation.moves = lappend(validation.moves, read_move(lfirst_int(cell)));
    InitMaterializedSRF(fcinfo, 0);
    validation.findings.out = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    validate(&validation, plan_id, planned_hash);
    PG_RETURN_NULL();
}
