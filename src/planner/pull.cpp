#include "planner/pull.hpp"

#include "catalog/catalog.hpp"
#include "planner/early_aggregation.hpp"
#include "planner/key_filter.hpp"
#include "planner/remote_join.hpp"
#include "planner/shard_rows.hpp"
#include "planner/table_scan.hpp"
#include "planner/table_size.hpp"

extern "C" {
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_statistic.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/plancat.h"
#include "optimizer/restrictinfo.h"
#include "utils/selfuncs.h"
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

void note_route(Route *route)
{
    // A function that was inlined brings tables into a query that had none: nobody asks then.
    if (planned_routes == nullptr)
        return;
    planned_routes->count++;
    planned_routes->last = route;
}

namespace
{

set_rel_pathlist_hook_type previous_rel_pathlist = nullptr;
get_relation_info_hook_type previous_relation_info = nullptr;
get_relation_stats_hook_type previous_relation_stats = nullptr;

// Makes reading from the shards the only way to scan a relation.
void replace_paths(RelOptInfo *rel, CustomPath *path)
{
    rel->pathlist = NIL;
    rel->partial_pathlist = NIL;
    rel->consider_parallel = false;
    add_path(rel, &path->path);
}

// ---- rows of a remote query -------------------------------------------------------------------

// The columns of a remote query, as entry `varno` shows them.
List *make_rows_tlist(const ShardRows *rows, Index varno)
{
    List *tlist = NIL;
    ListCell *cell;
    foreach (cell, rows->columns) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        Node *expr = (Node *)entry->expr;
        Var *var =
            makeVar(varno, entry->resno, exprType(expr), exprTypmod(expr), exprCollation(expr), 0);
        tlist = lappend(tlist, makeTargetEntry((Expr *)var, entry->resno, nullptr, false));
    }
    return tlist;
}

CustomScan *make_rows_scan(const ShardRows *rows, const char *methods, RelOptInfo *rel)
{
    CustomScan *scan = makeNode(CustomScan);
    scan->scan.plan.targetlist = make_rows_tlist(rows, rel->relid);
    scan->scan.plan.plan_rows = rel->rows;
    scan->flags = CUSTOMPATH_SUPPORT_PROJECTION;
    scan->custom_scan_tlist = make_rows_tlist(rows, rel->relid);
    scan->custom_relids = bms_make_singleton(rel->relid);
    scan->methods = GetCustomScanMethods(methods, false);
    return scan;
}

CustomScan *make_route_scan(const ShardRows *rows, const Route *route, List *values,
                            RelOptInfo *rel)
{
    CustomScan *scan = make_rows_scan(rows, route_scan_name, rel);
    scan->custom_exprs = (List *)copy_node(values);
    scan->custom_private = list_make1(copy_node(route));
    note_route((Route *)linitial(scan->custom_private));
    return scan;
}

extern "C" Plan *plan_rows_scan(PlannerInfo *, RelOptInfo *rel, CustomPath *path, List *tlist,
                                List *clauses, List *)
{
    const ShardRows *rows = (const ShardRows *)linitial(path->custom_private);
    CustomScan *scan = make_route_scan(rows, rows->route, rows->values, rel);
    if (rows->locker != nullptr) {
        CustomScan *locker = make_route_scan(rows, rows->locker, rows->locker_values, rel);
        List *children = list_make2(scan, locker);
        scan = make_rows_scan(rows, lock_scan_name, rel);
        scan->custom_plans = children;
        scan->custom_exprs = list_make1(copy_node(rows->bound));
        scan->custom_private = list_make1(makeBoolean(rows->skips));
    }
    scan->scan.plan.targetlist = tlist;
    scan->scan.plan.qual = extract_actual_clauses(clauses, false);
    scan->flags = path->flags;
    return (Plan *)scan;
}

CustomPathMethods rows_scan_methods = {"shardwise rows scan", plan_rows_scan, nullptr};

// The Oid that a row of a partitioned table shows is the partition's on the router: then each
// partition is a scan.
bool reads_tableoid(const RelOptInfo *rel)
{
    if (!bms_is_empty(rel->attr_needed[TableOidAttributeNumber - rel->min_attr]))
        return true;
    Bitmapset *columns = nullptr;
    pull_varattnos((Node *)extract_actual_clauses(rel->baserestrictinfo, false), rel->relid,
                   &columns);
    return bms_is_member(TableOidAttributeNumber - FirstLowInvalidHeapAttributeNumber, columns);
}

extern "C" void shardwise_rel_pathlist(PlannerInfo *root, RelOptInfo *rel, Index rti,
                                       RangeTblEntry *rte)
{
    if (previous_rel_pathlist != nullptr)
        previous_rel_pathlist(root, rel, rti, rte);
    if (const ShardRows *rows = find_shard_rows(rte)) {
        double share = rel->tuples > 0 ? rel->rows / rel->tuples : 1; // that its conditions leave
        rel->tuples = rows->rows;
        rel->rows = clamp_row_est(rows->rows * share);
        CustomPath *path = make_remote_path(root, rel, &rows_scan_methods, (void *)rows);
        path->path.total_cost += 2 * cpu_operator_cost * rows->scanned;
        // Merged rows come in the order that the query above asks for.
        if (rows->is_ordered)
            path->path.pathkeys = root->sort_pathkeys;
        replace_paths(rel, path);
        return;
    }
    if (rte->rtekind != RTE_RELATION || !extension_exists() || find_table(rte->relid) == nullptr ||
        IS_DUMMY_REL(rel))
        return;
    // The shards have the same partitions, and leave out what they need not read.
    if (rte->inh && rte->relkind == RELKIND_PARTITIONED_TABLE && reads_tableoid(rel))
        return;
    // Those of the Append path that goes: its partitions would apply the conditions of LATERAL, so
    // that it has none itself.
    rel->ppilist = NIL;
    replace_paths(rel, make_table_path(root, rel));
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

// Of rows that shards send, the statistics of the column which theirs shows.
extern "C" bool shardwise_relation_stats(PlannerInfo *root, RangeTblEntry *rte, AttrNumber column,
                                         VariableStatData *data)
{
    if (previous_relation_stats != nullptr && previous_relation_stats(root, rte, column, data))
        return true;
    const ShardRows *rows = rte->rtekind == RTE_FUNCTION ? find_shard_rows(rte) : nullptr;
    if (rows == nullptr || column <= 0 || column > list_length(rows->sources))
        return false;
    const ColumnSource *source = (const ColumnSource *)list_nth(rows->sources, column - 1);
    HeapTuple tuple = source != nullptr ? find_statistics(source->relid, source->attno) : nullptr;
    if (tuple == nullptr)
        return false;
    data->statsTuple = heap_copytuple(tuple);
    data->freefunc = heap_freetuple;
    data->acl_ok = false;
    ReleaseSysCache(tuple);
    if (source->is_grouped) {
        Form_pg_statistic row = (Form_pg_statistic)GETSTRUCT(data->statsTuple);
        row->stakind1 = row->stakind2 = row->stakind3 = row->stakind4 = row->stakind5 = 0;
    }
    return true;
}

} // namespace

void init_pull()
{
    previous_relation_stats = get_relation_stats_hook;
    get_relation_stats_hook = shardwise_relation_stats;
    previous_relation_info = get_relation_info_hook;
    get_relation_info_hook = shardwise_relation_info;
    previous_rel_pathlist = set_rel_pathlist_hook;
    set_rel_pathlist_hook = shardwise_rel_pathlist;
    init_table_scans();
    init_remote_joins();
    init_key_filters();
    init_early_aggregation();
}

} // namespace shardwise
