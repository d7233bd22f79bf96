#include "planner/key_filter.hpp"

#include "catalog/catalog.hpp"
#include "pg/types.hpp"
#include "planner/packed_place.hpp"
#include "planner/table_scan.hpp"

extern "C" {
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paramassign.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "parser/parsetree.h"
#include "utils/selfuncs.h"
}

namespace shardwise
{

namespace
{

enum Reduction { reduction_auto, reduction_always, reduction_never };

const config_enum_entry reductions[] = {{"auto", reduction_auto, false},
                                        {"always", reduction_always, false},
                                        {"never", reduction_never, false},
                                        {nullptr, 0, false}};

int join_reduction = reduction_auto;
set_join_pathlist_hook_type previous_join_pathlist = nullptr;

// A join whose one side's keys reduce the other.
struct ReducedJoin {
    PlannerInfo *root;
    RelOptInfo *joinrel;
    RelOptInfo *outer;
    RelOptInfo *inner;
    JoinType type;
    JoinPathExtraData *extra;
    List *clauses; // RestrictInfo *, by which rows are hashed
};

// The conditions by which a hash join could find its pairs, as PostgreSQL chooses them.
List *find_hash_clauses(const ReducedJoin *join)
{
    List *clauses = NIL;
    ListCell *cell;
    foreach (cell, join->extra->restrictlist) {
        RestrictInfo *info = (RestrictInfo *)lfirst(cell);
        if (IS_OUTER_JOIN(join->type) && RINFO_IS_PUSHED_DOWN(info, join->joinrel->relids))
            continue;
        if (!info->can_join || !OidIsValid(info->hashjoinoperator))
            continue;
        if (bms_is_subset(info->left_relids, join->outer->relids) &&
            bms_is_subset(info->right_relids, join->inner->relids))
            info->outer_is_left = true;
        else if (bms_is_subset(info->left_relids, join->inner->relids) &&
                 bms_is_subset(info->right_relids, join->outer->relids))
            info->outer_is_left = false;
        else
            continue;
        clauses = lappend(clauses, info);
    }
    return clauses;
}

// Chooses what is sent and how it is compared. False if the shards would have to compare each row
// with each key: they look values up where both are hashed alike.
bool choose_comparison(KeyFilter *filter, Oid join_op)
{
    RegProcedure column_hash, key_hash;
    Oid column_equal, key_equal;
    if (!get_op_hash_functions(join_op, &column_hash, &key_hash) ||
        !get_compatible_hash_operators(join_op, &column_equal, &key_equal))
        return false;
    filter->op = join_op;
    filter->type = exprType((Node *)filter->key);
    filter->key_equal = get_opcode(key_equal);
    filter->key_hash = key_hash;
    if (column_hash == key_hash)
        return true;
    // Integers are converted to the column's type.
    Oid column_type = exprType((Node *)filter->column);
    filter->op = column_equal;
    bool converts = is_integer_type(column_type) && is_integer_type(filter->type);
    filter->type = column_type;
    return converts;
}

// The filter that a join condition makes of one side's keys; nullptr if the shards cannot apply it.
KeyFilter *make_filter(const ReducedJoin *join, const RestrictInfo *info, bool reduces_outer)
{
    const RelOptInfo *reduced = reduces_outer ? join->outer : join->inner;
    if (info->security_level > reduced->baserestrict_min_security && !info->leakproof)
        return nullptr;
    OpExpr *clause = (OpExpr *)info->clause;
    bool column_is_left = info->outer_is_left == reduces_outer;
    Oid op = column_is_left ? clause->opno : get_commutator(clause->opno);
    KeyFilter *filter = (KeyFilter *)palloc0(sizeof(KeyFilter));
    filter->column = (Expr *)(column_is_left ? linitial(clause->args) : lsecond(clause->args));
    filter->key = (Expr *)(column_is_left ? lsecond(clause->args) : linitial(clause->args));
    filter->collation = clause->inputcollid;
    filter->source = -1;
    filter->by_place = is_packed_place((Node *)filter->column);
    if (filter->by_place)
        filter->column = (Expr *)ctid_of_place((Node *)filter->column);
    if (!OidIsValid(op) || !choose_comparison(filter, op) || !filter_ships(join->root, filter))
        return nullptr;
    return filter;
}

// How many keys will be sent, and what share of the rows they leave.
struct Effect {
    double keys;
    double share;
};

Effect estimate_effect(PlannerInfo *root, const KeyFilter *filter, const RelOptInfo *reduced,
                       double key_rows)
{
    double keys = estimate_num_groups(root, list_make1(filter->key), key_rows, nullptr, nullptr);
    double values =
        estimate_num_groups(root, list_make1(filter->column), reduced->rows, nullptr, nullptr);
    return {keys, Min(1.0, keys / Max(values, 1.0))};
}

// ---- paths -------------------------------------------------------------------------------------

extern "C" Plan *plan_key_source(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
                                 List *clauses, List *children);

CustomPathMethods key_source_methods = {"shardwise key source", plan_key_source, nullptr};

CustomPath *make_source_path(Path *child, KeyFilter *filter)
{
    CustomPath *path = makeNode(CustomPath);
    path->path = *child;
    path->path.type = T_CustomPath;
    path->path.pathtype = T_CustomScan;
    path->path.parallel_aware = path->path.parallel_safe = false;
    path->path.total_cost += cpu_operator_cost * child->rows;
    path->custom_paths = list_make1(child);
    path->custom_private = list_make1(filter);
    path->methods = &key_source_methods;
    return path;
}

void add_hash_path(const ReducedJoin *join, Path *outer, Path *inner)
{
    JoinCostWorkspace workspace;
    initial_cost_hashjoin(join->root, &workspace, join->type, join->clauses, outer, inner,
                          join->extra, false);
    HashPath *path =
        create_hashjoin_path(join->root, join->joinrel, join->type, &workspace, join->extra, outer,
                             inner, false, join->extra->restrictlist, nullptr, join->clauses);
    if (join_reduction == reduction_always)
        path->jpath.path.total_cost = path->jpath.path.startup_cost = 0;
    add_path(join->joinrel, &path->jpath.path);
}

// Lists the parameters by which a recursive query tells its parts that there are other rows. False
// where such rows could be read further inside.
bool find_rounds(PlannerInfo *root, Relids relids, List **rounds)
{
    bool is_inside = false;
    for (const PlannerInfo *above = root; above != nullptr; above = above->parent_root)
        is_inside |= above->wt_param_id >= 0;
    *rounds = NIL;
    for (int varno = bms_next_member(relids, -1); is_inside && varno >= 0;
         varno = bms_next_member(relids, varno)) {
        const RangeTblEntry *rte = planner_rt_fetch(varno, root);
        if (rte->rtekind == RTE_SUBQUERY)
            return false;
        if (rte->rtekind != RTE_CTE || !rte->self_reference)
            continue;
        const PlannerInfo *recursion = root;
        for (Index level = 1; level < rte->ctelevelsup; level++)
            recursion = recursion->parent_root;
        *rounds = lappend_int(*rounds, recursion->wt_param_id);
    }
    return true;
}

// Adds the join in which one side's keys reduce the other, if that is a table on shards.
void reduce_side(const ReducedJoin *join, bool reduces_outer)
{
    const RelOptInfo *reduced = reduces_outer ? join->outer : join->inner;
    Path *small = (reduces_outer ? join->inner : join->outer)->cheapest_total_path;
    const CustomPath *table = find_table_path(reduced);
    List *rounds;
    if (table == nullptr || table->path.param_info != nullptr || PATH_REQ_OUTER(small) != nullptr ||
        !find_rounds(join->root, small->parent->relids, &rounds))
        return;
    // Where rows change, the node that collects keys must be the first to know: just below the join
    // and not below a hash or a gate.
    if (rounds != NIL && (reduces_outer || join->root->hasPseudoConstantQuals))
        return;

    CustomPath *best = nullptr;
    KeyFilter *best_filter = nullptr;
    ListCell *cell;
    foreach (cell, join->clauses) {
        KeyFilter *filter = make_filter(join, (RestrictInfo *)lfirst(cell), reduces_outer);
        if (filter == nullptr)
            continue;
        filter->rounds = rounds;
        Effect effect = estimate_effect(join->root, filter, reduced, small->rows);
        if (effect.keys > max_sent_keys && join_reduction != reduction_always)
            continue;
        CustomPath *path =
            make_filtered_path(table, filter, clamp_row_est(reduced->rows * effect.share));
        // The shard looks at the same rows, and compares each.
        path->path.startup_cost += cost_of_filter + cost_of_key * effect.keys;
        path->path.total_cost = path->path.startup_cost + cost_of_row * path->path.rows +
                                cpu_operator_cost * reduced->rows;
        if (best == nullptr || path->path.total_cost < best->path.total_cost) {
            best = path;
            best_filter = filter;
        }
    }
    if (best == nullptr)
        return;
    // Without the filter it would lock all rows, and wait for others who have locked any.
    if (best_filter->by_place && locks_compared_rows(join->root, table))
        best->path.startup_cost = best->path.total_cost = 0;
    Path *source = &make_source_path(small, best_filter)->path;
    if (reduces_outer)
        add_hash_path(join, &best->path, source);
    else
        add_hash_path(join, source, &best->path);
}

// True if the rows of the query depend on a row of one above: its keys would be other ones each
// time, and each time a statement to the shards.
bool is_correlated(const PlannerInfo *root)
{
    for (const PlannerInfo *above = root->parent_root; above != nullptr; above = above->parent_root)
        if (above->plan_params != NIL)
            return true;
    return false;
}

extern "C" void shardwise_join_pathlist(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outer,
                                        RelOptInfo *inner, JoinType type, JoinPathExtraData *extra)
{
    if (previous_join_pathlist != nullptr)
        previous_join_pathlist(root, joinrel, outer, inner, type, extra);
    if (join_reduction == reduction_never || is_correlated(root))
        return;
    // Only a side whose rows without a partner do not count can be reduced.
    bool outer_may_lose = type == JOIN_INNER || type == JOIN_RIGHT || type == JOIN_SEMI;
    bool inner_may_lose =
        type == JOIN_INNER || type == JOIN_LEFT || type == JOIN_SEMI || type == JOIN_ANTI;
    outer_may_lose = outer_may_lose && find_table_path(outer) != nullptr;
    inner_may_lose = inner_may_lose && find_table_path(inner) != nullptr;
    if (!outer_may_lose && !inner_may_lose)
        return;

    ReducedJoin join = {root, joinrel, outer, inner, type, extra, NIL};
    join.clauses = find_hash_clauses(&join);
    if (outer_may_lose)
        reduce_side(&join, true);
    if (inner_may_lose)
        reduce_side(&join, false);
}

// ---- plan --------------------------------------------------------------------------------------

List *make_child_tlist(const Plan *child)
{
    List *tlist = NIL;
    ListCell *cell;
    foreach (cell, child->targetlist)
        tlist = lappend(tlist, flatCopyTargetEntry((TargetEntry *)lfirst(cell)));
    return tlist;
}

extern "C" Plan *plan_key_source(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
                                 List *, List *children)
{
    KeyFilter *filter = (KeyFilter *)linitial(path->custom_private);
    if (filter->source < 0)
        filter->source = assign_special_exec_param(root);
    Plan *child = (Plan *)linitial(children);
    CustomScan *scan = makeNode(CustomScan);
    scan->scan.plan.targetlist = tlist != NIL ? tlist : make_child_tlist(child);
    scan->custom_plans = children;
    scan->custom_exprs = list_make1(copy_node((Node *)filter->key));
    scan->custom_private = list_make2(
        list_make1_int(filter->source),
        list_make4_oid(filter->key_equal, filter->key_hash, filter->collation, filter->type));
    scan->custom_scan_tlist = make_child_tlist(child);
    scan->custom_relids = bms_copy(rel->relids);
    scan->methods = GetCustomScanMethods(key_source_name, false);
    return (Plan *)scan;
}

} // namespace

void init_key_filters()
{
    DefineCustomEnumVariable("shardwise.join_reduction",
                             "Sends the keys of a join's small side to the shards, so that they "
                             "return matching rows of the other side alone.",
                             "auto decides by cost.", &join_reduction, reduction_auto, reductions,
                             PGC_USERSET, 0, nullptr, nullptr, nullptr);
    previous_join_pathlist = set_join_pathlist_hook;
    set_join_pathlist_hook = shardwise_join_pathlist;
}

} // namespace shardwise
