#include "planner/planner.hpp"

#include "catalog/catalog.hpp"
#include "monitor/monitor.hpp"
#include "pg/nesting.hpp"
#include "pg/query_form.hpp"
#include "pg/restoring.hpp"
#include "pg/versions.hpp"
#include "planner/changes.hpp"
#include "planner/compared_ctids.hpp"
#include "planner/conflict_planner.hpp"
#include "planner/cursor_plan.hpp"
#include "planner/kept_target.hpp"
#include "planner/late_checks.hpp"
#include "planner/modify_plan.hpp"
#include "planner/modify_planner.hpp"
#include "planner/pull.hpp"
#include "planner/returning_planner.hpp"
#include "planner/route.hpp"
#include "planner/route_planner.hpp"
#include "planner/router_plan.hpp"
#include "planner/statement_cache.hpp"
#include "planner/statement_ids.hpp"
#include "planner/with_planner.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "optimizer/planner.h"
#include "parser/parsetree.h"
#include "tcop/utility.h"
}

namespace shardwise
{

namespace
{

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

[[noreturn]] void refuse(const char *command, const char *reason)
{
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("this form of %s is not supported on the shards", command),
                    errdetail("%s", reason)));
}

// Constraints that a restored dump adds are validated on the router, where they stay.
bool validates_restored_table()
{
    return utility_depth > 0 && session_restores_dump();
}

// True if a statement inside (WITH) changes rows of a distributed or reference table.
bool changes_inside(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())changes_inside, nullptr);
    Query *query = (Query *)node;
    if (query->resultRelation > 0 &&
        find_table(rt_fetch(query->resultRelation, query->rtable)->relid) != nullptr)
        return true;
    return query_tree_walker(query, (bool (*)())changes_inside, nullptr, 0);
}

// The target of a write is on the shards.
bool changes_shards(const Query *query)
{
    return query->resultRelation > 0 &&
           find_table(rt_fetch(query->resultRelation, query->rtable)->relid) != nullptr;
}

PlannedStmt *plan_query(const PlannerCall &call);

// Joins and computes on the router what several shards hold, and brings back what is to be written.
PlannedStmt *plan_pull(const PlannerCall &call, Refusal refusal)
{
    if (tracks_queries())
        identify_query(call.query, call.text);
    bool changes = changes_shards(call.query);
    if (changes && returns_versions(call.query->returningList))
        refuse(GetCommandTagName(CreateCommandTag((Node *)call.query)),
               "Old and new values are returned only by writes that run on the shards whole.");
    bool changes_any = changes || changes_inside((Node *)call.query, nullptr);
    Refusal mixed = compare_places(call.query, changes_any);
    if (mixed != nullptr && changes_any)
        refuse(GetCommandTagName(CreateCommandTag((Node *)call.query)), mixed);
    if (call.query->hasModifyingCTE && changes_any) {
        PlannedStmt *plan = plan_with(call, plan_query, &refusal);
        if (plan == nullptr)
            refuse("WITH", refusal);
        return plan;
    }
    if (changes) {
        PlannerCall again = call;
        bool checks = must_check_late(call.query);
        bool returns = checks || returns_subqueries(call.query);
        bool updates = may_run_in_parts(call.query);
        again.query = returns || updates ? copy_node(call.query) : nullptr;
        PlannedStmt *plan = checks ? nullptr : plan_modify(call, &refusal);
        if (plan == nullptr && returns)
            plan = plan_returning(again, plan_query, &refusal);
        else if (plan == nullptr && updates)
            plan = plan_conflict(again, plan_query, &refusal);
        if (plan == nullptr)
            refuse(GetCommandTagName(CreateCommandTag((Node *)call.query)), refusal);
        return plan;
    }
    List *row_marks = name_row_marks(call.query);
    PlannedRoutes routes;
    PlannedStmt *plan = plan_on_router(call, &routes);
    if (routes.count == 1)
        routes.last->is_only_scan = true;
    if (plan->rowMarks == NIL)
        plan->rowMarks = row_marks;
    return plan;
}

// PostgreSQL has references to the node below set afterwards; EXPLAIN shows by them what comes out.
Plan *materialize(Plan *plan)
{
    Plan *material = materialize_finished_plan(plan);
    material->targetlist = NIL;
    ListCell *cell;
    foreach (cell, plan->targetlist) {
        TargetEntry *entry = flatCopyTargetEntry((TargetEntry *)lfirst(cell));
        entry->expr = (Expr *)makeVarFromTargetEntry(OUTER_VAR, entry);
        material->targetlist = lappend(material->targetlist, entry);
    }
    return material;
}

PlannedStmt *plan_for_shards(const PlannerCall &call)
{
    Refusal refusal = nullptr;
    if (is_bulk_insert(call.query) || call.query->commandType == CMD_MERGE ||
        find_kept_target(call.query) != nullptr)
        return plan_pull(call, refusal);
    PlannedStmt *plan = plan_statement(call, &refusal);
    if (plan == nullptr)
        return plan_pull(call, refusal);
    if (wants_backward_scan(call.cursor_options) && plan->rowMarks == NIL)
        plan->planTree = materialize(plan->planTree);
    return plan;
}

PlannedStmt *plan_query(const PlannerCall &call)
{
    if (!extension_exists() || !mentions_shards(call.query) || validates_restored_table())
        return run_next_planner(call);
    take_query(call.query);
    if (call.query->commandType == CMD_INSERT)
        gather_insert_source(call.query);
    List *placed_tables = add_place_columns(call);
    PlannedStmt *plan = plan_for_shards(call);
    if (placed_tables != NIL)
        watch_places(plan, placed_tables);
    return plan;
}

// Of the user's own statement: this code gives MERGE a RETURNING list, to see what it did.
void refuse_newer_merge(const Query *query)
{
    const char *feature = changes_shards(query) ? newer_merge_feature(query) : nullptr;
    if (feature != nullptr)
        refuse("MERGE", psprintf("%s is only for tables of the router.", feature));
    ListCell *cell;
    foreach (cell, query->cteList)
        refuse_newer_merge((Query *)lfirst_node(CommonTableExpr, cell)->ctequery);
}

extern "C" PlannedStmt *shardwise_planner(Query *query, const char *text, int cursor_options,
                                          ParamListInfo params)
{
    if ((query->commandType == CMD_MERGE || query->hasModifyingCTE) && extension_exists())
        refuse_newer_merge(query);
    return plan_query({query, text, cursor_options, params});
}

} // namespace

void init_planner()
{
    set_next_planner(planner_hook);
    init_modify_plan();
    init_statement_ids();
    planner_hook = shardwise_planner;
    init_route();
    init_statement_cache();
    init_pull();
}

} // namespace shardwise
