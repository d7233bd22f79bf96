#include "pg/pg.hpp"

#include "reshard/plan_space.hpp"
#include "catalog/shard_map.hpp"

namespace shardwise
{

template <typename T> static T *allocate_zeroed(size_t count)
{
    return static_cast<T *>(MemoryContextAllocExtended(
        CurrentMemoryContext, (count + 1) * sizeof(T), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
}

static HashLength hash_length(const ShardMap *map, size_t i)
{
    HashLength upper = i + 1 < map->count ? static_cast<HashLength>(map->lowers[i + 1])
                                          : static_cast<HashLength>(highest_hash) + 1;
    return upper - map->lowers[i];
}

static void read_owners(PlanSpace *space)
{
    const Keyspace *keyspace = space->keyspace;
    const ShardMap *map = keyspace->map;
    bool is_list = keyspace->strategy == Strategy::List;
    size_t listed = is_list ? map->listed.count : map->count;
    space->count = listed + (is_list && keyspace->default_shard != 0);
    space->ranges = allocate_zeroed<SizedRange>(space->count);
    for (size_t i = 0; i < space->count; i++) {
        SizedRange *range = &space->ranges[i];
        range->owner = i == listed ? keyspace->default_shard
                       : is_list   ? map->listed.owners[i]
                                   : map->owners[i];
        range->units = is_hashed(keyspace) ? hash_length(map, i) : 1;
    }
}

// Where a sampled key counts: a pin, an entry of the map, or (strategy list) the default.
static double *share_of_key(PlanSpace *space, const Datum *key, size_t *entry)
{
    const Keyspace *keyspace = space->keyspace;
    const ShardMap *map = keyspace->map;
    *entry = space->count;
    int pin = find_explicit_key(keyspace, &map->pinned, key);
    if (pin >= 0)
        return &space->pinned[pin];
    if (is_hashed(keyspace) || space->count == 0)
        return nullptr;
    if (keyspace->strategy == Strategy::Range) {
        *entry = find_key_range(keyspace, key);
    } else {
        int listed = find_explicit_key(keyspace, &map->listed, key);
        *entry = listed >= 0 ? listed : map->listed.count;
    }
    return *entry < space->count ? &space->shares[*entry] : nullptr;
}

// A sampled key and the range it lies in, while keys are sorted.
struct Drawn {
    size_t entry;
    Datum *key;
};

static int compare_drawn(const void *left, const void *right, void *keyspace)
{
    auto *a = static_cast<const Drawn *>(left);
    auto *b = static_cast<const Drawn *>(right);
    if (a->entry != b->entry)
        return a->entry < b->entry ? -1 : 1;
    return compare_keys(static_cast<const Keyspace *>(keyspace), a->key, b->key);
}

// Keeps the distinct keys above their range's lower bound: each may become a bound.
static void set_cuts(PlanSpace *space, Drawn *drawn, size_t count)
{
    const Keyspace *keyspace = space->keyspace;
    const ShardMap *map = keyspace->map;
    auto *argument = const_cast<Keyspace *>(keyspace);
    qsort_arg(drawn, count, sizeof(Drawn), compare_drawn, argument);
    space->cuts = allocate_zeroed<Datum *>(count);
    space->first_cut = allocate_zeroed<size_t>(space->count + 1);
    size_t kept = 0, entry = 0;
    for (size_t i = 0; i < count; i++) {
        for (; entry <= drawn[i].entry; entry++)
            space->first_cut[entry] = kept;
        bool repeated = i > 0 && compare_drawn(&drawn[i - 1], &drawn[i], argument) == 0;
        bool is_bound =
            drawn[i].entry > 0 && compare_keys(keyspace, drawn[i].key,
                                               &map->bounds[drawn[i].entry * keyspace->nkeys]) == 0;
        if (repeated || is_bound)
            continue;
        space->cuts[kept++] = drawn[i].key;
        space->ranges[drawn[i].entry].units++;
    }
    for (; entry <= space->count; entry++)
        space->first_cut[entry] = kept;
}

static void read_samples(PlanSpace *space, const List *bounds)
{
    size_t room = list_length(bounds), count = 0;
    for (int i = 0; i < space->sizes->nshards; i++)
        room += space->sizes->shards[i].nsample;
    Drawn *drawn = allocate_zeroed<Drawn>(room);
    for (int i = 0; i < space->sizes->nshards; i++) {
        const ShardSize *size = &space->sizes->shards[i];
        for (int j = 0; j < size->nsample; j++) {
            size_t entry;
            double *share = share_of_key(space, size->sample[j], &entry);
            if (share != nullptr)
                *share += 1.0 / size->nsample;
            if (entry < space->count && space->ranges[entry].owner == size->shard)
                drawn[count++] = {entry, size->sample[j]};
        }
    }
    ListCell *cell;
    foreach (cell, bounds) {
        auto *key = static_cast<Datum *>(lfirst(cell));
        drawn[count++] = {find_key_range(space->keyspace, key), key};
    }
    if (space->keyspace->strategy == Strategy::Range)
        set_cuts(space, drawn, count);
}

// Hashes spread rows evenly: a range's share is its part of the owner's hashes, less the pins.
static void share_by_hash(PlanSpace *space)
{
    const ShardMap *map = space->keyspace->map;
    for (int i = 0; i < space->sizes->nshards; i++) {
        int32 shard = space->sizes->shards[i].shard;
        double length = 0, unpinned = 1;
        for (size_t j = 0; j < space->count; j++)
            if (space->ranges[j].owner == shard)
                length += static_cast<double>(space->ranges[j].units);
        for (int j = 0; j < map->pinned.count; j++)
            if (map->pinned.owners[j] == shard)
                unpinned -= space->pinned[j];
        for (size_t j = 0; j < space->count; j++)
            if (space->ranges[j].owner == shard)
                space->shares[j] = unpinned * static_cast<double>(space->ranges[j].units) / length;
    }
}

static double size_of_shard(const PlanSpace *space, int32 shard, SizeUnit unit)
{
    const ShardSize *size = find_shard_size(space->sizes, shard);
    return unit == SizeUnit::Rows ? size->rows : size->bytes;
}

PlanSpace *make_plan_space(const Keyspace *keyspace, const KeyspaceSizes *sizes, SizeUnit unit,
                           const List *bounds)
{
    auto *space = static_cast<PlanSpace *>(palloc0(sizeof(PlanSpace)));
    space->keyspace = keyspace;
    space->sizes = sizes;
    read_owners(space);
    space->shares = allocate_zeroed<double>(space->count);
    space->pinned = allocate_zeroed<double>(keyspace->map->pinned.count);
    read_samples(space, bounds);
    if (is_hashed(keyspace))
        share_by_hash(space);
    for (size_t i = 0; i < space->count; i++) {
        SizedRange *range = &space->ranges[i];
        range->size = unit == SizeUnit::KeySpace
                          ? static_cast<double>(is_hashed(keyspace) ? range->units : 1)
                          : space->shares[i] * size_of_shard(space, range->owner, unit);
    }
    return space;
}

Estimate estimate_piece(const PlanSpace *space, const Piece *piece)
{
    const SizedRange *range = &space->ranges[piece->range];
    const ShardSize *owner = find_shard_size(space->sizes, range->owner);
    double share = space->shares[piece->range] * static_cast<double>(piece->end - piece->first) /
                   static_cast<double>(range->units);
    return {owner->rows * share, owner->bytes * share};
}

Estimate estimate_pin(const PlanSpace *space, int pin)
{
    const ShardSize *owner =
        find_shard_size(space->sizes, space->keyspace->map->pinned.owners[pin]);
    return {owner->rows * space->pinned[pin], owner->bytes * space->pinned[pin]};
}

double pinned_size(const PlanSpace *space, int32 shard, SizeUnit unit)
{
    const KeyIndex *pinned = &space->keyspace->map->pinned;
    double size = 0;
    for (int i = 0; i < pinned->count; i++)
        if (pinned->owners[i] == shard && unit != SizeUnit::KeySpace)
            size += space->pinned[i] * size_of_shard(space, shard, unit);
    return size;
}

// The key that starts a unit of a range of strategy range: the map's own bound, or a cut. nullptr
// for MINVALUE, and at the end for MAXVALUE.
static const Datum *bound_at(const PlanSpace *space, size_t range, HashLength unit)
{
    const Keyspace *keyspace = space->keyspace;
    if (unit == space->ranges[range].units) {
        unit = 0;
        range++;
        if (range == space->count)
            return nullptr;
    }
    if (unit > 0)
        return space->cuts[space->first_cut[range] + static_cast<size_t>(unit) - 1];
    return range == 0 ? nullptr : &keyspace->map->bounds[range * keyspace->nkeys];
}

static ArrayType *key_text(const Keyspace *keyspace, const Datum *key)
{
    return key == nullptr ? nullptr : key_to_text_array(keyspace, key);
}

static MoveRange range_of_piece(const PlanSpace *space, const Piece *piece)
{
    const Keyspace *keyspace = space->keyspace;
    const ShardMap *map = keyspace->map;
    MoveRange range = {};
    if (is_hashed(keyspace)) {
        range.is_hashed = true;
        range.lower_hash = static_cast<int64>(map->lowers[piece->range] + piece->first);
        range.upper_hash = static_cast<int64>(map->lowers[piece->range] + piece->end - 1);
    } else if (keyspace->strategy == Strategy::Range) {
        range.lower_key = key_text(keyspace, bound_at(space, piece->range, piece->first));
        range.upper_key = key_text(keyspace, bound_at(space, piece->range, piece->end));
    } else if (piece->range == static_cast<size_t>(map->listed.count)) {
        range.kind = MoveRangeKind::Default;
    } else {
        range.kind = MoveRangeKind::Key;
        range.lower_key = key_text(keyspace, &map->listed.keys[piece->range * keyspace->nkeys]);
    }
    return range;
}

static bool adjoin(const PlanSpace *space, const Piece *a, const Piece *b)
{
    if (space->keyspace->strategy == Strategy::List)
        return false;
    if (a->range == b->range)
        return a->end == b->first;
    return a->range + 1 == b->range && a->end == space->ranges[a->range].units && b->first == 0;
}

Place find_hash_place(const PlanSpace *space, int64 hash)
{
    const ShardMap *map = space->keyspace->map;
    size_t range = find_hash_range(map->lowers, map->count, hash);
    return {range, static_cast<HashLength>(hash) - map->lowers[range]};
}

Place find_place(const PlanSpace *space, const Datum *key)
{
    const Keyspace *keyspace = space->keyspace;
    if (is_hashed(keyspace))
        return find_hash_place(space, hash_key(keyspace, key));
    if (keyspace->strategy == Strategy::Range) {
        size_t range = find_key_range(keyspace, key);
        Datum **first = space->cuts + space->first_cut[range];
        Datum **end = space->cuts + space->first_cut[range + 1];
        Datum **above = std::upper_bound(first, end, key, [&](const Datum *a, const Datum *b) {
            return compare_keys(keyspace, a, b) < 0;
        });
        return {range, static_cast<HashLength>(above - first)};
    }
    int listed = find_explicit_key(keyspace, &keyspace->map->listed, key);
    return {static_cast<size_t>(listed >= 0 ? listed : keyspace->map->listed.count), 0};
}

// True if one of the pieces, which are in order, holds a key.
static bool pieces_hold(const PlanSpace *space, const Piece *pieces, size_t count, const Datum *key)
{
    Place place = find_place(space, key);
    const Piece *after =
        std::upper_bound(pieces, pieces + count, place, [](const Place &at, const Piece &piece) {
            return at.range < piece.range || (at.range == piece.range && at.unit < piece.first);
        });
    return after != pieces && after[-1].range == place.range && place.unit < after[-1].end;
}

void set_move_ranges(Move *move, const PlanSpace *space, const Piece *pieces, size_t count)
{
    const KeyIndex *pinned = &space->keyspace->map->pinned;
    int nkeys = space->keyspace->nkeys;
    move->ranges = allocate_zeroed<MoveRange>(count + pinned->count);
    for (size_t i = 0; i < count; i++) {
        MoveRange range = range_of_piece(space, &pieces[i]);
        if (i > 0 && adjoin(space, &pieces[i - 1], &pieces[i])) {
            MoveRange *last = &move->ranges[move->nranges - 1];
            last->upper_hash = range.upper_hash;
            last->upper_key = range.upper_key;
        } else {
            move->ranges[move->nranges++] = range;
        }
    }
    for (int i = 0; i < pinned->count; i++) {
        const Datum *key = &pinned->keys[i * nkeys];
        if (!pieces_hold(space, pieces, count, key))
            continue;
        MoveRange *range = &move->ranges[move->nranges++];
        range->kind = MoveRangeKind::Except;
        range->pin_key = key_to_text_array(space->keyspace, key);
    }
}

} // namespace shardwise
