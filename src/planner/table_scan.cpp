#include "planner/table_scan.hpp"

#include "pg/query_tree.hpp"
#include "pg/types.hpp"
#include "planner/locked_rows.hpp"
#include "planner/packed_place.hpp"
#include "planner/projection.hpp"
#include "planner/pull.hpp"
#include "planner/route_planner.hpp"
#include "planner/table_size.hpp"

extern "C" {
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paramassign.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

// What a path of a table stands for; lives in its custom_private.
struct TableScan {
    const RemoteSource *source;
    List *local;          // bare conditions on the rows of a join that the router applies
    bool is_whole;        // it applies none
    double rows;          // that the shards' conditions leave
    KeyFilter *filter;    // nullptr: all rows
    const OpExpr *lookup; // column = value that changes with each run; nullptr: there is none
    bool column_is_left;
};

int max_lookups = -1; // by cost

// The most that cost may decide on.
constexpr double most_lookups = 1000;

// From that many rows on, a bulk read is worth its start.
constexpr double bulk_rows = 1000;

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

// A condition that the shard may apply: nothing of the running plan in it, nor of a table outside
// (UNION ALL in LATERAL), and no function that could tell of rows which a security condition still
// hides.
bool clause_ships(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *info)
{
    if (info->security_level > rel->baserestrict_min_security && !info->leakproof)
        return false;
    return !info->pseudoconstant && bms_is_subset(info->clause_relids, rel->relids) &&
           condition_ships(root, (Node *)info->clause);
}

List *shipped_infos(PlannerInfo *root, RelOptInfo *rel)
{
    List *infos = NIL;
    ListCell *cell;
    foreach (cell, rel->baserestrictinfo)
        if (clause_ships(root, rel, (RestrictInfo *)lfirst(cell)))
            infos = lappend(infos, lfirst(cell));
    return infos;
}

// The columns of the relation's tables that the plan node's output and its own conditions need. The
// planner may still replace the output by another one made of the relation's target. Columns of
// other tables (LATERAL) are parameters by then.
List *needed_columns(const RelOptInfo *rel, List *tlist, List *local_clauses)
{
    List *columns = NIL;
    int flags = PVC_RECURSE_PLACEHOLDERS | PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS;
    List *vars = pull_var_clause((Node *)tlist, flags);
    vars = list_concat(vars, pull_var_clause((Node *)rel->reltarget->exprs, flags));
    vars = list_concat(vars, pull_var_clause((Node *)local_clauses, flags));
    ListCell *cell;
    foreach (cell, vars)
        if (bms_is_member(((Var *)lfirst(cell))->varno, rel->relids))
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
List *remaining_clauses(List *infos, List *shipped)
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

// The filter as a condition; its keys are a parameter that the executor fills in.
Expr *make_filter_clause(const KeyFilter *filter)
{
    Param *keys = make_parameter(keys_param_id, get_array_type(filter->type),
                                 exprCollation((Node *)filter->key));
    return make_any(filter->op, (Expr *)copy_node((Node *)filter->column), (Expr *)keys,
                    filter->collation);
}

// ---- lookups -----------------------------------------------------------------------------------

// The value that a scan looks for, as a parameter of its statement.
Param *make_lookup_param(const Node *value)
{
    return make_parameter(lookup_param_id, exprType(value), exprCollation(value));
}

OpExpr *make_lookup_clause(const TableScan *scan)
{
    OpExpr *clause = copy_node(scan->lookup);
    int i = scan->column_is_left ? 1 : 0;
    lfirst(list_nth_cell(clause->args, i)) =
        make_lookup_param((Node *)list_nth(scan->lookup->args, i));
    return clause;
}

// The conditions of the statement that looks rows up.
List *make_lookup_clauses(const TableScan *scan)
{
    OpExpr *clause = make_lookup_clause(scan);
    Node *column = (Node *)list_nth(clause->args, scan->column_is_left ? 0 : 1);
    Node *value = (Node *)list_nth(clause->args, scan->column_is_left ? 1 : 0);
    if (!is_packed_place(column))
        return list_make1(clause);
    return list_make2(is_at_own_part(ctid_of_place(column), (Expr *)value), clause);
}

bool has_subplan(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) || IsA(node, SubLink) ||
        IsA(node, PlaceHolderVar))
        return true;
    return expression_tree_walker(node, (bool (*)())has_subplan, nullptr);
}

// A value that no row of the scan's own level decides.
bool is_outer_value(Node *node)
{
    return !contain_var_clause(node) && !contain_volatile_functions(node) &&
           has_executor_param(node, nullptr) && !has_subplan(node, nullptr);
}

// True if the condition compares a column with a value that changes with each run, and rows can be
// found by a hash of the column, here as on the shards.
bool can_look_up(PlannerInfo *root, RelOptInfo *rel, const RestrictInfo *info, TableScan *scan)
{
    const OpExpr *clause = (const OpExpr *)info->clause;
    if (!IsA(clause, OpExpr) || list_length(clause->args) != 2 || !op_strict(clause->opno) ||
        !op_hashjoinable(clause->opno, exprType((Node *)linitial(clause->args))))
        return false;
    if (info->security_level > rel->baserestrict_min_security && !info->leakproof)
        return false;
    Node *left = (Node *)linitial(clause->args), *right = (Node *)lsecond(clause->args);
    scan->lookup = clause;
    scan->column_is_left = is_outer_value(right);
    Node *column = scan->column_is_left ? left : right;
    if ((!scan->column_is_left && !is_outer_value(left)) || has_executor_param(column, nullptr) ||
        !contain_var_clause(column) || contain_volatile_functions(column))
        return false;
    if (OidIsValid(clause->inputcollid) && !get_collation_isdeterministic(clause->inputcollid))
        return false;
    Oid op = scan->column_is_left ? get_commutator(clause->opno) : clause->opno;
    Oid column_type = exprType(column), declared_left, declared_right;
    if (!OidIsValid(op))
        return false;
    op_input_types(op, &declared_left, &declared_right);
    return declared_right == column_type &&
           declared_left == exprType(scan->column_is_left ? right : left) &&
           !is_registry_type(declared_left) && !is_registry_type(declared_right) &&
           expression_ships(root->parse, (Node *)make_lookup_clause(scan));
}

void find_lookup(PlannerInfo *root, RelOptInfo *rel, TableScan *scan)
{
    ListCell *cell;
    if (planner_rt_fetch(rel->relid, root)->tablesample != nullptr)
        return; // each run may take another sample
    foreach (cell, rel->baserestrictinfo) {
        TableScan found = *scan;
        if (can_look_up(root, rel, (RestrictInfo *)lfirst(cell), &found)) {
            *scan = found;
            return;
        }
    }
}

// Asking costs a round trip each time, keeping all rows their transfer once: as long as the one has
// cost less than the other would, the shards are asked.
int choose_max_lookups(const TableScan *scan)
{
    if (max_lookups >= 0)
        return max_lookups;
    return (int)Min(1 + cost_of_row * scan->rows / cost_of_start, most_lookups);
}

// ---- the plan node -----------------------------------------------------------------------------

void take_changing_values(List *arguments, List **values)
{
    ListCell *cell;
    foreach (cell, arguments) {
        Node *argument = (Node *)lfirst(cell);
        if (argument == nullptr ||
            (!contain_var_clause(argument) && !has_executor_param(argument, nullptr)))
            continue;
        lfirst(cell) = make_parameter(router_param_base + list_length(*values), exprType(argument),
                                      exprCollation(argument));
        *values = lappend(*values, argument);
    }
}

// What a TABLESAMPLE takes from rows above the scan (LATERAL) or from other parts of the plan is
// the router's to compute, for each run.
bool take_sample_values(Node *node, void *values)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Query))
        return query_tree_walker((Query *)node, (bool (*)())take_sample_values, values,
                                 QTW_EXAMINE_RTES_BEFORE);
    if (!IsA(node, RangeTblEntry))
        return expression_tree_walker(node, (bool (*)())take_sample_values, values);
    if (TableSampleClause *sample = ((RangeTblEntry *)node)->tablesample) {
        List *seed = list_make1(sample->repeatable);
        take_changing_values(sample->args, (List **)values);
        take_changing_values(seed, (List **)values);
        sample->repeatable = (Expr *)linitial(seed);
    }
    return false;
}

// Makes the statement that reads the columns of the rows that satisfy these clauses, too. *values
// receives the expressions of the plan node's custom_exprs.
Route *make_scan_route(PlannerInfo *root, const TableScan *scan, double rows, List *columns,
                       List *clauses, List **values)
{
    Query *query = make_source_query(root, scan->source, columns, clauses);
    Shipping shipping = {};
    take_sample_values((Node *)query, &shipping.router_values);
    bool values_change = shipping.router_values != NIL;
    ship_query(query, &shipping);
    if (shipping.refusal != nullptr)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a table's rows cannot be read from its shards"),
                        errdetail("%s", shipping.refusal)));
    MarkedRows marked = apply_marks(query, &shipping);
    KeyAnalysis analysis = analyze_keys(query);
    Route *route = compile_route(query, shipping, analysis, values);
    route->tier = Tier::Pull;
    route->values_change = values_change;
    use_marks(route, marked, values);
    route->is_selective = is_selective_lookup(query);
    route->binary_results = columns_travel_in_binary(make_scan_tlist(columns));
    route->is_bulk = route->binary_results && goes_to_many(route) && route->place_shard == 0 &&
                     rows >= bulk_rows;
    return route;
}

// The statement with the filter in front, and the one without for the case of too many keys.
void filter_route(PlannerInfo *root, CustomScan *scan, Route *filtered, List *values,
                  KeyFilter *filter)
{
    if (filter->source < 0)
        filter->source = assign_special_exec_param(root);
    filtered->key_source = filter->source;
    filtered->keys_are_places = filter->by_place;
    filtered->statement_id = 0; // the shard plans it by the keys that come
    Route *whole = (Route *)linitial(scan->custom_private);
    whole->first_value = list_length(values);
    scan->custom_private = list_make2(filtered, whole);
    scan->custom_exprs = list_concat(values, scan->custom_exprs);
    // Values that nobody reads: by these the executor knows that the rows change.
    ListCell *cell;
    foreach (cell, filter->rounds) {
        Param *round = make_parameter(lfirst_int(cell), INTERNALOID);
        round->paramkind = PARAM_EXEC;
        scan->custom_exprs = lappend(scan->custom_exprs, round);
    }
}

// The statement that looks rows up in front, and the one for all rows; then the column by which
// they are kept.
void add_lookup_route(const TableScan *table, CustomScan *scan, Route *route, List *values)
{
    const OpExpr *clause = table->lookup;
    Node *left = (Node *)linitial(clause->args), *right = (Node *)lsecond(clause->args);
    lfirst(list_nth_cell(values, route->lookup_param - 1)) =
        copy_node(table->column_is_left ? right : left);
    Route *whole = (Route *)linitial(scan->custom_private);
    whole->first_value = list_length(values);
    scan->custom_private = list_make2(route, whole);
    scan->custom_exprs = list_concat(values, scan->custom_exprs);
    route->lookup_column = list_length(scan->custom_exprs);
    scan->custom_exprs =
        lappend(scan->custom_exprs, copy_node(table->column_is_left ? left : right));
    route->lookup_op = table->column_is_left ? get_commutator(clause->opno) : clause->opno;
    route->lookup_collation = clause->inputcollid;
    route->max_lookups = choose_max_lookups(table);
}

extern "C" Plan *plan_table_scan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
                                 List *clauses, List *)
{
    const TableScan *table = (const TableScan *)linitial(path->custom_private);
    bool is_join = IS_JOIN_REL(rel);
    List *local = is_join ? (List *)copy_node(table->local)
                          : remaining_clauses(clauses, table->source->clauses);
    List *columns = needed_columns(rel, tlist, local);

    CustomScan *scan = makeNode(CustomScan);
    scan->scan.plan.targetlist = tlist;
    scan->scan.plan.qual = local;
    scan->flags = path->flags;
    scan->custom_scan_tlist = make_scan_tlist(columns);
    scan->custom_relids = bms_copy(rel->relids);
    scan->methods = GetCustomScanMethods(route_scan_name, false);
    Route *route = make_scan_route(root, table, table->rows, columns, NIL, &scan->custom_exprs);
    scan->custom_private = list_make1(route);
    if (table->filter != nullptr) {
        List *reduced = list_make1(make_filter_clause(table->filter));
        List *values = NIL;
        route = make_scan_route(root, table, path->path.rows, columns, reduced, &values);
        filter_route(root, scan, route, values, table->filter);
    } else if (table->lookup != nullptr) {
        List *values = NIL;
        route =
            make_scan_route(root, table, rel->rows, columns, make_lookup_clauses(table), &values);
        add_lookup_route(table, scan, route, values);
        note_route(route); // it reads more than once
    }
    note_route(route);
    return (Plan *)scan;
}

CustomPathMethods table_scan_methods = {"shardwise table scan", plan_table_scan, nullptr};

} // namespace

CustomPath *make_remote_path(PlannerInfo *root, RelOptInfo *rel, const CustomPathMethods *methods,
                             void *details)
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
    path->custom_private = list_make1(details);
    path->methods = methods;
    return path;
}

CustomPath *make_table_path(PlannerInfo *root, RelOptInfo *rel)
{
    TableScan *scan = (TableScan *)palloc0(sizeof(TableScan));
    List *infos = shipped_infos(root, rel);
    double share = clauselist_selectivity(root, infos, 0, JOIN_INNER, nullptr);
    RemoteSource *source = make_table_source(rel, infos);
    source->is_distributed = !find_table(planner_rt_fetch(rel->relid, root)->relid)->is_reference;
    scan->source = source;
    scan->is_whole = list_length(infos) == list_length(rel->baserestrictinfo);
    scan->rows = Max(clamp_row_est(rel->tuples * share), rel->rows);
    if (!scan->is_whole)
        find_lookup(root, rel, scan);
    CustomPath *path = make_remote_path(root, rel, &table_scan_methods, scan);
    if (scan->lookup == nullptr)
        path->path.total_cost = cost_of_start + cost_of_row * scan->rows;
    return path;
}

CustomPath *make_filtered_path(const CustomPath *path, KeyFilter *filter, double rows)
{
    TableScan *scan = (TableScan *)palloc0(sizeof(TableScan));
    *scan = *(const TableScan *)linitial(path->custom_private);
    scan->filter = filter;
    CustomPath *filtered = makeNode(CustomPath);
    *filtered = *path;
    filtered->path.rows = rows;
    filtered->custom_private = list_make1(scan);
    return filtered;
}

// What the columns of two sides weigh together, with a header for each row.
static double transferred_bytes(const RelOptInfo *rel)
{
    return rel->rows * rel->reltarget->width;
}

void add_join_scan(PlannerInfo *root, RelOptInfo *joinrel, const RelOptInfo *left,
                   const RelOptInfo *right, const RemoteSource *source, List *local)
{
    TableScan *scan = (TableScan *)palloc0(sizeof(TableScan));
    scan->source = source;
    scan->local = local;
    scan->is_whole = local == NIL;
    scan->rows = joinrel->rows;
    CustomPath *path = make_remote_path(root, joinrel, &table_scan_methods, scan);
    // The shards look at the rows of both sides. A row of the one that has many partners is sent
    // with each of them.
    double repeated =
        transferred_bytes(joinrel) - transferred_bytes(left) - transferred_bytes(right);
    path->path.total_cost +=
        cpu_operator_cost * (left->rows + right->rows) + cost_of_byte * Max(repeated, 0);
    // The planner frees a path once it has a better one; joins above can still use this.
    CustomPath *kept = makeNode(CustomPath);
    *kept = *path;
    joinrel->fdw_private = kept;
    add_path(joinrel, &path->path);
}

CustomPath *find_table_path(const RelOptInfo *rel)
{
    CustomPath *path = nullptr;
    // Of joins without foreign tables nobody else uses that field.
    if (rel->reloptkind == RELOPT_JOINREL && rel->fdwroutine == nullptr)
        path = (CustomPath *)rel->fdw_private;
    else if (list_length(rel->pathlist) == 1)
        path = (CustomPath *)linitial(rel->pathlist);
    return path != nullptr && IsA(path, CustomPath) && path->methods == &table_scan_methods
               ? path
               : nullptr;
}

bool locks_compared_rows(PlannerInfo *root, const CustomPath *path)
{
    const TableScan *scan = (const TableScan *)linitial(path->custom_private);
    return scan->source->varno > 0 && locks_compared(planner_rt_fetch(scan->source->varno, root));
}

const RemoteSource *find_source(const RelOptInfo *rel)
{
    const CustomPath *path = find_table_path(rel);
    if (path == nullptr || path->path.param_info != nullptr)
        return nullptr;
    const TableScan *scan = (const TableScan *)linitial(path->custom_private);
    return scan->is_whole ? scan->source : nullptr;
}

bool condition_ships(PlannerInfo *root, Node *clause)
{
    return !has_executor_param(clause, nullptr) && !contain_volatile_functions(clause) &&
           expression_ships(root->parse, clause);
}

bool filter_ships(PlannerInfo *root, const KeyFilter *filter)
{
    Oid array = get_array_type(filter->type);
    Oid left, right;
    op_input_types(filter->op, &left, &right);
    // Types of users have other Oids on each server, and their values' meaning may be the router's.
    if (!OidIsValid(array) || array >= FirstNormalObjectId || right != filter->type ||
        is_registry_type(right) || !op_strict(filter->op))
        return false;
    // The shard compares by the column's collation: what is equal by bytes is equal there, too.
    if (OidIsValid(filter->collation) && !get_collation_isdeterministic(filter->collation))
        return false;
    Node *clause = (Node *)make_filter_clause(filter);
    return condition_ships(root, clause);
}

void init_table_scans()
{
    DefineCustomIntVariable("shardwise.max_lookups",
                            "How often a scan that runs for each row above asks the shards for the "
                            "rows of one value; then all rows are kept.",
                            "-1 decides by cost.", &max_lookups, -1, -1, INT_MAX, PGC_USERSET, 0,
                            nullptr, nullptr, nullptr);
}

} // namespace shardwise
