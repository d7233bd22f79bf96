#include "planner/planner.hpp"

#include "catalog/catalog.hpp"
#include "pg/nesting.hpp"
#include "pg/restoring.hpp"
#include "planner/pull.hpp"
#include "planner/route.hpp"
#include "planner/route_planner.hpp"
#include "planner/scatter.hpp"
#include "planner/shard_rows.hpp"
#include "planner/statement_cache.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "optimizer/planner.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

planner_hook_type previous_planner = nullptr;

bool mentions_shards(Query *query);

bool mentions_walker(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Query))
        return mentions_shards((Query *)node);
    return expression_tree_walker(node, (bool (*)())mentions_walker, nullptr);
}

// True if some distributed or reference table stands anywhere in the query.
bool mentions_shards(Query *query)
{
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (rte->rtekind == RTE_RELATION && find_table(rte->relid) != nullptr)
            return true;
        if (rte->rtekind == RTE_SUBQUERY && mentions_shards(rte->subquery))
            return true;
    }
    foreach (cell, query->cteList)
        if (mentions_shards((Query *)((CommonTableExpr *)lfirst(cell))->ctequery))
            return true;
    return query->hasSubLinks && query_tree_walker(query, (bool (*)())mentions_walker, nullptr, 0);
}

// Rows arrive once and in order, so a cursor that may go back keeps them.
bool wants_backward_scan(int cursor_options)
{
    return (cursor_options & CURSOR_OPT_SCROLL) != 0 ||
           ((cursor_options & CURSOR_OPT_FAST_PLAN) != 0 &&
            (cursor_options & CURSOR_OPT_NO_SCROLL) == 0);
}

[[noreturn]] void refuse(const char *reason)
{
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("statement cannot be routed to a single shard"), errdetail("%s", reason)));
}

// Constraints that a restored dump adds are validated on the router, where they stay.
bool validates_restored_table()
{
    return utility_depth > 0 && session_restores_dump();
}

PlannedStmt *run_next_planner(Query *query, const char *text, int cursor_options,
                              ParamListInfo params)
{
    if (previous_planner != nullptr)
        return previous_planner(query, text, cursor_options, params);
    return standard_planner(query, text, cursor_options, params);
}

// True if the query changes or locks rows of a distributed or reference table.
bool writes_shards(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())writes_shards, nullptr);
    Query *query = (Query *)node;
    if (query->resultRelation > 0 &&
        find_table(rt_fetch(query->resultRelation, query->rtable)->relid) != nullptr)
        return true;
    ListCell *cell;
    foreach (cell, query->rowMarks) {
        RangeTblEntry *rte = rt_fetch(((RowMarkClause *)lfirst(cell))->rti, query->rtable);
        if (rte->rtekind == RTE_RELATION && find_table(rte->relid) != nullptr)
            return true;
    }
    return query_tree_walker(query, (bool (*)())writes_shards, nullptr, 0);
}

// Adds to a plan what it depends on: privileges are checked on the entries of the range table, and
// the plan is made anew when a table changes. The cut query no longer shows all of it.
void add_dependencies(PlannedStmt *plan, Query *original)
{
    List *relations = NIL;
    List *items = NIL;
    bool has_row_security = false;
    extract_query_dependencies((Node *)original, &relations, &items, &has_row_security);
    plan->rtable = list_concat(plan->rtable, flatten_relations(original));
    plan->relationOids = list_concat_unique_oid(plan->relationOids, relations);
    plan->invalItems = list_concat(plan->invalItems, items);
    plan->dependsOnRole |= has_row_security;
}

// Joins and computes on the router what several shards hold. Changes stay refused.
PlannedStmt *plan_pull(Query *query, const char *text, int cursor_options, ParamListInfo params,
                       const char *refusal)
{
    if (writes_shards((Node *)query, nullptr))
        refuse(refusal);
    Query *original = copy_node(query);
    PlannedStmt *volatile plan = nullptr;
    PlannedRoutes routes = {};
    List *rows_before = begin_shard_rows();
    PlannedRoutes *routes_before = begin_routes(&routes);
    PG_TRY();
    {
        scatter_query(query);
        plan = run_next_planner(query, text, cursor_options, params);
    }
    PG_FINALLY();
    {
        restore_shard_rows(rows_before);
        restore_routes(routes_before);
    }
    PG_END_TRY();
    if (routes.count == 1)
        routes.last->is_only_scan = true;
    add_dependencies(plan, original);
    return plan;
}

PlannedStmt *plan_query(Query *query, const char *text, int cursor_options, ParamListInfo params)
{
    if (extension_exists() && mentions_shards(query) && !validates_restored_table()) {
        Refusal refusal = nullptr;
        PlannedStmt *plan = plan_statement(query, params, &refusal);
        if (plan == nullptr)
            return plan_pull(query, text, cursor_options, params, refusal);
        if (wants_backward_scan(cursor_options) && plan->rowMarks == NIL)
            plan->planTree = materialize_finished_plan(plan->planTree);
        return plan;
    }
    return run_next_planner(query, text, cursor_options, params);
}

extern "C" PlannedStmt *shardwise_planner(Query *query, const char *text, int cursor_options,
                                          ParamListInfo params)
{
    return plan_query(query, text, cursor_options, params);
}

} // namespace

void init_planner()
{
    previous_planner = planner_hook;
    planner_hook = shardwise_planner;
    init_route();
    init_statement_cache();
    init_pull();
}

} // namespace shardwise
