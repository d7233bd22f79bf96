// keyspace_sizes(): what each shard holds of a keyspace, for view balance.
#include "pg/pg.hpp"

#include "reshard/plan_make.hpp"

namespace shardwise
{

static int compare_samples(const void *left, const void *right, void *keyspace)
{
    return compare_keys(static_cast<const Keyspace *>(keyspace), *static_cast<Datum *const *>(left),
                        *static_cast<Datum *const *>(right));
}

// A key that was drawn often is a hot one; few draws say nothing.
static constexpr int least_sample = 100;

// The part of a sample that its most frequent key makes up; 0 where the sample is small.
static double hottest_share(const Keyspace *keyspace, const ShardSize *size)
{
    if (size->nsample < least_sample)
        return 0;
    qsort_arg(size->sample, size->nsample, sizeof(Datum *), compare_samples,
              const_cast<Keyspace *>(keyspace));
    int most = 0, run = 0;
    for (int i = 0; i < size->nsample; i++) {
        bool same = i > 0 && compare_keys(keyspace, size->sample[i - 1], size->sample[i]) == 0;
        run = same ? run + 1 : 1;
        most = Max(most, run);
    }
    return static_cast<double>(most) / size->nsample;
}

static bool is_ordered(const Keyspace *keyspace)
{
    for (int i = 0; i < keyspace->nkeys; i++)
        if (!OidIsValid(lookup_type_cache(keyspace->key_types[i], TYPECACHE_CMP_PROC)->cmp_proc))
            return false;
    return true;
}

} // namespace shardwise

using namespace shardwise;

SHARDWISE_FUNCTION(shardwise_keyspace_sizes)
{
    const Keyspace *keyspace = find_keyspace(PG_GETARG_INT32(0));
    require_plan_privilege(list_keyspace_tables(keyspace->id));
    InitMaterializedSRF(fcinfo, 0);
    auto *out = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);

    List *ids = NIL;
    const Shard *const *shards;
    int count = list_shards(&shards);
    for (int i = 0; i < count; i++)
        ids = lappend_int(ids, shards[i]->id);
    bool with_sample = is_ordered(keyspace);
    KeyspaceSizes *sizes = measure_keyspace(keyspace, ids, with_sample);
    for (int i = 0; i < sizes->nshards; i++) {
        const ShardSize *size = &sizes->shards[i];
        const Shard *shard = find_shard(size->shard);
        NameData name = shard->name;
        Datum values[] = {NameGetDatum(&name), Float8GetDatum(shard->weight),
                          Float8GetDatum(size->rows), Float8GetDatum(size->bytes),
                          Float8GetDatum(with_sample ? hottest_share(keyspace, size) : 0)};
        bool nulls[lengthof(values)] = {};
        tuplestore_putvalues(out->setResult, out->setDesc, values, nulls);
    }
    PG_RETURN_NULL();
}
