#include "planner/pull.hpp"

#include "catalog/catalog.hpp"
#include "pg/query_tree.hpp"
#include "planner/locked_rows.hpp"
#include "planner/projection.hpp"
#include "planner/route_planner.hpp"
#include "planner/shard_rows.hpp"
#include "planner/table_size.hpp"

extern "C" {
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/plancat.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
}

namespace shardwise
{

static PlannedRoutes *planned_routes = nullptr; // of the plan that is being made

PlannedRoutes *begin_routes(PlannedRoutes *routes)
{
    PlannedRoutes *before = planned_routes;
    planned_routes = routes;
    return before;
}

void restore_routes(PlannedRoutes *before)
{
    planned_routes = before;
}

namespace
{

set_rel_pathlist_hook_type previous_rel_pathlist = nullptr;
get_relation_info_hook_type previous_relation_info = nullptr;

// From that many rows on, a bulk read is worth its start.
constexpr double bulk_rows = 1000;

// What a round trip and a row on the wire cost, in the planner's units.
constexpr double cost_of_start = 100;
constexpr double cost_of_row = 0.05;

bool has_executor_param(Node *node, void *context)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Param) && ((Param *)node)->paramkind != PARAM_EXTERN)
        return true;
    if (IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) || IsA(node, SubLink) ||
        IsA(node, PlaceHolderVar))
        return true;
    return expression_tree_walker(node, (bool (*)())has_executor_param, context);
}

// A condition that the shard may apply: nothing of the running plan in it, and no function that
// could tell of rows which a security condition still hides.
bool clause_ships(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *info)
{
    Node *clause = (Node *)info->clause;
    if (info->security_level > rel->baserestrict_min_security && !info->leakproof)
        return false;
    return !info->pseudoconstant && !has_executor_param(clause, nullptr) &&
           !contain_volatile_functions(clause) && expression_ships(root->parse, clause);
}

List *shipped_clauses(PlannerInfo *root, RelOptInfo *rel)
{
    List *clauses = NIL;
    ListCell *cell;
    foreach (cell, rel->baserestrictinfo) {
        RestrictInfo *info = (RestrictInfo *)lfirst(cell);
        if (clause_ships(root, rel, info))
            clauses = lappend(clauses, info->clause);
    }
    return clauses;
}

// SELECT columns FROM table WHERE clauses, as a query tree of its own.
Query *make_scan_query(RangeTblEntry *rte, int rti, List *columns, List *clauses)
{
    RangeTblEntry *table = copy_node(rte);
    table->securityQuals = NIL; // they are among the clauses
    table->inFromCl = true;
    table->lateral = false;

    Query *query = make_select_from(table, make_conjunction((List *)copy_node(clauses)));
    ListCell *cell;
    foreach (cell, columns) {
        int number = foreach_current_index(cell) + 1;
        query->targetList =
            lappend(query->targetList, makeTargetEntry((Expr *)copy_node((Node *)lfirst(cell)),
                                                       number, psprintf("c%d", number), false));
    }
    ChangeVarNodes((Node *)query, rti, 1, 0);
    return query;
}

// The table's columns that the plan node's output and its own conditions need. The planner may
// still replace the output by another one made of the relation's target. Columns of other tables
// (LATERAL) are parameters by then.
List *needed_columns(RelOptInfo *rel, List *tlist, List *local_clauses)
{
    List *columns = NIL;
    int flags = PVC_RECURSE_PLACEHOLDERS | PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS;
    List *vars = pull_var_clause((Node *)tlist, flags);
    vars = list_concat(vars, pull_var_clause((Node *)rel->reltarget->exprs, flags));
    vars = list_concat(vars, pull_var_clause((Node *)local_clauses, flags));
    ListCell *cell;
    foreach (cell, vars)
        if ((Index)((Var *)lfirst(cell))->varno == rel->relid)
            columns = list_append_unique(columns, lfirst(cell));
    return columns;
}

List *make_scan_tlist(List *columns)
{
    List *tlist = NIL;
    ListCell *cell;
    foreach (cell, columns)
        tlist = lappend(tlist, makeTargetEntry((Expr *)lfirst(cell),
                                               foreach_current_index(cell) + 1, nullptr, false));
    return tlist;
}

// Conditions that the shard does not apply; `clauses` are bare once the plan is made.
List *remaining_clauses(PlannerInfo *root, List *infos, List *shipped)
{
    List *remaining = NIL;
    ListCell *cell;
    foreach (cell, infos) {
        RestrictInfo *info = (RestrictInfo *)lfirst(cell);
        if (!info->pseudoconstant && !list_member_ptr(shipped, info->clause))
            remaining = lappend(remaining, info->clause);
    }
    return remaining;
}

void note_route(Route *route)
{
    // A function that was inlined brings tables into a query that had none: nobody asks then.
    if (planned_routes == nullptr)
        return;
    planned_routes->count++;
    planned_routes->last = route;
}

extern "C" Plan *plan_table_scan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
                                 List *clauses, List *)
{
    List *shipped = path->custom_private;
    List *local = remaining_clauses(root, clauses, shipped);
    List *columns = needed_columns(rel, tlist, local);
    Query *query =
        make_scan_query(planner_rt_fetch(rel->relid, root), rel->relid, columns, shipped);

    Shipping shipping = {};
    ship_query(query, &shipping);
    if (shipping.refusal != nullptr)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a table's rows cannot be read from its shards"),
                        errdetail("%s", shipping.refusal)));
    MarkedRows marked = apply_marks(query, &shipping);
    KeyAnalysis analysis = analyze_keys(query);
    List *values = NIL;
    Route *route = compile_route(query, shipping, analysis, &values);
    route->tier = Tier::Pull;
    use_marks(route, marked, &values);

    CustomScan *scan = makeNode(CustomScan);
    scan->scan.plan.targetlist = tlist;
    scan->scan.plan.qual = local;
    scan->flags = path->flags;
    scan->custom_exprs = values;
    scan->custom_private = list_make1(route);
    scan->custom_scan_tlist = make_scan_tlist(columns);
    scan->custom_relids = bms_make_singleton(rel->relid);
    scan->methods = GetCustomScanMethods(route_scan_name, false);
    route->binary_results = columns_travel_in_binary(scan->custom_scan_tlist);
    route->is_bulk = route->binary_results && goes_to_many(route) && route->place_shard == 0 &&
                     rel->rows >= bulk_rows;
    note_route(route);
    return (Plan *)scan;
}

CustomPathMethods table_scan_methods = {"shardwise table scan", plan_table_scan, nullptr};

// Makes reading from the shards the only way to scan a relation.
CustomPath *replace_paths(PlannerInfo *root, RelOptInfo *rel, const CustomPathMethods *methods,
                          List *details)
{
    CustomPath *path = makeNode(CustomPath);
    path->path.pathtype = T_CustomScan;
    path->path.parent = rel;
    path->path.pathtarget = rel->reltarget;
    path->path.param_info = get_baserel_parampathinfo(root, rel, rel->lateral_relids);
    path->path.rows = rel->rows;
    path->path.startup_cost = cost_of_start;
    path->path.total_cost = cost_of_start + cost_of_row * rel->rows;
    path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
    path->custom_private = details;
    path->methods = methods;

    rel->pathlist = NIL;
    rel->partial_pathlist = NIL;
    rel->consider_parallel = false;
    return path;
}

// ---- rows of a remote query -------------------------------------------------------------------

extern "C" Plan *plan_rows_scan(PlannerInfo *, RelOptInfo *rel, CustomPath *path, List *tlist,
                                List *clauses, List *)
{
    const ShardRows *rows = (const ShardRows *)linitial(path->custom_private);
    CustomScan *scan = makeNode(CustomScan);
    scan->scan.plan.targetlist = tlist;
    scan->scan.plan.qual = extract_actual_clauses(clauses, false);
    scan->flags = path->flags;
    scan->custom_exprs = (List *)copy_node(rows->values);
    scan->custom_private = list_make1(copy_node(rows->route));
    ListCell *cell;
    foreach (cell, rows->columns) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        Node *expr = (Node *)entry->expr;
        Var *var = makeVar(rel->relid, entry->resno, exprType(expr), exprTypmod(expr),
                           exprCollation(expr), 0);
        scan->custom_scan_tlist = lappend(
            scan->custom_scan_tlist, makeTargetEntry((Expr *)var, entry->resno, nullptr, false));
    }
    scan->custom_relids = bms_make_singleton(rel->relid);
    scan->methods = GetCustomScanMethods(route_scan_name, false);
    note_route((Route *)linitial(scan->custom_private));
    return (Plan *)scan;
}

CustomPathMethods rows_scan_methods = {"shardwise rows scan", plan_rows_scan, nullptr};

extern "C" void shardwise_rel_pathlist(PlannerInfo *root, RelOptInfo *rel, Index rti,
                                       RangeTblEntry *rte)
{
    if (previous_rel_pathlist != nullptr)
        previous_rel_pathlist(root, rel, rti, rte);
    if (const ShardRows *rows = find_shard_rows(rte)) {
        double share = rel->tuples > 0 ? rel->rows / rel->tuples : 1; // that its conditions leave
        rel->tuples = rows->rows;
        rel->rows = clamp_row_est(rows->rows * share);
        CustomPath *path = replace_paths(root, rel, &rows_scan_methods, list_make1((void *)rows));
        // Merged rows come in the order that the query above asks for.
        if (rows->is_ordered)
            path->path.pathkeys = root->sort_pathkeys;
        add_path(rel, &path->path);
        return;
    }
    if (rte->rtekind != RTE_RELATION || (rte->inh && rte->relkind == RELKIND_PARTITIONED_TABLE) ||
        !extension_exists() || find_table(rte->relid) == nullptr || IS_DUMMY_REL(rel))
        return;
    CustomPath *path = replace_paths(root, rel, &table_scan_methods, shipped_clauses(root, rel));
    add_path(rel, &path->path);
}

extern "C" void shardwise_relation_info(PlannerInfo *root, Oid relid, bool is_parent,
                                        RelOptInfo *rel)
{
    if (previous_relation_info != nullptr)
        previous_relation_info(root, relid, is_parent, rel);
    const Table *table = extension_exists() ? find_table(relid) : nullptr;
    if (table == nullptr)
        return;
    TableSize size = known_size(table);
    rel->tuples = size.rows;
    rel->pages = size.pages;
}

} // namespace

void init_pull()
{
    previous_relation_info = get_relation_info_hook;
    get_relation_info_hook = shardwise_relation_info;
    previous_rel_pathlist = set_rel_pathlist_hook;
    set_rel_pathlist_hook = shardwise_rel_pathlist;
}

} // namespace shardwise
