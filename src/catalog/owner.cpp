// Finds the shard that owns a key.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/shard_map.hpp"
#include "core/shard_map.hpp"

namespace shardwise
{

static int find_by_hash(const Keyspace *keyspace, const KeyIndex *index, int64 hash,
                        const Datum *values)
{
    const int64 *first = index->hashes;
    const int64 *end = first + index->count;
    for (const int64 *at = std::lower_bound(first, end, hash); at != end && *at == hash; at++) {
        int i = at - first;
        if (keys_are_equal(keyspace, &keyspace->map->functions, &index->keys[i * keyspace->nkeys],
                           values))
            return i;
    }
    return -1;
}

static int find_by_order(const Keyspace *keyspace, const KeyIndex *index, const Datum *values)
{
    int low = 0, high = index->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = compare_keys_with(keyspace, &keyspace->map->functions, values,
                                      &index->keys[middle * keyspace->nkeys]);
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

int find_explicit_key(const Keyspace *keyspace, const KeyIndex *index, const Datum *values)
{
    if (index->count == 0)
        return -1;
    if (!index->hashes)
        return find_by_order(keyspace, index, values);
    return find_by_hash(keyspace, index, hash_key_with(keyspace, &keyspace->map->functions, values),
                        values);
}

size_t find_key_range(const Keyspace *keyspace, const Datum *values)
{
    const ShardMap *map = keyspace->map;
    return find_ordered_range(map->count, [=](size_t i) {
        return compare_keys_with(keyspace, &map->functions, values,
                                 &map->bounds[i * keyspace->nkeys]);
    });
}

static int32 find_by_range(const Keyspace *keyspace, const Datum *values)
{
    const ShardMap *map = keyspace->map;
    return map->count == 0 ? keyspace->default_shard
                           : map->owners[find_key_range(keyspace, values)];
}

int32 find_owner(const Keyspace *keyspace, const Datum *values)
{
    const ShardMap *map = keyspace->map;
    if (is_hashed(keyspace)) {
        int64 hash = hash_key_with(keyspace, &map->functions, values);
        if (unlikely(map->pinned.count > 0))
            if (int pin = find_by_hash(keyspace, &map->pinned, hash, values); pin >= 0)
                return map->pinned.owners[pin];
        return map->count == 0 ? 0 : map->owners[find_hash_range(map->lowers, map->count, hash)];
    }

    if (int pin = find_explicit_key(keyspace, &map->pinned, values); pin >= 0)
        return map->pinned.owners[pin];
    if (keyspace->strategy == Strategy::Range)
        return find_by_range(keyspace, values);
    int listed = find_explicit_key(keyspace, &map->listed, values);
    return listed >= 0 ? map->listed.owners[listed] : keyspace->default_shard;
}

int32 any_owner(const Keyspace *keyspace)
{
    const ShardMap *map = keyspace->map;
    if (map->count > 0)
        return map->owners[0];
    if (map->listed.count > 0)
        return map->listed.owners[0];
    return map->pinned.count > 0 ? map->pinned.owners[0] : keyspace->default_shard;
}

static Bitmapset *add_owners(Bitmapset *owners, const int32 *shards, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (shards[i] > 0)
            owners = bms_add_member(owners, shards[i]);
    return owners;
}

List *list_owners(const Keyspace *keyspace)
{
    const ShardMap *map = keyspace->map;
    Bitmapset *owners = add_owners(nullptr, map->owners, map->count);
    owners = add_owners(owners, map->listed.owners, map->listed.count);
    owners = add_owners(owners, map->pinned.owners, map->pinned.count);
    owners = add_owners(owners, &keyspace->default_shard, 1);

    List *shards = NIL;
    for (int shard = -1; (shard = bms_next_member(owners, shard)) >= 0;)
        shards = lappend_int(shards, shard);
    return shards;
}

// Where a key lies with respect to a range: <0 below, 0 inside, >0 above.
static int compare_with_range(const Keyspace *keyspace, const KeyRange *range, const Datum *key)
{
    const KeyFunctions *functions = &keyspace->map->functions;
    int order = compare_prefixes(keyspace, functions, range->nlower, key, range->lower);
    if (order < 0 || (order == 0 && !range->lower_is_inclusive && range->nlower > 0))
        return -1;
    if (range->nupper == 0)
        return 0;
    order = compare_prefixes(keyspace, functions, range->nupper, key, range->upper);
    return order > 0 || (order == 0 && !range->upper_is_inclusive) ? 1 : 0;
}

static List *add_owners_of_keys(List *shards, const Keyspace *keyspace, const KeyRange *range,
                                const KeyIndex *index)
{
    for (int i = 0; i < index->count; i++)
        if (compare_with_range(keyspace, range, &index->keys[i * keyspace->nkeys]) == 0)
            shards = list_append_unique_int(shards, index->owners[i]);
    return shards;
}

// True if a range of the shard map, whose keys are at least `lower` (nullptr: MINVALUE) and less
// than `upper` (nullptr: MAXVALUE), has keys of the other range.
static bool ranges_meet(const Keyspace *keyspace, const KeyRange *range, const Datum *lower,
                        const Datum *upper)
{
    const KeyFunctions *functions = &keyspace->map->functions;
    if (lower != nullptr && compare_with_range(keyspace, range, lower) > 0)
        return false;
    if (upper == nullptr || range->nlower == 0)
        return true;
    int order = compare_prefixes(keyspace, functions, range->nlower, upper, range->lower);
    return order > 0 ||
           (order == 0 && range->lower_is_inclusive && range->nlower < keyspace->nkeys);
}

List *list_owners_between(const Keyspace *keyspace, const KeyRange *range)
{
    const ShardMap *map = keyspace->map;
    size_t nkeys = keyspace->nkeys;
    List *shards = NIL;
    if (keyspace->strategy == Strategy::List) {
        shards = add_owners_of_keys(shards, keyspace, range, &map->listed);
        if (keyspace->default_shard != 0)
            shards = list_append_unique_int(shards, keyspace->default_shard);
    }
    for (size_t i = 0; i < map->count; i++)
        if (ranges_meet(keyspace, range, i > 0 ? &map->bounds[i * nkeys] : nullptr,
                        i + 1 < map->count ? &map->bounds[(i + 1) * nkeys] : nullptr))
            shards = list_append_unique_int(shards, map->owners[i]);
    return add_owners_of_keys(shards, keyspace, range, &map->pinned);
}

} // namespace shardwise
