#include "planner/planner.hpp"

#include "catalog/catalog.hpp"
#include "pg/nesting.hpp"
#include "pg/restoring.hpp"
#include "planner/route.hpp"
#include "planner/statement_cache.hpp"

extern "C" {
#include "optimizer/planmain.h"
#include "optimizer/planner.h"
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
        return mentions_shards((Query *) node);
    return expression_tree_walker(node, (bool (*)()) mentions_walker, nullptr);
}

// True if some distributed or reference table stands anywhere in the query.
bool mentions_shards(Query *query)
{
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *) lfirst(cell);
        if (rte->rtekind == RTE_RELATION && find_table(rte->relid) != nullptr)
            return true;
        if (rte->rtekind == RTE_SUBQUERY && mentions_shards(rte->subquery))
            return true;
    }
    foreach (cell, query->cteList)
        if (mentions_shards((Query *) ((CommonTableExpr *) lfirst(cell))->ctequery))
            return true;
    return query->hasSubLinks &&
           query_tree_walker(query, (bool (*)()) mentions_walker, nullptr, 0);
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

PlannedStmt *plan_query(Query *query, const char *text, int cursor_options, ParamListInfo params)
{
    // utility statements (DECLARE CURSOR ... ) arrive here with their inner query only
    if (extension_exists() && mentions_shards(query) && !validates_restored_table()) {
        Refusal refusal = nullptr;
        PlannedStmt *plan = plan_statement(query, &refusal);
        if (plan == nullptr)
            refuse(refusal);
        if (wants_backward_scan(cursor_options) && plan->rowMarks == NIL)
            plan->planTree = materialize_finished_plan(plan->planTree);
        return plan;
    }
    if (previous_planner != nullptr)
        return previous_planner(query, text, cursor_options, params);
    return standard_planner(query, text, cursor_options, params);
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
}

} // namespace shardwise
