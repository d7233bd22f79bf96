#include "planner/router_plan.hpp"

#include "pg/query_form.hpp"
#include "pg/query_tree.hpp"
#include "planner/early_aggregation.hpp"
#include "planner/locked_rows.hpp"
#include "planner/route_planner.hpp"
#include "planner/scatter.hpp"
#include "planner/shard_rows.hpp"
#include "planner/subquery_outputs.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

static planner_hook_type next_planner = nullptr;

// What a plan depends on: privileges are checked on the entries of the range table, and the plan is
// made anew when a table changes.
struct Dependencies {
    List *rtable;
    List *relations;
    List *items;
    bool has_row_security;
};

static Dependencies find_dependencies(Query *query)
{
    Dependencies found = {};
    found.rtable = flatten_relations(query);
    extract_query_dependencies((Node *)query, &found.relations, &found.items,
                               &found.has_row_security);
    return found;
}

static void add_dependencies(PlannedStmt *plan, const Dependencies &found)
{
    add_entries(plan, found.rtable);
    plan->relationOids = list_concat_unique_oid(plan->relationOids, found.relations);
    plan->invalItems = list_concat(plan->invalItems, found.items);
    plan->dependsOnRole |= found.has_row_security;
}

// True for a source of rows without a table: long lists of them are worth to be left alone.
static bool reads_values_alone(const Query *query)
{
    if (query->hasSubLinks || query->cteList != NIL || list_length(query->jointree->fromlist) != 1)
        return false;
    Node *from = (Node *)linitial(query->jointree->fromlist);
    return IsA(from, RangeTblRef) &&
           rt_fetch(((RangeTblRef *)from)->rtindex, query->rtable)->rtekind == RTE_VALUES;
}

void set_next_planner(planner_hook_type next)
{
    next_planner = next;
}

PlannedStmt *run_next_planner(const PlannerCall &call)
{
    give_query(call.query);
    PlannedStmt *plan =
        next_planner != nullptr
            ? next_planner(call.query, call.text, call.cursor_options, call.params)
            : standard_planner(call.query, call.text, call.cursor_options, call.params);
    finish_plan(plan);
    return plan;
}

// True for a query that has been cut and reads the shards' rows, and nothing else.
static bool reads_shard_rows_only(const Query *query)
{
    return list_length(query->rtable) == 1 && !query->hasSubLinks &&
           find_shard_rows((RangeTblEntry *)linitial(query->rtable)) != nullptr;
}

// Plans the query, and its form in which shards aggregate early if there is one; takes the cheaper.
static PlannedStmt *plan_cheapest(const PlannerCall &call, PlannedRoutes *routes)
{
    bool is_forced;
    PlannerCall early = call;
    early.query = aggregate_early(call.query, &is_forced);
    PlannedStmt *whole = is_forced && early.query != nullptr ? nullptr : run_next_planner(call);
    if (early.query == nullptr)
        return whole;
    PlannedRoutes early_routes = {};
    PlannedRoutes *before = begin_routes(&early_routes); // the caller restores it after an error
    PlannedStmt *grouped = run_next_planner(early);
    restore_routes(before);
    if (whole != nullptr && whole->planTree->total_cost <= grouped->planTree->total_cost)
        return whole;
    *routes = early_routes;
    return grouped;
}

static PlannedStmt *plan(const PlannerCall &call, PlannedRoutes *routes, bool one_scatter_only)
{
    bool reads_shards = !reads_values_alone(call.query);
    // The cut query no longer shows all of it. (Rows of VALUES are not cut.)
    List *rows = shorten_values(call.query);
    Dependencies dependencies = find_dependencies(call.query);
    restore_values(rows);
    PlannedStmt *volatile made = nullptr;
    *routes = PlannedRoutes{};
    List *rows_before = begin_shard_rows();
    PlannedRoutes *routes_before = begin_routes(routes);
    PG_TRY();
    {
        if (reads_shards) {
            mark_locking_clauses(call.query);
            drop_unused_outputs(call.query);
            scatter_query(call.query);
        }
        if (!one_scatter_only || reads_shard_rows_only(call.query))
            made = reads_shards && !one_scatter_only ? plan_cheapest(call, routes)
                                                     : run_next_planner(call);
    }
    PG_FINALLY();
    {
        restore_shard_rows(rows_before);
        restore_routes(routes_before);
    }
    PG_END_TRY();
    if (made != nullptr)
        add_dependencies(made, dependencies);
    return made;
}

PlannedStmt *plan_on_router(const PlannerCall &call, PlannedRoutes *routes)
{
    return plan(call, routes, false);
}

PlannedStmt *plan_one_scatter(const PlannerCall &call)
{
    PlannedRoutes routes;
    PlannedStmt *statement = plan(call, &routes, true);
    if (statement != nullptr && routes.count == 1) // 0: nobody wants the rows
        routes.last->is_only_scan = true;
    return statement;
}

CustomScan *put_node_on_top(PlannedStmt *plan, const char *methods)
{
    CustomScan *scan = makeNode(CustomScan);
    RangeTblEntry *rte = makeNode(RangeTblEntry);
    List *columns = NIL;
    List *output = NIL;
    ListCell *cell;
    int varno = list_length(plan->rtable) + 1;
    rte->rtekind = RTE_NAMEDTUPLESTORE;
    rte->eref = makeAlias("rows", NIL);
    foreach (cell, plan->planTree->targetlist) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        Node *expr = (Node *)entry->expr;
        int number = foreach_current_index(cell) + 1;
        char *name = pstrdup(entry->resname != nullptr ? entry->resname : "?column?");
        rte->eref->colnames = lappend(rte->eref->colnames, makeString(name));
        Var *var = makeVar(varno, number, exprType(expr), exprTypmod(expr), exprCollation(expr), 0);
        columns = lappend(columns, makeTargetEntry((Expr *)var, number, name, false));
        Var *shown = copy_node(var);
        shown->varno = INDEX_VAR;
        TargetEntry *passed = flatCopyTargetEntry(entry);
        passed->expr = (Expr *)shown;
        output = lappend(output, passed);
    }
    // The list may be a cached plan's.
    plan->rtable = lappend(list_copy(plan->rtable), rte);
    scan->scan.plan.targetlist = output;
    scan->scan.plan.startup_cost = plan->planTree->startup_cost;
    scan->scan.plan.total_cost = plan->planTree->total_cost;
    scan->scan.plan.plan_rows = plan->planTree->plan_rows;
    scan->flags = CUSTOMPATH_SUPPORT_PROJECTION;
    scan->custom_plans = list_make1(plan->planTree);
    scan->custom_scan_tlist = columns;
    scan->methods = GetCustomScanMethods(methods, false);
    plan->planTree = (Plan *)scan;
    return scan;
}

} // namespace shardwise
