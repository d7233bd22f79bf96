#include "planner/statement_cache.hpp"

#include "monitor/monitor.hpp"
#include "planner/early_routing.hpp"
#include "planner/normalize.hpp"

extern "C" {
#include "lib/ilist.h"
#include "optimizer/optimizer.h"
#include "utils/hsearch.h"
}

namespace shardwise
{

namespace
{

int cache_size = 1000;

// One shape of a query. Entries of equal hash form a chain.
struct CachedStatement {
    dlist_node lru;
    MemoryContext context; // holds this struct and everything below
    uint64 hash;
    Query *shape;
    PlannedStmt *plan;     // nullptr: no single shard can answer
    char *refusal;         // then, why
    List *relations;       // Oids that the plan, or the refusal, depends on
    uint64 query_id;       // for statements that PostgreSQL has given none
    CachedStatement *next; // same hash
    bool is_valid;
};

struct Bucket {
    uint64 hash; // key
    CachedStatement *first;
};

HTAB *buckets = nullptr;
dlist_head lru = DLIST_STATIC_INIT(lru); // most recently used first
int entries = 0;
bool any_invalid = false;
List *retired = NIL; // contexts to be freed when the transaction ends

void create_cache()
{
    HASHCTL control = {};
    control.keysize = sizeof(uint64);
    control.entrysize = sizeof(Bucket);
    control.hcxt = CacheMemoryContext;
    buckets =
        hash_create("shardwise statements", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

// Takes an entry out of the cache. Plans made from it may still run.
void retire(CachedStatement *statement)
{
    Bucket *bucket = (Bucket *)hash_search(buckets, &statement->hash, HASH_FIND, nullptr);
    CachedStatement **link = &bucket->first;
    while (*link != statement)
        link = &(*link)->next;
    *link = statement->next;
    if (bucket->first == nullptr)
        hash_search(buckets, &statement->hash, HASH_REMOVE, nullptr);
    dlist_delete(&statement->lru);
    entries--;

    MemoryContext saved = MemoryContextSwitchTo(CacheMemoryContext);
    retired = lappend(retired, statement->context);
    MemoryContextSwitchTo(saved);
}

void retire_invalid()
{
    if (!any_invalid)
        return;
    any_invalid = false;
    dlist_mutable_iter iter;
    dlist_foreach_modify(iter, &lru)
    {
        CachedStatement *statement = dlist_container(CachedStatement, lru, iter.cur);
        if (!statement->is_valid)
            retire(statement);
    }
}

CachedStatement *find_statement(uint64 hash, Query *shape)
{
    Bucket *bucket = (Bucket *)hash_search(buckets, &hash, HASH_FIND, nullptr);
    if (bucket == nullptr)
        return nullptr;
    // The length of the text is not part of the shape, but equal() looks at it.
    int length = shape->stmt_len;
    shape->stmt_len = 0;
    CachedStatement *statement = bucket->first;
    while (statement != nullptr && !equal(statement->shape, shape))
        statement = statement->next;
    shape->stmt_len = length;
    return statement;
}

void store_statement(CachedStatement *statement)
{
    while (entries >= cache_size)
        retire(dlist_container(CachedStatement, lru, dlist_tail_node(&lru)));
    bool found;
    Bucket *bucket = (Bucket *)hash_search(buckets, &statement->hash, HASH_ENTER, &found);
    statement->next = found ? bucket->first : nullptr;
    statement->is_valid = true;
    bucket->first = statement;
    dlist_push_head(&lru, &statement->lru);
    entries++;
}

// The id of the query with its constants: the same where it is not planned here.
uint64 find_query_id(Query *shape, List *constants, const char *text)
{
    Query *query = (Query *)restore_constants((Node *)shape, constants);
    identify_query(query, text);
    return query->queryId;
}

// Plans in a context of the entry's own, so that nothing of the planner's garbage stays with it.
CachedStatement *add_statement(const NormalizedQuery &normalized, Query *shape, const char *text)
{
    Refusal refusal = nullptr;
    PlannedStmt *plan = plan_route(shape, &refusal);
    List *relations = NIL;
    List *items = NIL;
    bool has_row_security;
    extract_query_dependencies((Node *)shape, &relations, &items, &has_row_security);

    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "shardwise statement", ALLOCSET_SMALL_SIZES);
    MemoryContext saved = MemoryContextSwitchTo(context);
    CachedStatement *statement = (CachedStatement *)palloc0(sizeof(CachedStatement));
    statement->context = context;
    statement->hash = normalized.hash;
    statement->query_id = find_query_id(shape, normalized.constants, text);
    statement->shape = copy_node(shape);
    statement->shape->stmt_len = 0;
    statement->plan = copy_node(plan);
    statement->refusal = refusal != nullptr ? pstrdup(refusal) : nullptr;
    statement->relations = list_copy(relations);
    MemoryContextSwitchTo(saved);
    MemoryContextSetParent(context, CacheMemoryContext);
    store_statement(statement);
    return statement;
}

// ---- from the cached plan to the plan of one statement
// --------------------------------------------

List *restore_list(List *exprs, List *constants)
{
    List *restored = NIL;
    ListCell *cell;
    foreach (cell, exprs) {
        Node *expr = (Node *)lfirst(cell);
        bool is_users = IsA(expr, Param) && ((Param *)expr)->paramid < constant_param_base;
        restored = lappend(restored, is_users ? expr : restore_constants(expr, constants));
    }
    return restored;
}

PlannedStmt *instantiate(const CachedStatement *statement, Query *query, List *constants)
{
    PlannedStmt *plan = (PlannedStmt *)palloc(sizeof(PlannedStmt));
    CustomScan *scan = (CustomScan *)palloc(sizeof(CustomScan));
    *plan = *statement->plan;
    *scan = *(CustomScan *)plan->planTree;
    plan->planTree = (Plan *)scan;
    plan->queryId = query->queryId != 0 ? query->queryId : statement->query_id;
    plan->canSetTag = query->canSetTag;
    plan->stmt_location = query->stmt_location;
    plan->stmt_len = query->stmt_len;
    if (constants != NIL) {
        scan->custom_exprs = restore_list(scan->custom_exprs, constants);
        scan->scan.plan.targetlist =
            (List *)restore_constants((Node *)scan->scan.plan.targetlist, constants);
    }
    return plan;
}

// ---- invalidation ------------------------------------------------------------------------------

void invalidate_relation(Datum, Oid relid)
{
    dlist_iter iter;
    if (buckets == nullptr)
        return;
    dlist_foreach(iter, &lru)
    {
        CachedStatement *statement = dlist_container(CachedStatement, lru, iter.cur);
        if (!OidIsValid(relid) || list_member_oid(statement->relations, relid)) {
            statement->is_valid = false;
            any_invalid = true;
        }
    }
}

// A function was redefined, or a schema renamed.
void invalidate_names(Datum, int, uint32)
{
    invalidate_relation(0, InvalidOid);
}

void free_retired(XactEvent event, void *)
{
    if (retired == NIL || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT))
        return;
    ListCell *cell;
    foreach (cell, retired)
        MemoryContextDelete((MemoryContext)lfirst(cell));
    list_free(retired);
    retired = NIL;
}

} // namespace

PlannedStmt *plan_statement(Query *query, const char *text, ParamListInfo params, Refusal *refusal)
{
    NormalizedQuery normalized = normalize_query(query);
    if (buckets == nullptr)
        create_cache();
    retire_invalid();

    CachedStatement *statement = find_statement(normalized.hash, query);
    if (statement == nullptr)
        statement = add_statement(normalized, query, text);
    dlist_move_head(&lru, &statement->lru);
    if (statement->plan == nullptr) {
        *refusal = pstrdup(statement->refusal);
    } else {
        PlannedStmt *plan = instantiate(statement, query, normalized.constants);
        const Route *route = get_route((CustomScan *)plan->planTree);
        if (goes_to_many(route) || leads_to_one_shard(plan, params))
            return plan;
        *refusal = pstrdup("Its keys may be on several shards.");
    }
    // Another planner gets the query next, as it was.
    *query = *(Query *)restore_constants((Node *)query, normalized.constants);
    return nullptr;
}

void init_statement_cache()
{
    DefineCustomIntVariable("shardwise.statement_cache_size",
                            "Number of different statements whose routed plans a backend keeps.",
                            "Statements that differ in constants alone count once.", &cache_size,
                            1000, 1, 1000000, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    CacheRegisterRelcacheCallback(invalidate_relation, 0);
    CacheRegisterSyscacheCallback(PROCOID, invalidate_names, 0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, invalidate_names, 0);
    RegisterXactCallback(free_retired, nullptr);
}

} // namespace shardwise
