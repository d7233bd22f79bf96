#include "core/splits.hpp"

#include <stdexcept>

#include "core/no_postgres.hpp"

namespace shardwise
{

std::vector<int32_t> assign_keys(size_t keys, const std::vector<int32_t> &shards)
{
    if (keys > 0 && shards.empty())
        throw std::invalid_argument("no shard was given to own the ranges");

    std::vector<int32_t> owners;
    for (size_t i = 0; i < keys; i++)
        owners.push_back(shards[i % shards.size()]);
    return owners;
}

std::vector<int32_t> assign_ranges(size_t splits, const std::vector<int32_t> &shards,
                                   std::optional<int32_t> default_shard)
{
    if (!default_shard)
        return assign_keys(splits + 1, shards);
    if (splits == 0)
        return {*default_shard};

    std::vector<int32_t> owners = assign_keys(splits - 1, shards);
    owners.insert(owners.begin(), *default_shard);
    owners.push_back(*default_shard);
    return owners;
}

} // namespace shardwise
