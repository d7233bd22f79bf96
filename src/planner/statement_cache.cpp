#include "planner/statement_cache.hpp"

#include "monitor/monitor.hpp"
#include "planner/bound_plan.hpp"
#include "planner/early_routing.hpp"
#include "planner/normalize.hpp"
#include "planner/table_size.hpp"

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

// A plan for all statements of one shape.
struct KeptPlan {
    PlannedStmt *statement; // nullptr: none
    bool outputs_hold_constants;
};

// One shape of a query. Entries of equal hash form a chain.
struct CachedStatement {
    dlist_node lru;
    MemoryContext context; // holds this struct and everything below
    uint64 hash;
    Query *shape;
    KeptPlan route;   // of one shard
    char *refusal;    // without, why
    KeptPlan scatter; // of one query to all shards
    bool scatter_tried;
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

// Copies a plan into the current context, for good.
KeptPlan keep(const PlannedStmt *statement)
{
    if (statement == nullptr)
        return {};
    PlannedStmt *kept = copy_node(statement);
    share_parts(bindable_route(kept));
    return {kept, outputs_hold_constants(kept)};
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
    statement->route = keep(plan);
    statement->refusal = refusal != nullptr ? pstrdup(refusal) : nullptr;
    statement->relations = list_copy(relations);
    MemoryContextSwitchTo(saved);
    MemoryContextSetParent(context, CacheMemoryContext);
    store_statement(statement);
    return statement;
}

// ---- from the cached plan to the plan of one statement
// --------------------------------------------

PlannedStmt *instantiate(const KeptPlan *kept, uint64 query_id, const Query *query, List *constants)
{
    PlannedStmt *plan = (PlannedStmt *)palloc(sizeof(PlannedStmt));
    *plan = *kept->statement;
    plan->planTree = bind_plan(plan->planTree, constants, kept->outputs_hold_constants);
    plan->queryId = query->queryId != 0 ? query->queryId : query_id;
    plan->canSetTag = query->canSetTag;
    plan->stmt_location = query->stmt_location;
    plan->stmt_len = query->stmt_len;
    return plan;
}

// ---- one query to all shards -------------------------------------------------------------------

// Many rows are worth a plan that knows the constants, and read by a text that has them. What was
// inlined of functions depends on the role and its search_path.
bool is_worth_keeping(const PlannedStmt *plan, bool has_constants)
{
    if (plan->invalItems != NIL || !is_bindable(plan))
        return false;
    return !has_constants || yields_few_rows(bindable_route(plan)->query);
}

// Cursors want other plans.
bool may_be_kept(const PlannerCall &call)
{
    return call.query->commandType == CMD_SELECT && call.query->rowMarks == NIL &&
           !call.query->hasModifyingCTE && (call.cursor_options & ~CURSOR_OPT_PARALLEL_OK) == 0;
}

// Plans the shape itself: its parameters stay what they are.
void try_scatter(CachedStatement *statement, const PlannerCall &call, List *constants)
{
    Query *shape = copy_node(call.query);
    PlannedStmt *plan = plan_one_scatter({shape, call.text, call.cursor_options, nullptr});
    statement->scatter_tried = true;
    if (plan == nullptr || !is_worth_keeping(plan, constants != NIL))
        return;
    MemoryContext saved = MemoryContextSwitchTo(statement->context);
    statement->scatter = keep(plan);
    MemoryContextSwitchTo(saved);
}

PlannedStmt *plan_kept_scatter(CachedStatement *statement, const PlannerCall &call, List *constants)
{
    if (!may_be_kept(call))
        return nullptr;
    if (!statement->scatter_tried)
        try_scatter(statement, call, constants);
    if (statement->scatter.statement == nullptr)
        return nullptr;
    return instantiate(&statement->scatter, statement->query_id, call.query, constants);
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

PlannedStmt *plan_statement(const PlannerCall &call, Refusal *refusal)
{
    Query *query = call.query;
    NormalizedQuery normalized = normalize_query(query);
    if (buckets == nullptr)
        create_cache();
    retire_invalid();

    CachedStatement *statement = find_statement(normalized.hash, query);
    if (statement == nullptr)
        statement = add_statement(normalized, query, call.text);
    dlist_move_head(&lru, &statement->lru);
    if (statement->route.statement == nullptr) {
        *refusal = pstrdup(statement->refusal);
    } else {
        PlannedStmt *plan =
            instantiate(&statement->route, statement->query_id, query, normalized.constants);
        const Route *route = get_route((CustomScan *)plan->planTree);
        if (goes_to_many(route) || leads_to_one_shard(plan, call.params))
            return plan;
        *refusal = pstrdup("Its keys may be on several shards.");
    }
    if (PlannedStmt *plan = plan_kept_scatter(statement, call, normalized.constants))
        return plan;
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
