#include "monitor/queries.hpp"

#include "monitor/monitor.hpp"
#include "monitor/shared.hpp"
#include "pg/query_tree.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "mb/pg_wchar.h"
#include "storage/spin.h"
}

namespace shardwise
{

// How much a query's use counts for less with each round of evictions, and how many leave in one.
static constexpr double decay = 0.99;
static constexpr int evicted_percent = 5;

int max_tracked_queries = 1000;
static bool track_queries = true;

static int compare_usage(const void *a, const void *b)
{
    double left = (*static_cast<QueryCounters *const *>(a))->usage;
    double right = (*static_cast<QueryCounters *const *>(b))->usage;
    return left < right ? -1 : left > right ? 1 : 0;
}

// The one that this backend counted last. Removed ones lose their key, so that it can be told.
static QueryCounters *latest = nullptr;

// The lock is held exclusive.
static void remove_query(QueryCounters *query)
{
    (void)hash_search(query_counters, &query->key, HASH_REMOVE, nullptr);
    memset(&query->key, 0, sizeof(query->key));
}

// Makes room: the least used go. The lock is held exclusive.
static void evict_queries()
{
    int count = 0;
    QueryCounters **all = static_cast<QueryCounters **>(
        palloc(sizeof(QueryCounters *) * hash_get_num_entries(query_counters)));
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, query_counters);
    while (QueryCounters *query = static_cast<QueryCounters *>(hash_seq_search(&scan))) {
        query->usage *= decay;
        all[count++] = query;
    }
    qsort(all, count, sizeof(QueryCounters *), compare_usage);
    int victims = std::min(count, std::max(1, count * evicted_percent / 100));
    for (int i = 0; i < victims; i++)
        remove_query(all[i]);
    pfree(all);
}

static QueryCounters *find_query(const QueryKey &key)
{
    if (latest == nullptr || memcmp(&latest->key, &key, sizeof(key)) != 0)
        latest =
            static_cast<QueryCounters *>(hash_search(query_counters, &key, HASH_FIND, nullptr));
    return latest;
}

// The lock is held exclusive.
static QueryCounters *add_query(const QueryKey &key, const char *text)
{
    if (hash_get_num_entries(query_counters) >= max_tracked_queries)
        evict_queries();
    bool found;
    QueryCounters *query =
        static_cast<QueryCounters *>(hash_search(query_counters, &key, HASH_ENTER, &found));
    if (found)
        return query;
    memset(reinterpret_cast<char *>(query) + sizeof(QueryKey), 0,
           sizeof(QueryCounters) - sizeof(QueryKey));
    SpinLockInit(&query->mutex);
    int length = pg_mbcliplen(text, (int)strlen(text), max_query_text - 1);
    memcpy(query->text, text, length);
    return query;
}

static void add_run(QueryCounters *query, const QueryRun &run)
{
    SpinLockAcquire(&query->mutex);
    query->min_time =
        query->calls == 0 ? run.microseconds : std::min(query->min_time, run.microseconds);
    query->max_time = std::max(query->max_time, run.microseconds);
    query->total_time += run.microseconds;
    query->calls++;
    query->usage++;
    if (run.tier >= 0)
        query->tiers[run.tier]++;
    query->rows += run.rows;
    query->shards += run.shards;
    SpinLockRelease(&query->mutex);
}

bool tracks_queries()
{
    return track_queries && query_counters != nullptr;
}

void count_query(const QueryRun &run)
{
    QueryKey key;
    memset(&key, 0, sizeof(key));
    key.query_id = run.query_id;
    key.database = MyDatabaseId;
    key.role = GetUserId();

    LWLockAcquire(shared_monitor->query_lock, LW_SHARED);
    QueryCounters *query = find_query(key);
    if (query == nullptr) {
        LWLockRelease(shared_monitor->query_lock);
        char *text = normalize_text(run.text, run.location, run.length);
        LWLockAcquire(shared_monitor->query_lock, LW_EXCLUSIVE);
        query = add_query(key, text);
        pfree(text);
    }
    add_run(query, run);
    LWLockRelease(shared_monitor->query_lock);
}

void identify_query(Query *query, const char *text)
{
    if (query->queryId != 0)
        return;
    // The server's own setting may be off, which JumbleQuery() asserts that it is not.
    int setting = compute_query_id;
    compute_query_id = COMPUTE_QUERY_ID_ON;
    List *rows = shorten_values(query);
    PG_TRY();
    {
        compute_query_identifier(query, text);
    }
    PG_FINALLY();
    {
        compute_query_id = setting;
        restore_values(rows);
    }
    PG_END_TRY();
}

void reset_queries()
{
    LWLockAcquire(shared_monitor->query_lock, LW_EXCLUSIVE);
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, query_counters);
    while (QueryCounters *query = static_cast<QueryCounters *>(hash_seq_search(&scan)))
        if (query->key.database == MyDatabaseId)
            remove_query(query);
    LWLockRelease(shared_monitor->query_lock);
}

void init_query_settings()
{
    DefineCustomBoolVariable("shardwise.track_queries",
                             "Counts the statements that shards answer, in view stat_queries.",
                             nullptr, &track_queries, true, PGC_SUSET, 0, nullptr, nullptr,
                             nullptr);
    DefineCustomIntVariable(
        "shardwise.max_tracked_queries", "Number of queries in view stat_queries.",
        "Where there are more, the least used are dropped.", &max_tracked_queries, 1000, 100,
        1000000, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
}

} // namespace shardwise
