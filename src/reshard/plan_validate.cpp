// validate_plan(): what would keep a plan from running, found out before it starts.
#include "pg/pg.hpp"

#include "catalog/key_set.hpp"
#include "catalog/map_change.hpp"
#include "pg/names.hpp"
#include "reshard/plan_make.hpp"
#include "reshard/plan_validate.hpp"

extern "C" {
#include "catalog/pg_authid.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
}

namespace shardwise
{

void add_finding(Findings *findings, const char *severity, const char *check, const char *detail)
{
    Datum values[] = {CStringGetTextDatum(severity), CStringGetTextDatum(check),
                      CStringGetTextDatum(detail)};
    bool nulls[lengthof(values)] = {};
    tuplestore_putvalues(findings->out->setResult, findings->out->setDesc, values, nulls);
}

namespace
{

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
        add_finding(&validation->findings, active ? "error" : "warning", "overlap",
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

// Tables and shards may have gone since the plan was made: then there is nothing else to look at.
bool check_existence(Validation *validation)
{
    bool all = true;
    ListCell *cell;
    foreach (cell, validation->moves) {
        const Move *move = static_cast<Move *>(lfirst(cell));
        const char *gone = list_keyspace_tables(move->keyspace_id) == NIL ? "tables"
                           : !shard_exists(move->source)                  ? "source"
                           : !shard_exists(move->target)                  ? "target"
                                                                          : nullptr;
        if (gone == nullptr)
            continue;
        all = false;
        add_finding(&validation->findings, "error", "topology",
                    psprintf("The %s of move %d %s gone. Cancel the plan.", gone, move->id,
                             strcmp(gone, "tables") == 0 ? "are" : "is"));
    }
    return all;
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
        add_finding(
            &validation->findings, "error", "topology",
            psprintf("Move %d takes keys that shard \"%s\" does not own any more. Make a new plan.",
                     move->id, NameStr(find_shard(move->source)->name)));
    }
    if (!lost && topology_hash(list_keyspaces_of(validation->moves)) != planned_hash)
        add_finding(
            &validation->findings, "warning", "topology",
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
                add_finding(
                    &validation->findings, "warning", "primary_key",
                    psprintf("Table %s has no primary key: its rows are logged whole during the "
                             "move, and changes are applied by reading the table. Add one if it "
                             "is updated often.",
                             qualified_table_name(relid)));
            table_close(rel, NoLock);
        }
    }
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
        add_finding(&validation->findings, "error", "reachable",
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
    if (!check_existence(validation))
        return;
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
