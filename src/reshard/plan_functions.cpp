// The functions that make plans: plan_add_shard(), plan_remove_shard(), plan_rebalance(),
// plan_move_range(), plan_move_key().
#include "pg/pg.hpp"

#include "catalog/shard_map.hpp"
#include "pg/arguments.hpp"
#include "pg/names.hpp"
#include "reshard/plan_make.hpp"

extern "C" {
#include "tcop/utility.h"
}

namespace shardwise
{

static const Keyspace *keyspace_of(Oid relid)
{
    if (get_rel_name(relid) == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("relation with OID %u does not exist", relid)));
    const Table *table = find_table(relid);
    if (table == nullptr || table->is_reference)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("\"%s\" is not a distributed table", get_rel_name(relid)),
                        table ? errdetail("A reference table is whole on every shard.") : 0));
    return table->keyspace;
}

// Drafts for all keyspaces, or for that of one table; checks the privileges on each.
template <typename Draft> static void for_each_keyspace(const List *ids, Draft &&draft)
{
    ListCell *cell;
    foreach (cell, ids)
        require_plan_privilege(list_keyspace_tables(lfirst_int(cell)));
    foreach (cell, ids)
        draft(find_keyspace(lfirst_int(cell)));
}

static int64 hash_bound(const char *text, bool upper)
{
    if (pg_strcasecmp(text, upper ? "MAXVALUE" : "MINVALUE") == 0)
        return upper ? highest_hash : lowest_hash;
    int64 hash = pg_strtoint64(text);
    if (!upper)
        return hash;
    if (hash == lowest_hash)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the range is empty")));
    return hash - 1; // the upper bound is exclusive
}

// Reads a bound of strategy range, nullptr for MINVALUE or MAXVALUE.
static Datum *key_bound(const Keyspace *keyspace, const Table *table, char *text, bool upper)
{
    if (pg_strcasecmp(text, upper ? "MAXVALUE" : "MINVALUE") == 0)
        return nullptr;
    auto *values = static_cast<Datum *>(palloc(keyspace->nkeys * sizeof(Datum)));
    if (keyspace->nkeys == 1) {
        Oid input, parameter;
        getTypeInputInfo(keyspace->key_types[0], &input, &parameter);
        values[0] = OidInputFunctionCall(input, text, parameter, -1);
        return values;
    }
    TupleDesc desc = CreateTemplateTupleDesc(keyspace->nkeys);
    for (int i = 0; i < keyspace->nkeys; i++)
        TupleDescInitEntry(desc, i + 1, get_attname(table->relid, table->key_columns[i], false),
                           keyspace->key_types[i], -1, 0);
    desc = BlessTupleDesc(desc);
    Oid input, parameter;
    getTypeInputInfo(RECORDOID, &input, &parameter);
    HeapTupleHeader row =
        DatumGetHeapTupleHeader(OidInputFunctionCall(input, text, desc->tdtypeid, desc->tdtypmod));
    HeapTupleData tuple = {};
    tuple.t_len = HeapTupleHeaderGetDatumLength(row);
    tuple.t_data = row;
    bool nulls[max_key_columns];
    heap_deform_tuple(&tuple, desc, values, nulls);
    for (int i = 0; i < keyspace->nkeys; i++)
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("a bound must not contain null")));
    return values;
}

// The places [first, end) of a plan's space that a caller named.
struct Span {
    PlanSpace *space;
    Place first;
    Place end;
};

static PlanSpace *measured_space(const Keyspace *keyspace, const List *bounds)
{
    bool with_sample = !is_hashed(keyspace) || keyspace->map->pinned.count > 0;
    return make_plan_space(keyspace, measure_keyspace(keyspace, list_owners(keyspace), with_sample),
                           SizeUnit::Bytes, bounds);
}

static Span hash_span(const Keyspace *keyspace, const char *lower, const char *upper)
{
    int64 first = hash_bound(lower, false), last = hash_bound(upper, true);
    if (first > last)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the range is empty"),
                        errdetail("\"lower\" is inclusive, \"upper\" exclusive.")));
    PlanSpace *space = measured_space(keyspace, NIL);
    Span span = {space, find_hash_place(space, first), find_hash_place(space, last)};
    span.end.unit++;
    return span;
}

static Span key_span(const Keyspace *keyspace, const Table *table, char *lower, char *upper)
{
    Datum *first = key_bound(keyspace, table, lower, false);
    Datum *end = key_bound(keyspace, table, upper, true);
    if (first != nullptr && end != nullptr && compare_keys(keyspace, first, end) >= 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the range is empty"),
                        errdetail("\"lower\" is inclusive, \"upper\" exclusive.")));
    List *bounds = NIL;
    if (first != nullptr)
        bounds = lappend(bounds, first);
    if (end != nullptr)
        bounds = lappend(bounds, end);
    PlanSpace *space = measured_space(keyspace, bounds);
    Span span = {space, {0, 0}, {space->count, 0}};
    if (first != nullptr)
        span.first = find_place(space, first);
    if (end != nullptr)
        span.end = find_place(space, end);
    return span;
}

static Span listed_span(const Keyspace *keyspace, const Table *table, char *lower,
                        const char *upper)
{
    if (strcmp(lower, upper) != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("strategy \"list\" has no ranges"),
                        errhint("Give the same key as \"lower\" and \"upper\".")));
    Datum *key = key_bound(keyspace, table, lower, false);
    if (key == nullptr || find_explicit_key(keyspace, &keyspace->map->listed, key) < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the key is not in the list of keyspace %d", keyspace->id),
                        errhint("To place a key of the default shard by hand, use "
                                "shardwise.plan_move_key().")));
    PlanSpace *space = measured_space(keyspace, NIL);
    Place place = find_place(space, key);
    return {space, place, {place.range, 1}};
}

// Takes what lies in the span and is elsewhere to the target.
static void draft_span(PlanDraft *draft, const Span *span, const Shard *target)
{
    const PlanSpace *space = span->space;
    size_t last = Min(span->end.range, space->count - 1);
    auto *pieces = static_cast<Piece *>(
        palloc_extended((last - span->first.range + 1) * sizeof(Piece), MCXT_ALLOC_HUGE));
    size_t count = 0;
    for (size_t i = span->first.range; i <= last; i++) {
        HashLength first = i == span->first.range ? span->first.unit : 0;
        HashLength end = i == span->end.range ? span->end.unit : space->ranges[i].units;
        int32 owner = space->ranges[i].owner;
        if (first < end && owner != target->id)
            pieces[count++] = {i, first, end, owner, target->id, 0};
    }
    if (count == 0)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("shard \"%s\" already owns all of the range", NameStr(target->name))));
    add_pieces(draft, space, pieces, count);
}

} // namespace shardwise

using namespace shardwise;

// plan_add_shard(name) -> plan_id: gives a shard without keys its share of every keyspace.
SHARDWISE_FUNCTION(shardwise_plan_add_shard)
{
    PreventCommandIfReadOnly("plan_add_shard()");
    const Shard *shard = find_existing_shard(text_to_cstring(PG_GETARG_TEXT_PP(0)));
    PlanDraft draft = {"add_shard", psprintf("add shard \"%s\"", NameStr(shard->name)), NIL};
    for_each_keyspace(list_keyspace_ids(),
                      [&](const Keyspace *keyspace) { draft_join(&draft, keyspace, shard); });
    PG_RETURN_INT32(write_plan(&draft));
}

// plan_remove_shard(name) -> plan_id: takes everything off a shard.
SHARDWISE_FUNCTION(shardwise_plan_remove_shard)
{
    PreventCommandIfReadOnly("plan_remove_shard()");
    const Shard *shard = find_existing_shard(text_to_cstring(PG_GETARG_TEXT_PP(0)));
    PlanDraft draft = {"remove_shard", psprintf("remove shard \"%s\"", NameStr(shard->name)), NIL};
    for_each_keyspace(list_keyspace_ids(),
                      [&](const Keyspace *keyspace) { draft_drain(&draft, keyspace, shard); });
    PG_RETURN_INT32(write_plan(&draft));
}

// plan_rebalance(relation, strategy, by, threshold) -> plan_id: evens out the keyspace of a table,
// or each of all keyspaces.
SHARDWISE_FUNCTION(shardwise_plan_rebalance)
{
    PreventCommandIfReadOnly("plan_rebalance()");
    require_argument(fcinfo, 1, "strategy");
    require_argument(fcinfo, 2, "by");
    require_argument(fcinfo, 3, "threshold");
    const char *strategy = text_to_cstring(PG_GETARG_TEXT_PP(1));
    const char *by = text_to_cstring(PG_GETARG_TEXT_PP(2));
    double threshold = PG_GETARG_FLOAT8(3);
    bool uniform = strcmp(strategy, "uniform") == 0;
    bool rows = strcmp(by, "rows") == 0;
    if (!uniform && strcmp(strategy, "minimize_movement") != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("unknown strategy \"%s\"", strategy),
                        errhint("Use \"minimize_movement\" or \"uniform\".")));
    if (!rows && strcmp(by, "bytes") != 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("cannot rebalance by \"%s\"", by),
                 errhint("Use \"bytes\" or \"rows\".")));
    if (!(threshold >= 0 && threshold <= 1))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("threshold must be between 0 and 1")));

    const char *what = PG_ARGISNULL(0) ? "all keyspaces" : nullptr;
    List *ids = NIL;
    if (what == nullptr) {
        ids = list_make1_int(keyspace_of(PG_GETARG_OID(0))->id);
        what = psprintf("the keyspace of %s", qualified_table_name(PG_GETARG_OID(0)));
    } else {
        ids = list_keyspace_ids();
    }
    PlanDraft draft = {"rebalance", psprintf("rebalance %s by %s (%s)", what, by, strategy), NIL};
    for_each_keyspace(ids, [&](const Keyspace *keyspace) {
        draft_balance(&draft, keyspace, uniform ? Placement::Uniform : Placement::MinimizeMovement,
                      rows ? SizeUnit::Rows : SizeUnit::Bytes, threshold);
    });
    PG_RETURN_INT32(write_plan(&draft));
}

// plan_move_range(relation, lower, upper, target) -> plan_id: takes a range to a shard. Bounds are
// hashes for hash strategies, keys (row literals, where a key has several columns) for strategy
// range; null is MINVALUE or MAXVALUE.
SHARDWISE_FUNCTION(shardwise_plan_move_range)
{
    PreventCommandIfReadOnly("plan_move_range()");
    require_argument(fcinfo, 0, "relation");
    require_argument(fcinfo, 3, "target");
    Oid relid = PG_GETARG_OID(0);
    const Keyspace *keyspace = keyspace_of(relid);
    require_plan_privilege(list_keyspace_tables(keyspace->id));
    char *lower = PG_ARGISNULL(1) ? pstrdup("MINVALUE") : text_to_cstring(PG_GETARG_TEXT_PP(1));
    char *upper = PG_ARGISNULL(2) ? pstrdup("MAXVALUE") : text_to_cstring(PG_GETARG_TEXT_PP(2));
    const Shard *target = find_existing_shard(text_to_cstring(PG_GETARG_TEXT_PP(3)));
    PlanDraft draft = {"move_range",
                       psprintf("move a range of %s to shard \"%s\"", qualified_table_name(relid),
                                NameStr(target->name)),
                       NIL};
    Span span = is_hashed(keyspace) ? hash_span(keyspace, lower, upper)
                : keyspace->strategy == Strategy::Range
                    ? key_span(keyspace, find_table(relid), lower, upper)
                    : listed_span(keyspace, find_table(relid), lower, upper);
    draft_span(&draft, &span, target);
    PG_RETURN_INT32(write_plan(&draft));
}

// plan_move_key(relation, target, VARIADIC key) -> plan_id: places one key by hand.
SHARDWISE_FUNCTION(shardwise_plan_move_key)
{
    PreventCommandIfReadOnly("plan_move_key()");
    require_argument(fcinfo, 0, "relation");
    require_argument(fcinfo, 1, "target");
    Oid relid = PG_GETARG_OID(0);
    const Keyspace *keyspace = keyspace_of(relid);
    require_plan_privilege(list_keyspace_tables(keyspace->id));
    const Shard *target = find_existing_shard(text_to_cstring(PG_GETARG_TEXT_PP(1)));
    Datum key[max_key_columns];
    if (!key_from_arguments(fcinfo, 2, keyspace, key))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("shard key must not contain null")));
    int32 source = find_owner(keyspace, key);
    if (source == 0)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("no shard owns the key"),
                 errhint("The keyspace has no default shard.")));
    if (source == target->id)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the key is already on shard \"%s\"", NameStr(target->name))));

    KeyspaceSizes *sizes = measure_keyspace(keyspace, list_make1_int(source), false);
    const ShardSize *size = find_shard_size(sizes, source);
    double rows = estimate_rows_of_key(sizes, source, key);
    double bytes = size->rows > 0 ? rows * size->bytes / size->rows : 0;
    PlanDraft draft = {"move_key",
                       psprintf("move one key of %s to shard \"%s\"", qualified_table_name(relid),
                                NameStr(target->name)),
                       NIL};
    add_pin(&draft, keyspace, key_to_text_array(keyspace, key), source, target->id, {rows, bytes});
    PG_RETURN_INT32(write_plan(&draft));
}
