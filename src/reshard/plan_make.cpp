#include "pg/pg.hpp"

#include "reshard/plan_make.hpp"
#include "catalog/catalog_columns.hpp"
#include "catalog/shard_map.hpp"
#include "core/hash_ring.hpp"
#include "pg/guard.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "foreign/foreign.h"
}

#include <vector>

namespace shardwise
{

// One publication's row filter has to hold the ranges of a move, and all of a move is verified and
// swapped at once: what is larger becomes several moves. Ranges of hashes and of keys of one column
// are one binary search, others a comparison each.
static constexpr size_t most_sorted_ranges = 1000;
static constexpr size_t most_other_ranges = 100;
static constexpr double most_bytes = 64e9;

// Copies what core returned out of its memory; core may throw, but must not ereport.
template <typename T> static T *copy_out(const std::vector<T> &made, size_t *count)
{
    auto *copy = static_cast<T *>(
        palloc_extended((made.size() + 1) * sizeof(T), MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE));
    if (copy == nullptr)
        throw std::bad_alloc();
    std::copy(made.begin(), made.end(), copy);
    *count = made.size();
    return copy;
}

struct Pieces {
    Piece *pieces;
    size_t count;
};

template <typename Compute> static Pieces compute_pieces(Compute &&compute)
{
    Pieces out = {};
    raise_exceptions_as_errors([&] { out.pieces = copy_out(compute(), &out.count); });
    return out;
}

static Move *make_move(const PlanDraft *draft, int32 keyspace_id, int32 source, int32 target)
{
    Move *move = static_cast<Move *>(palloc0(sizeof(Move)));
    move->position = list_length(draft->moves) + 1;
    move->keyspace_id = keyspace_id;
    move->source = source;
    move->target = target;
    move->state = MoveState::Planned;
    return move;
}

static void add_estimate(Move *move, Estimate estimate)
{
    move->rows += estimate.rows;
    move->bytes += estimate.bytes;
    move->seconds = estimate_move_seconds(move->rows, move->bytes);
}

// core groups pieces by their size in bytes, whatever they were balanced by.
static void set_sizes_in_bytes(const PlanSpace *space, Piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pieces[i].size = estimate_piece(space, &pieces[i]).bytes;
}

void add_pieces(PlanDraft *draft, const PlanSpace *space, Piece *pieces, size_t count)
{
    const Keyspace *keyspace = space->keyspace;
    bool sorted_ranges =
        is_hashed(keyspace) || (keyspace->strategy == Strategy::Range && keyspace->nkeys == 1);
    size_t most = sorted_ranges ? most_sorted_ranges : most_other_ranges;
    Pieces sorted = {};
    MoveGroup *groups = nullptr;
    size_t ngroups = 0;
    set_sizes_in_bytes(space, pieces, count);
    raise_exceptions_as_errors([&] {
        std::vector<Piece> all(pieces, pieces + count);
        groups = copy_out(group_moves(all, most, most_bytes), &ngroups);
        sorted.pieces = copy_out(all, &sorted.count);
    });
    for (size_t i = 0; i < ngroups; i++) {
        const Piece *first = &sorted.pieces[groups[i].first];
        size_t size = groups[i].end - groups[i].first;
        Move *move = make_move(draft, space->keyspace->id, first->source, first->target);
        set_move_ranges(move, space, first, size);
        for (size_t j = 0; j < size; j++)
            add_estimate(move, estimate_piece(space, &first[j]));
        draft->moves = lappend(draft->moves, move);
    }
}

void add_pin(PlanDraft *draft, const Keyspace *keyspace, ArrayType *key, int32 source, int32 target,
             Estimate estimate)
{
    Move *move = make_move(draft, keyspace->id, source, target);
    move->ranges = static_cast<MoveRange *>(palloc0(sizeof(MoveRange)));
    move->nranges = 1;
    move->ranges[0].kind = MoveRangeKind::Pin;
    move->ranges[0].pin_key = key;
    add_estimate(move, estimate);
    draft->moves = lappend(draft->moves, move);
}

// Samples of keys are needed where the hash does not spread rows evenly.
static KeyspaceSizes *measure(const Keyspace *keyspace, const List *shards)
{
    return measure_keyspace(keyspace, shards,
                            !is_hashed(keyspace) || keyspace->map->pinned.count > 0);
}

static BalancedShard *balanced_shards(const PlanSpace *space, const List *ids, SizeUnit unit)
{
    auto *shards =
        static_cast<BalancedShard *>(palloc((list_length(ids) + 1) * sizeof(BalancedShard)));
    ListCell *cell;
    foreach (cell, ids) {
        const Shard *shard = find_shard(lfirst_int(cell));
        shards[foreach_current_index(cell)] = {shard->id, shard->weight,
                                               pinned_size(space, shard->id, unit)};
    }
    return shards;
}

// Lets the newcomer join the ring; `members` are the shards before it.
static std::vector<Piece> join_by_ring(const Keyspace *keyspace, const BalancedShard *members,
                                       int nmembers, const BalancedShard &newcomer)
{
    const ShardMap *map = keyspace->map;
    std::vector<HashRange> before, after;
    for (size_t i = 0; i < map->count; i++)
        before.push_back({map->lowers[i], map->owners[i]});
    std::vector<WeightedShard> shards;
    for (int i = 0; i < nmembers; i++)
        shards.push_back({members[i].number, members[i].weight});
    after = before;
    join_ring(after, shards, {newcomer.number, newcomer.weight}, keyspace->virtual_nodes);
    return compare_hash_maps(before, after);
}

void draft_join(PlanDraft *draft, const Keyspace *keyspace, const Shard *newcomer)
{
    List *members = list_owners(keyspace);
    if (list_member_int(members, newcomer->id)) {
        ereport(NOTICE, (errmsg("shard \"%s\" already owns keys of keyspace %d",
                                NameStr(newcomer->name), keyspace->id),
                         errhint("Even it out with shardwise.plan_rebalance().")));
        return;
    }
    if (members == NIL)
        return;
    SizeUnit unit = is_hashed(keyspace) ? SizeUnit::KeySpace : SizeUnit::Bytes;
    PlanSpace *space = make_plan_space(keyspace, measure(keyspace, members), unit);
    int nmembers = list_length(members);
    int32 number = newcomer->id;
    BalancedShard *shards = balanced_shards(space, lappend_int(members, number), unit);
    Pieces pieces = compute_pieces([&]() -> std::vector<Piece> {
        if (keyspace->strategy == Strategy::ConsistentHash)
            return join_by_ring(keyspace, shards, nmembers, shards[nmembers]);
        return plan_join(std::vector<SizedRange>(space->ranges, space->ranges + space->count),
                         std::vector<BalancedShard>(shards, shards + nmembers + 1), number);
    });
    add_pieces(draft, space, pieces.pieces, pieces.count);
}

// The shards that may take what a shard leaves: the other owners of the keyspace, or all others
// where it is the only one.
static List *heirs_of(const Keyspace *keyspace, int32 leaving)
{
    List *heirs = list_delete_int(list_owners(keyspace), leaving);
    if (heirs != NIL)
        return heirs;
    const Shard *const *shards;
    int count = list_shards(&shards);
    for (int i = 0; i < count; i++)
        if (shards[i]->id != leaving)
            heirs = lappend_int(heirs, shards[i]->id);
    if (heirs == NIL)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("no other shard can take the keys"),
                        errhint("Add one with shardwise.add_shard().")));
    return heirs;
}

// Pins go to the heir of the smallest load, each in its turn: the largest first would need sizes
// that samples do not have.
static void drain_pins(PlanDraft *draft, const PlanSpace *space, const List *heirs, int32 leaving,
                       double *loads)
{
    const Keyspace *keyspace = space->keyspace;
    const KeyIndex *pinned = &keyspace->map->pinned;
    for (int i = 0; i < pinned->count; i++) {
        if (pinned->owners[i] != leaving)
            continue;
        int best = 0;
        for (int j = 1; j < list_length(heirs); j++)
            if (loads[j] < loads[best])
                best = j;
        Estimate estimate = estimate_pin(space, i);
        const Shard *heir = find_shard(list_nth_int(heirs, best));
        loads[best] += Max(estimate.bytes, 1) / heir->weight;
        add_pin(draft, keyspace, key_to_text_array(keyspace, &pinned->keys[i * keyspace->nkeys]),
                leaving, heir->id, estimate);
    }
}

void draft_drain(PlanDraft *draft, const Keyspace *keyspace, const Shard *leaving)
{
    List *owners = list_owners(keyspace);
    int32 number = leaving->id;
    if (!list_member_int(owners, number))
        return;
    List *heirs = heirs_of(keyspace, number);
    KeyspaceSizes *sizes = measure(keyspace, list_concat_unique_int(list_copy(heirs), owners));
    double bytes = 0;
    for (int i = 0; i < sizes->nshards; i++)
        bytes += sizes->shards[i].bytes;
    SizeUnit unit = bytes > 0 ? SizeUnit::Bytes : SizeUnit::KeySpace;
    PlanSpace *space = make_plan_space(keyspace, sizes, unit);
    int nheirs = list_length(heirs);
    BalancedShard *shards = balanced_shards(space, heirs, unit);
    Pieces pieces = compute_pieces([&] {
        return plan_drain(std::vector<SizedRange>(space->ranges, space->ranges + space->count),
                          std::vector<BalancedShard>(shards, shards + nheirs), number);
    });
    auto *loads = static_cast<double *>(palloc0(nheirs * sizeof(double)));
    for (int i = 0; i < nheirs; i++)
        loads[i] = find_shard_size(sizes, shards[i].number)->bytes / shards[i].weight;
    add_pieces(draft, space, pieces.pieces, pieces.count);
    drain_pins(draft, space, heirs, number, loads);
}

void draft_balance(PlanDraft *draft, const Keyspace *keyspace, Placement placement, SizeUnit unit,
                   double threshold)
{
    List *ids = NIL;
    const Shard *const *all;
    int count = list_shards(&all);
    for (int i = 0; i < count; i++)
        ids = lappend_int(ids, all[i]->id);
    PlanSpace *space = make_plan_space(keyspace, measure(keyspace, ids), unit);
    BalancedShard *shards = balanced_shards(space, ids, unit);
    Pieces pieces = compute_pieces([&] {
        return plan_balance(std::vector<SizedRange>(space->ranges, space->ranges + space->count),
                            std::vector<BalancedShard>(shards, shards + count), placement,
                            threshold);
    });
    add_pieces(draft, space, pieces.pieces, pieces.count);
}

List *list_keyspaces_of(const List *moves)
{
    List *ids = NIL;
    ListCell *cell;
    foreach (cell, moves)
        ids = list_append_unique_int(ids, static_cast<Move *>(lfirst(cell))->keyspace_id);
    list_sort(ids, list_int_cmp);
    return ids;
}

List *list_keyspace_ids()
{
    List *ids = NIL;
    Relation rel = table_open(catalog_table_oid("keyspace"), AccessShareLock);
    SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, nullptr, 0, nullptr);
    while (HeapTuple row = systable_getnext(scan)) {
        bool isnull;
        ids = lappend_int(ids, DatumGetInt32(heap_getattr(row, column::keyspace_id,
                                                          RelationGetDescr(rel), &isnull)));
    }
    systable_endscan(scan);
    table_close(rel, AccessShareLock);
    list_sort(ids, list_int_cmp);
    return ids;
}

static uint64 mix_text(uint64 hash, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = mix64(hash ^ static_cast<unsigned char>(text[i]));
    return hash;
}

static uint64 mix_owner(uint64 hash, int32 shard)
{
    if (shard == 0)
        return mix64(hash);
    const char *name = NameStr(find_shard(shard)->name);
    return mix_text(mix64(hash ^ static_cast<uint64>(shard)), name, strlen(name));
}

static uint64 mix_key(uint64 hash, const Keyspace *keyspace, const Datum *key)
{
    ArrayType *text = key_to_text_array(keyspace, key);
    hash = mix_text(hash, reinterpret_cast<char *>(text), VARSIZE(text));
    pfree(text);
    return hash;
}

static uint64 mix_index(uint64 hash, const Keyspace *keyspace, const KeyIndex *index)
{
    for (int i = 0; i < index->count; i++)
        hash =
            mix_owner(mix_key(hash, keyspace, &index->keys[i * keyspace->nkeys]), index->owners[i]);
    return mix64(hash);
}

static uint64 mix_ranges(uint64 hash, const Keyspace *keyspace)
{
    const ShardMap *map = keyspace->map;
    for (size_t i = 0; i < map->count; i++) {
        if (i > 0 && map->owners[i] == map->owners[i - 1])
            continue;
        if (is_hashed(keyspace))
            hash = mix64(hash ^ static_cast<uint64>(map->lowers[i]));
        else if (i > 0)
            hash = mix_key(hash, keyspace, &map->bounds[i * keyspace->nkeys]);
        hash = mix_owner(hash, map->owners[i]);
    }
    return mix64(hash);
}

int64 topology_hash(const List *keyspace_ids)
{
    uint64 hash = 0;
    ListCell *cell;
    foreach (cell, keyspace_ids) {
        const Keyspace *keyspace = find_keyspace(lfirst_int(cell));
        hash = mix64(hash ^ static_cast<uint64>(keyspace->id));
        hash = mix_ranges(hash, keyspace);
        hash = mix_index(hash, keyspace, &keyspace->map->listed);
        hash = mix_index(hash, keyspace, &keyspace->map->pinned);
        hash = mix_owner(hash, keyspace->strategy == Strategy::List ? keyspace->default_shard : 0);
    }
    return static_cast<int64>(hash);
}

int32 write_plan(PlanDraft *draft)
{
    if (draft->moves == NIL)
        ereport(NOTICE, (errmsg("there is nothing to move")));
    NewPlan plan = {draft->kind, draft->description,
                    topology_hash(list_keyspaces_of(draft->moves))};
    int32 id = insert_plan(&plan);
    ListCell *cell;
    foreach (cell, draft->moves) {
        Move *move = static_cast<Move *>(lfirst(cell));
        move->plan_id = id;
        insert_move(move);
    }
    return id;
}

void require_plan_privilege(const List *relids)
{
    Oid wrapper = get_foreign_data_wrapper_oid("shardwise", false);
    if (pg_foreign_data_wrapper_aclcheck(wrapper, GetUserId(), ACL_USAGE) == ACLCHECK_OK)
        return;
    ListCell *cell;
    foreach (cell, relids)
        if (!pg_class_ownercheck(lfirst_oid(cell), GetUserId()))
            aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(lfirst_oid(cell)));
}

} // namespace shardwise
