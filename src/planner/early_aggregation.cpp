#include "planner/early_aggregation.hpp"

#include "catalog/catalog.hpp"
#include "pg/query_tree.hpp"
#include "pg/versions.hpp"
#include "planner/aggregates.hpp"
#include "planner/locked_rows.hpp"
#include "planner/scatter.hpp"
#include "planner/shard_rows.hpp"
#include "planner/shipping.hpp"
#include "planner/table_size.hpp"
#include "routing/colocation.hpp"

extern "C" {
#include "catalog/pg_aggregate.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/prep.h"
#include "parser/parse_oper.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

enum Mode { mode_auto, mode_always, mode_never };

const config_enum_entry modes[] = {{"auto", mode_auto, false},
                                   {"always", mode_always, false},
                                   {"never", mode_never, false},
                                   {nullptr, 0, false}};

int early_aggregation = mode_auto;

// The shards' groups must be so many times fewer than their rows.
constexpr double least_reduction = 2;

// An aggregate of the query.
struct Aggregate {
    Aggref *aggref;
    bool is_grouped; // the shards compute it over their groups
    bool takes_all;  // DISTINCT: each value counts once, however many rows have it
    SplitAggregate split;
    List *columns; // int: of a grouped one's partials
};

// One level of a query that is cut: `side` are the tables whose rows the shards group.
struct Cut {
    Query *query;
    List *items;      // what FROM joins, inner joins resolved
    List *conditions; // of WHERE and of those joins
    Relids side;
    List *sent;       // conditions on the side alone
    List *kept;       // all others
    List *aggregates; // Aggregate *
    List *columns;    // Expr *: what the rest of the query reads of the side
    int count;        // the column with the number of rows of a group; 0: nobody needs it
    int ncolumns;     // of the shards' rows
    int varno;        // the entry of the shards' rows
    bool failed;
};

// ---- FROM --------------------------------------------------------------------------------------

void split_condition(Node *condition, List **conditions)
{
    if (condition == nullptr)
        return;
    ListCell *cell;
    if (!is_andclause(condition) && !IsA(condition, List)) {
        *conditions = lappend(*conditions, condition);
        return;
    }
    foreach (cell, IsA(condition, List) ? (List *)condition : ((BoolExpr *)condition)->args)
        split_condition((Node *)lfirst(cell), conditions);
}

// Lists what inner joins put together, and their conditions. Other joins are one item.
void resolve_joins(Cut *cut, Node *node)
{
    ListCell *cell;
    if (IsA(node, FromExpr)) {
        foreach (cell, ((FromExpr *)node)->fromlist)
            resolve_joins(cut, (Node *)lfirst(cell));
        split_condition(((FromExpr *)node)->quals, &cut->conditions);
    } else if (IsA(node, JoinExpr) && ((JoinExpr *)node)->jointype == JOIN_INNER) {
        resolve_joins(cut, ((JoinExpr *)node)->larg);
        resolve_joins(cut, ((JoinExpr *)node)->rarg);
        split_condition(((JoinExpr *)node)->quals, &cut->conditions);
    } else {
        cut->items = lappend(cut->items, node);
    }
}

// The distributed table that an item of FROM is; nullptr for all others.
const Table *distributed_table(const Query *query, const Node *item)
{
    if (!IsA(item, RangeTblRef))
        return nullptr;
    const RangeTblEntry *rte = rt_fetch(((const RangeTblRef *)item)->rtindex, query->rtable);
    const Table *table = rte->rtekind == RTE_RELATION && rte->tablesample == nullptr
                             ? find_table(rte->relid)
                             : nullptr;
    return table != nullptr && !table->is_reference && !is_marked(rte) ? table : nullptr;
}

// `depth`: the number of queries around it.
bool can_be_cut(Query *query, int depth)
{
    if (query->commandType != CMD_SELECT || !query->hasAggs || query->hasSubLinks ||
        query->hasTargetSRFs || query->rowMarks != NIL || query->setOperations != nullptr ||
        query->hasModifyingCTE || contain_volatile_functions((Node *)query->targetList) ||
        contain_volatile_functions(query->havingQual) ||
        contain_volatile_functions((Node *)query->jointree))
        return false;
    ListCell *cell;
    foreach (cell, query->rtable)
        if (((RangeTblEntry *)lfirst(cell))->lateral)
            return false;
    for (int level = 1; level <= depth; level++)
        if (contain_vars_of_level((Node *)query, level))
            return false;
    return true;
}

// ---- the shards' query -------------------------------------------------------------------------

struct Renumbering {
    int *numbers; // by the query's; 0: not in the shards' query
};

Node *renumber(Node *node, void *context)
{
    if (node == nullptr)
        return nullptr;
    if (!IsA(node, Var))
        return expression_tree_mutator(node, (Node * (*)()) renumber, context);
    Var *var = copy_node((Var *)node);
    var->varno = ((Renumbering *)context)->numbers[var->varno];
    var->varnosyn = var->varno;
    var->varattnosyn = var->varattno;
    return (Node *)var;
}

// FROM and WHERE of the side's tables.
Query *make_side(const Cut *cut, Relids side, List *conditions, Renumbering *renumbering)
{
    Query *query = makeNode(Query);
    List *from = NIL;
    query->commandType = CMD_SELECT;
    query->querySource = QSRC_ORIGINAL;
    renumbering->numbers = (int *)palloc0(sizeof(int) * (list_length(cut->query->rtable) + 1));
    for (int varno = bms_next_member(side, -1); varno >= 0; varno = bms_next_member(side, varno)) {
        query->rtable = lappend(query->rtable, copy_node(rt_fetch(varno, cut->query->rtable)));
        renumbering->numbers[varno] = list_length(query->rtable);
        from = lappend(from, make_reference(list_length(query->rtable)));
    }
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        rte->securityQuals = (List *)renumber((Node *)rte->securityQuals, renumbering);
    }
    query->jointree =
        makeFromExpr(from, make_conjunction((List *)renumber((Node *)conditions, renumbering)));
    return query;
}

// The conditions on these tables alone that the shards can apply.
List *conditions_on(const Cut *cut, Relids side)
{
    List *conditions = NIL;
    ListCell *cell;
    foreach (cell, cut->conditions) {
        Node *condition = (Node *)lfirst(cell);
        if (bms_is_subset(pull_varnos(nullptr, condition), side) && contain_var_clause(condition) &&
            expression_ships(cut->query, condition))
            conditions = lappend(conditions, condition);
    }
    return conditions;
}

bool is_colocated(const Cut *cut, Relids side)
{
    Renumbering renumbering;
    Query *query = make_side(cut, side, conditions_on(cut, side), &renumbering);
    return find_colocation(query).found;
}

// Adds all tables that are joined with a table by the key.
void choose_side(Cut *cut, int varno)
{
    cut->side = bms_make_singleton(varno);
    ListCell *cell;
    foreach (cell, cut->items) {
        Node *item = (Node *)lfirst(cell);
        if (distributed_table(cut->query, item) == nullptr)
            continue;
        Relids larger = bms_add_member(bms_copy(cut->side), ((RangeTblRef *)item)->rtindex);
        if (is_colocated(cut, larger))
            cut->side = larger;
    }
    cut->sent = conditions_on(cut, cut->side);
    cut->kept = list_difference_ptr(cut->conditions, cut->sent);
}

// ---- aggregates --------------------------------------------------------------------------------

bool add_aggregate(Cut *cut, Aggref *aggref)
{
    Aggregate *aggregate = (Aggregate *)palloc0(sizeof(Aggregate));
    Relids used = pull_varnos(nullptr, (Node *)aggref);
    aggregate->aggref = aggref;
    cut->aggregates = lappend(cut->aggregates, aggregate);
    if (aggref->aggdistinct != NIL && aggref->aggorder == NIL &&
        aggref->aggkind == AGGKIND_NORMAL) {
        aggregate->takes_all = true;
        return true;
    }
    if (!split_aggregate(aggref, false, &aggregate->split))
        return false;
    ListCell *cell;
    foreach (cell, aggregate->split.partials)
        if (!can_be_weighed((Aggref *)lfirst(cell)))
            return false;
    aggregate->is_grouped =
        bms_is_subset(used, cut->side) && expression_ships(cut->query, (Node *)aggref);
    return true;
}

Aggregate *find_aggregate(const Cut *cut, const Aggref *aggref)
{
    ListCell *cell;
    foreach (cell, cut->aggregates)
        if (equal(((Aggregate *)lfirst(cell))->aggref, aggref))
            return (Aggregate *)lfirst(cell);
    return nullptr;
}

// ---- columns -----------------------------------------------------------------------------------

// True if equal values are the same value, so that any of a group's rows speaks for all.
bool has_one_form(Node *expr)
{
    Oid collation = exprCollation(expr);
    switch (exprType(expr)) {
    case BOOLOID:
    case CHAROID:
    case NAMEOID:
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
    case DATEOID:
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case UUIDOID:
        return true;
    case TEXTOID:
    case VARCHAROID:
        return get_collation_isdeterministic(collation);
    default:
        return type_is_enum(exprType(expr));
    }
}

// A group key that the shards can compute.
bool is_group_key(const Cut *cut, Node *expr)
{
    ListCell *cell;
    if (IsA(expr, Var) || IsA(expr, Const) || IsA(expr, Aggref) || IsA(expr, TargetEntry) ||
        IsA(expr, List))
        return false;
    foreach (cell, cut->query->groupClause) {
        SortGroupClause *clause = (SortGroupClause *)lfirst(cell);
        if (equal(get_sortgroupclause_tle(clause, cut->query->targetList)->expr, expr))
            return contain_var_clause(expr) && !contain_agg_clause(expr) &&
                   bms_is_subset(pull_varnos(nullptr, expr), cut->side) && has_one_form(expr) &&
                   expression_ships(cut->query, expr);
    }
    return false;
}

// Collects what an expression reads of the side's rows outside of aggregates over their groups.
bool collect_columns(Node *node, void *context)
{
    Cut *cut = (Cut *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Aggref)) {
        const Aggregate *aggregate = find_aggregate(cut, (Aggref *)node);
        if (aggregate == nullptr && !add_aggregate(cut, (Aggref *)node))
            cut->failed = true;
        aggregate = find_aggregate(cut, (Aggref *)node);
        if (aggregate->is_grouped)
            return false;
    } else if (IsA(node, Var) && bms_is_member(((Var *)node)->varno, cut->side)) {
        cut->failed |= ((Var *)node)->varattno <= 0 || !has_one_form(node);
        cut->columns = list_append_unique(cut->columns, node);
        return false;
    } else if (is_group_key(cut, node)) {
        cut->columns = list_append_unique(cut->columns, node);
        return false;
    }
    return expression_tree_walker(node, (bool (*)())collect_columns, context);
}

// ---- size --------------------------------------------------------------------------------------

double distinct_values_of(const Cut *cut, Node *expr)
{
    double values = 1;
    ListCell *cell;
    foreach (cell, pull_var_clause(expr, 0)) {
        const Var *var = (const Var *)lfirst(cell);
        const RangeTblEntry *rte = rt_fetch(var->varno, cut->query->rtable);
        double distinct = distinct_values(rte->relid, var->varattno);
        if (distinct <= 0)
            return -1;
        values *= distinct;
    }
    return values;
}

double rows_of_side(const Cut *cut)
{
    double rows = 1;
    for (int varno = bms_next_member(cut->side, -1); varno >= 0;
         varno = bms_next_member(cut->side, varno))
        rows = Max(rows, known_size(find_table(rt_fetch(varno, cut->query->rtable)->relid)).rows);
    return rows;
}

// How many groups all shards together return; -1 if nothing is known of a column.
double groups_of_side(const Cut *cut, double rows)
{
    const Shard *const *shards;
    double groups = list_shards(&shards);
    ListCell *cell;
    foreach (cell, cut->columns) {
        double values = distinct_values_of(cut, (Node *)lfirst(cell));
        if (values < 0)
            return -1;
        groups = Min(groups * values, rows);
    }
    return clamp_row_est(groups);
}

// ---- the two parts -----------------------------------------------------------------------------

void add_group(Query *remote, Expr *expr)
{
    SortGroupClause *key = makeNode(SortGroupClause);
    get_sort_group_operators(exprType((Node *)expr), false, true, false, &key->sortop, &key->eqop,
                             nullptr, &key->hashable);
    add_output(remote, expr, psprintf("c%d", list_length(remote->targetList) + 1));
    TargetEntry *entry = (TargetEntry *)llast(remote->targetList);
    entry->ressortgroupref = key->tleSortGroupRef = entry->resno;
    remote->groupClause = lappend(remote->groupClause, key);
}

Aggref *make_row_count()
{
    Aggref *count = makeNode(Aggref);
    count->aggfnoid = F_COUNT_;
    count->aggtype = INT8OID;
    count->aggkind = AGGKIND_NORMAL;
    count->aggstar = true;
    count->aggno = count->aggtransno = -1;
    count->location = -1;
    return count;
}

// The number of the partial's column, which several aggregates may have.
int add_partial(Query *remote, Expr *partial)
{
    ListCell *cell;
    foreach (cell, remote->targetList)
        if (equal(((TargetEntry *)lfirst(cell))->expr, partial))
            return foreach_current_index(cell) + 1;
    add_output(remote, partial, psprintf("c%d", list_length(remote->targetList) + 1));
    remote->hasAggs = true;
    return list_length(remote->targetList);
}

// The shards' query: group keys first, then partial aggregates.
Query *make_remote(Cut *cut)
{
    Renumbering renumbering;
    Query *remote = make_side(cut, cut->side, cut->sent, &renumbering);
    bool weighs = false;
    ListCell *cell, *partial;
    foreach (cell, cut->columns)
        add_group(remote, (Expr *)renumber((Node *)lfirst(cell), &renumbering));
    // Without a key to group by, shards without rows would have a group as well.
    if (cut->columns == NIL)
        add_group(remote, make_int8(0));
    foreach (cell, cut->aggregates) {
        Aggregate *aggregate = (Aggregate *)lfirst(cell);
        weighs |= !aggregate->is_grouped && !aggregate->takes_all;
        if (!aggregate->is_grouped)
            continue;
        foreach (partial, aggregate->split.partials)
            aggregate->columns = lappend_int(
                aggregate->columns,
                add_partial(remote, (Expr *)renumber((Node *)lfirst(partial), &renumbering)));
    }
    if (weighs)
        cut->count = add_partial(remote, (Expr *)make_row_count());
    cut->ncolumns = list_length(remote->targetList);
    return remote;
}

Node *take_columns(Node *node, void *context);

Expr *finish(Cut *cut, const Aggregate *aggregate)
{
    List *values = NIL;
    ListCell *cell;
    foreach (cell, aggregate->split.partials) {
        const Aggref *partial = (const Aggref *)lfirst(cell);
        if (aggregate->is_grouped) {
            int column = list_nth_int(aggregate->columns, foreach_current_index(cell));
            values = lappend(
                values, makeVar(cut->varno, column, partial->aggtype, -1, partial->aggcollid, 0));
            continue;
        }
        Expr *count = (Expr *)makeVar(cut->varno, cut->count, INT8OID, -1, InvalidOid, 0);
        values = lappend(values, take_columns((Node *)weigh_partial(partial, count), cut));
    }
    return finish_aggregate(aggregate->aggref, &aggregate->split, values);
}

// Replaces the side's columns by those of the shards' rows, aggregates by what finishes them.
Node *take_columns(Node *node, void *context)
{
    Cut *cut = (Cut *)context;
    ListCell *cell;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Aggref)) {
        const Aggregate *aggregate = find_aggregate(cut, (Aggref *)node);
        if (!aggregate->takes_all)
            return (Node *)finish(cut, aggregate);
    } else if (!IsA(node, List) && !IsA(node, TargetEntry)) {
        foreach (cell, cut->columns)
            if (equal(lfirst(cell), node))
                return (Node *)makeVar(cut->varno, foreach_current_index(cell) + 1, exprType(node),
                                       exprTypmod(node), exprCollation(node), 0);
    }
    return expression_tree_mutator(node, (Node * (*)()) take_columns, context);
}

void read_groups(Cut *cut, RangeTblEntry *rows)
{
    Query *query = cut->query;
    List *from = list_make1(make_reference(cut->varno));
    ListCell *cell;
    foreach (cell, cut->items) {
        Node *item = (Node *)lfirst(cell);
        if (!bms_is_subset(get_relids_in_jointree(item, false), cut->side))
            from = lappend(from, item);
    }
    query->rtable = lappend(query->rtable, rows);
    query->jointree =
        makeFromExpr(from, make_conjunction((List *)take_columns((Node *)cut->kept, cut)));
    query->targetList = (List *)take_columns((Node *)query->targetList, cut);
    query->havingQual = take_columns(query->havingQual, cut);
}

bool cut_side(Cut *cut, int varno)
{
    choose_side(cut, varno);
    if (bms_num_members(cut->side) == list_length(cut->items))
        return false;
    collect_columns((Node *)cut->query->targetList, cut);
    collect_columns(cut->query->havingQual, cut);
    collect_columns((Node *)cut->kept, cut);
    if (cut->failed)
        return false;
    double rows = rows_of_side(cut);
    double groups = groups_of_side(cut, rows);
    if (early_aggregation != mode_always && (groups < 0 || groups * least_reduction > rows))
        return false;
    Query *remote = make_remote(cut);
    RangeTblEntry *entry = send_query(remote, cut->ncolumns, false);
    if (entry == nullptr)
        return false;
    expect_rows(entry, groups > 0 ? groups : rows, rows);
    cut->varno = list_length(cut->query->rtable) + 1;
    read_groups(cut, entry);
    return true;
}

// The item of FROM with the largest table that has not been tried; nullptr if there is none.
Node *next_item(const Cut *cut, List *tried)
{
    Node *largest = nullptr;
    double most = -1;
    ListCell *cell;
    foreach (cell, cut->items) {
        Node *item = (Node *)lfirst(cell);
        const Table *table = distributed_table(cut->query, item);
        if (table == nullptr || list_member_ptr(tried, item) || known_size(table).rows <= most)
            continue;
        largest = item;
        most = known_size(table).rows;
    }
    return largest;
}

bool cut_once(Query *query)
{
    Cut whole = {};
    whole.query = query;
    resolve_joins(&whole, (Node *)query->jointree);
    whole.conditions = (List *)flatten_join_alias_vars(query, (Node *)whole.conditions);
    List *tried = NIL;
    while (Node *item = next_item(&whole, tried)) {
        Cut cut = whole;
        if (cut_side(&cut, ((RangeTblRef *)item)->rtindex))
            return true;
        tried = lappend(tried, item);
    }
    return false;
}

// Cuts the query, once it is cut also its other sides; false if it cannot be.
bool cut_level(Query *query)
{
    bool found = false;
    query->targetList =
        (List *)simplify_aggregates(flatten_join_alias_vars(query, (Node *)query->targetList));
    query->havingQual = simplify_aggregates(flatten_join_alias_vars(query, query->havingQual));
    while (cut_once(query))
        found = true;
    return found;
}

struct Walk {
    int depth;
    bool found;
};

bool has_distributed_table(const Query *query)
{
    for (int varno = 1; varno <= list_length(query->rtable); varno++)
        if (distributed_table(query, make_reference(varno)) != nullptr)
            return true;
    return false;
}

bool cut_walker(Node *node, void *context)
{
    Walk *walk = (Walk *)context;
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())cut_walker, context);
    Query *query = (Query *)node;
    if (has_distributed_table(query) && can_be_cut(query, walk->depth)) {
        Query *cut = copy_node(query);
        if (cut_level(cut)) {
            *query = *cut;
            walk->found = true;
        }
    }
    walk->depth++;
    query_tree_walker(query, (bool (*)())cut_walker, context, 0);
    walk->depth--;
    return false;
}

} // namespace

Query *aggregate_early(Query *query, bool *is_forced)
{
    *is_forced = early_aggregation == mode_always;
    if (early_aggregation == mode_never)
        return nullptr;
    Query *copy = copy_node(query);
    Walk walk = {0, false};
    cut_walker((Node *)copy, &walk);
    return walk.found ? copy : nullptr;
}

void init_early_aggregation()
{
    DefineCustomEnumVariable("shardwise.early_aggregation",
                             "Lets the shards group the rows of one side of a join before the "
                             "router joins them.",
                             "auto decides by cost.", &early_aggregation, mode_auto, modes,
                             PGC_USERSET, 0, nullptr, nullptr, nullptr);
}

} // namespace shardwise
