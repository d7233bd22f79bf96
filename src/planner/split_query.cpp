#include "planner/split_query.hpp"

#include "pg/query_tree.hpp"
#include "pg/versions.hpp"
#include "planner/aggregates.hpp"
#include "planner/shipping.hpp"

extern "C" {
#include "nodes/bitmapset.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parse_oper.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

// FROM and WHERE of a query, without what is computed of the rows.
Query *lower_part(Query *query)
{
    Query *remote = copy_node(query);
    remote->targetList = remote->groupClause = remote->groupingSets = NIL;
    remote->windowClause = remote->distinctClause = remote->sortClause = NIL;
    remote->havingQual = remote->limitCount = remote->limitOffset = nullptr;
    remote->hasAggs = remote->hasWindowFuncs = remote->hasTargetSRFs = remote->hasDistinctOn =
        false;
    return remote;
}

TargetEntry *add_column(Query *remote, Expr *expr)
{
    int number = list_length(remote->targetList) + 1;
    TargetEntry *entry = makeTargetEntry(expr, number, nullptr, false);
    remote->targetList = lappend(remote->targetList, entry);
    return entry;
}

// Looks among the first `n` columns.
TargetEntry *find_column(Query *remote, int n, Node *expr)
{
    ListCell *cell;
    foreach (cell, remote->targetList) {
        if (foreach_current_index(cell) == n)
            break;
        if (equal(((TargetEntry *)lfirst(cell))->expr, expr))
            return (TargetEntry *)lfirst(cell);
    }
    return nullptr;
}

Node *column_var(TargetEntry *entry)
{
    return (Node *)makeVarFromTargetEntry(1, entry);
}

bool collect_aggregates(Node *node, void *context)
{
    List **aggregates = (List **)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Aggref)) {
        *aggregates = list_append_unique(*aggregates, node);
        return false;
    }
    return expression_tree_walker(node, (bool (*)())collect_aggregates, context);
}

List *aggregates_of(const Query *query)
{
    List *aggregates = NIL;
    collect_aggregates((Node *)query->targetList, &aggregates);
    collect_aggregates(query->havingQual, &aggregates);
    return aggregates;
}

// ---- aggregates --------------------------------------------------------------------------------

// One aggregate of the query: either the router takes distinct values, or it merges partial values.
struct Part {
    Aggref *aggregate;
    bool takes_values;
    Bitmapset *values; // the columns whose distinct values it takes, beyond those of the group
    SplitAggregate split;
    List *partials; // TargetEntry *: the columns of its partial values
};

// The remote query's columns are: the query's group keys, other distinct values, partials.
struct Cut {
    Query *query;
    Query *remote;
    const Colocation *colocation;
    List *parts;
    int ngroups; // group keys
    int nkeys;   // and values: all that the shards group by
    Var *marker; // tells the grouping sets apart, if there are several
    bool inside; // of an aggregate that takes values
    bool failed;
};

// Groups by an expression; returns its column.
TargetEntry *add_key(Cut *cut, Node *expr, const SortGroupClause *clause)
{
    TargetEntry *entry = find_column(cut->remote, cut->nkeys, expr);
    if (entry != nullptr)
        return entry;
    entry = add_column(cut->remote, (Expr *)copy_node(expr));
    entry->ressortgroupref = entry->resno;
    SortGroupClause *key = copy_node(clause);
    key->tleSortGroupRef = entry->resno;
    cut->remote->groupClause = lappend(cut->remote->groupClause, key);
    cut->nkeys++;
    return entry;
}

void add_value(Cut *cut, Part *part, Node *expr, const SortGroupClause *clause)
{
    SortGroupClause own = {};
    if (clause == nullptr) {
        own.type = T_SortGroupClause;
        get_sort_group_operators(exprType(expr), false, true, false, &own.sortop, &own.eqop,
                                 nullptr, &own.hashable);
        clause = &own;
    }
    TargetEntry *entry = add_key(cut, expr, clause);
    if (entry->resno > cut->ngroups)
        part->values = bms_add_member(part->values, entry->resno);
}

// What an aggregate's value depends on, row by row: its arguments and its condition. A record
// without a name cannot travel, its fields can.
void add_values(Cut *cut, Part *part)
{
    const Aggref *aggregate = part->aggregate;
    ListCell *cell;
    foreach (cell, aggregate->args) {
        TargetEntry *argument = (TargetEntry *)lfirst(cell);
        if (IsA(argument->expr, RowExpr) && exprType((Node *)argument->expr) == RECORDOID) {
            ListCell *field;
            foreach (field, ((RowExpr *)argument->expr)->args)
                if (!is_the_same_for_all_rows((Node *)lfirst(field)))
                    add_value(cut, part, (Node *)lfirst(field), nullptr);
        } else if (!is_the_same_for_all_rows((Node *)argument->expr))
            add_value(
                cut, part, (Node *)argument->expr,
                get_sortgroupref_clause_noerr(argument->ressortgroupref, aggregate->aggdistinct));
    }
    if (aggregate->aggfilter != nullptr && !is_the_same_for_all_rows((Node *)aggregate->aggfilter))
        add_value(cut, part, (Node *)aggregate->aggfilter, nullptr);
    // The group of all rows is there even if they are none; one by a constant is not.
    if (part->values == nullptr && cut->ngroups == 0)
        add_value(cut, part, (Node *)make_int8(0), nullptr);
}

// True if no value of an aggregate with DISTINCT is on two shards, as the key is part of it.
bool values_have_shards(const Cut *cut, const Aggref *aggregate)
{
    // The router puts groups of one shard together, too, where there are grouping sets.
    if (cut->query->groupingSets != NIL || !adds_up_distinct_values(aggregate))
        return false;
    for (int i = 0; i < cut->colocation->keyspace->nkeys; i++) {
        bool shown = false;
        ListCell *cell;
        foreach (cell, aggregate->args)
            shown |= shows_key(cut->colocation, cut->query,
                               (Node *)((TargetEntry *)lfirst(cell))->expr, i);
        if (!shown)
            return false;
    }
    return true;
}

// One group of the shards for each of several sets of values: as many as there are values, not
// combinations of them. Partial values come with the set that has none.
bool add_grouping_sets(Cut *cut, List *value_sets)
{
    int nvalues = cut->nkeys - cut->ngroups;
    List *keys = NIL, *sets = NIL;
    ListCell *cell;
    foreach (cell, cut->remote->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        // PostgreSQL 15 takes constants for NULL where they are grouped by some sets.
        if (is_the_same_for_all_rows((Node *)entry->expr))
            return false;
        if (entry->resno <= cut->ngroups)
            keys = lappend_int(keys, entry->resno);
    }
    foreach (cell, value_sets) {
        List *references = list_copy(keys);
        for (int i = -1; (i = bms_next_member((Bitmapset *)lfirst(cell), i)) >= 0;)
            references = lappend_int(references, i);
        sets =
            lappend(sets, references != NIL ? makeGroupingSet(GROUPING_SET_SIMPLE, references, -1)
                                            : makeGroupingSet(GROUPING_SET_EMPTY, NIL, -1));
    }
    cut->remote->groupingSets = list_make1(makeGroupingSet(GROUPING_SET_SETS, sets, -1));

    GroupingFunc *marker = makeNode(GroupingFunc);
    marker->location = -1;
    for (int i = cut->ngroups; i < cut->nkeys; i++) {
        TargetEntry *entry = (TargetEntry *)list_nth(cut->remote->targetList, i);
        marker->args = lappend(marker->args, copy_node((Node *)entry->expr));
        marker->refs = lappend_int(marker->refs, entry->resno);
    }
    cut->marker = (Var *)column_var(add_column(cut->remote, (Expr *)marker));
    return nvalues > 0 && nvalues < 32; // as many as GROUPING() takes
}

// Bitmapsets are no nodes yet: lists of them have no functions of their own.
List *add_set(List *sets, Bitmapset *set)
{
    ListCell *cell;
    foreach (cell, sets)
        if (bms_equal((Bitmapset *)lfirst(cell), set))
            return sets;
    return lappend(sets, set);
}

// Adds all that the shards group by; false if the query has to take their rows.
bool add_keys(Cut *cut)
{
    ListCell *cell;
    foreach (cell, cut->query->groupClause) {
        SortGroupClause *clause = (SortGroupClause *)lfirst(cell);
        Node *expr = (Node *)get_sortgroupclause_tle(clause, cut->query->targetList)->expr;
        add_key(cut, expr, clause);
    }
    cut->ngroups = cut->nkeys;

    List *value_sets = NIL;
    bool has_partials = false, distinct_partials = false;
    foreach (cell, cut->parts) {
        Part *part = (Part *)lfirst(cell);
        bool distinct = part->aggregate->aggdistinct != NIL;
        part->takes_values = distinct && !values_have_shards(cut, part->aggregate);
        has_partials |= !part->takes_values;
        distinct_partials |= distinct && !part->takes_values;
        if (!part->takes_values)
            continue;
        add_values(cut, part);
        // Of a constant: without a key to group by, shards without rows would have a value as well.
        if (part->values == nullptr && cut->ngroups == 0)
            return false;
        value_sets = add_set(value_sets, part->values);
    }
    // With one set, the partials may as well come with its values: fewer groups.
    if (list_length(value_sets) + distinct_partials < 2)
        return true;
    if (has_partials)
        value_sets = add_set(value_sets, nullptr);
    return list_length(value_sets) < 2 || add_grouping_sets(cut, value_sets);
}

bool has_outer_join(const Node *from)
{
    ListCell *cell;
    if (IsA(from, FromExpr)) {
        foreach (cell, ((const FromExpr *)from)->fromlist)
            if (has_outer_join((const Node *)lfirst(cell)))
                return true;
        return false;
    }
    if (!IsA(from, JoinExpr))
        return false;
    const JoinExpr *join = (const JoinExpr *)from;
    return join->jointype != JOIN_INNER || has_outer_join(join->larg) || has_outer_join(join->rarg);
}

// True for a column that has NULL in no row: of a table, NOT NULL, and of no outer join.
bool is_never_null(const Query *query, const Node *expr)
{
    const Var *var = (const Var *)expr;
    if (!IsA(var, Var) || var->varlevelsup != 0 || var->varattno <= 0)
        return false;
    const RangeTblEntry *rte = rt_fetch(var->varno, query->rtable);
    if (rte->rtekind != RTE_RELATION || has_outer_join((const Node *)query->jointree))
        return false;
    HeapTuple tuple =
        SearchSysCache2(ATTNUM, ObjectIdGetDatum(rte->relid), Int16GetDatum(var->varattno));
    bool found = HeapTupleIsValid(tuple) && ((Form_pg_attribute)GETSTRUCT(tuple))->attnotnull;
    if (HeapTupleIsValid(tuple))
        ReleaseSysCache(tuple);
    return found;
}

// count(x) costs a shard more than count(*), which is there already, often enough.
void simplify_count(const Query *query, Node *partial)
{
    Aggref *count = (Aggref *)partial;
    if (!IsA(count, Aggref) || count->aggfnoid != F_COUNT_ANY || count->aggdistinct != NIL ||
        !is_never_null(query, (Node *)((TargetEntry *)linitial(count->args))->expr))
        return;
    count->aggfnoid = F_COUNT_;
    count->aggstar = true;
    count->args = count->aggargtypes = NIL;
    count->inputcollid = InvalidOid;
}

// The column with a partial value; that of another aggregate may be the same.
TargetEntry *add_partial(Cut *cut, Node *partial)
{
    simplify_count(cut->query, partial);
    bool is_shared = !contain_volatile_functions(partial);
    for (int i = cut->nkeys; is_shared && i < list_length(cut->remote->targetList); i++) {
        TargetEntry *entry = (TargetEntry *)list_nth(cut->remote->targetList, i);
        if (equal(entry->expr, partial))
            return entry;
    }
    return add_column(cut->remote, (Expr *)partial);
}

bool add_partials(Cut *cut, bool rows_are_ordered)
{
    ListCell *cell;
    foreach (cell, cut->parts) {
        Part *part = (Part *)lfirst(cell);
        if (part->takes_values)
            continue;
        if (!split_aggregate(part->aggregate, rows_are_ordered, &part->split))
            return false;
        ListCell *partial;
        foreach (partial, part->split.partials)
            part->partials = lappend(part->partials, add_partial(cut, (Node *)lfirst(partial)));
    }
    return true;
}

// ---- what the router does with the shards' groups ----------------------------------------------

// marker = the value that GROUPING() has for the set with these values.
Node *is_set(const Cut *cut, const Bitmapset *values)
{
    int32 mask = 0;
    for (int column = cut->ngroups + 1; column <= cut->nkeys; column++)
        mask = mask * 2 + !bms_is_member(column, values);
    return (Node *)make_call(F_INT4EQ, BOOLOID,
                             list_make2(copy_node(cut->marker), make_int4(mask)));
}

struct SetFilter {
    const Cut *cut;
    const Bitmapset *values;
};

// Lets the aggregates of an expression take the groups of one set alone.
Node *filter_mutator(Node *node, void *context)
{
    SetFilter *filter = (SetFilter *)context;
    if (node == nullptr)
        return nullptr;
    if (!IsA(node, Aggref))
        return expression_tree_mutator(node, (Node * (*)()) filter_mutator, context);
    Aggref *aggregate = copy_node((Aggref *)node);
    aggregate->aggfilter =
        (Expr *)make_and_qual((Node *)aggregate->aggfilter, is_set(filter->cut, filter->values));
    return (Node *)aggregate;
}

Node *of_set(const Cut *cut, const Bitmapset *values, Node *expr)
{
    SetFilter filter = {cut, values};
    return cut->marker != nullptr ? filter_mutator(expr, &filter) : expr;
}

Part *find_part(const Cut *cut, const Aggref *aggregate)
{
    ListCell *cell;
    foreach (cell, cut->parts)
        if (equal(((Part *)lfirst(cell))->aggregate, aggregate))
            return (Part *)lfirst(cell);
    elog(ERROR, "aggregate %u has not been collected", aggregate->aggfnoid);
}

Node *cut_mutator(Node *node, void *context);

Node *cut_aggregate(Cut *cut, Aggref *aggregate)
{
    const Part *part = find_part(cut, aggregate);
    if (part->takes_values) {
        cut->inside = true;
        Node *over_values =
            expression_tree_mutator((Node *)aggregate, (Node * (*)()) cut_mutator, cut);
        cut->inside = false;
        return of_set(cut, part->values, over_values);
    }
    List *vars = NIL;
    ListCell *cell;
    foreach (cell, part->partials)
        vars = lappend(vars, column_var((TargetEntry *)lfirst(cell)));
    return of_set(cut, nullptr, (Node *)finish_aggregate(aggregate, &part->split, vars));
}

// Replaces aggregates by what finishes them, group keys and values by their columns.
Node *cut_mutator(Node *node, void *context)
{
    Cut *cut = (Cut *)context;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Aggref))
        return cut_aggregate(cut, (Aggref *)node);
    if (!IsA(node, List) && !IsA(node, TargetEntry) && !IsA(node, Const)) {
        TargetEntry *entry =
            find_column(cut->remote, cut->inside ? cut->nkeys : cut->ngroups, node);
        if (entry != nullptr)
            return column_var(entry);
    }
    if (IsA(node, Var) || IsA(node, SubLink) || IsA(node, Query)) {
        cut->failed = true;
        return node;
    }
    return expression_tree_mutator(node, (Node * (*)()) cut_mutator, context);
}

} // namespace

bool split_aggregation(Query *query, const Colocation *colocation, bool rows_are_ordered,
                       SplitQuery *split)
{
    Cut cut = {query, lower_part(query), colocation, NIL, 0, 0, nullptr, false, false};
    ListCell *cell;
    query->targetList = (List *)simplify_aggregates((Node *)query->targetList);
    query->havingQual = simplify_aggregates(query->havingQual);
    foreach (cell, aggregates_of(query)) {
        Part *part = (Part *)palloc0(sizeof(Part));
        part->aggregate = (Aggref *)lfirst(cell);
        cut.parts = lappend(cut.parts, part);
    }
    if (!add_keys(&cut) || !add_partials(&cut, rows_are_ordered))
        return false;
    cut.remote->hasAggs = contain_agg_clause((Node *)cut.remote->targetList);

    split->remote = cut.remote;
    split->target_list = (List *)cut_mutator((Node *)copy_node(query->targetList), &cut);
    split->having = cut_mutator(copy_node(query->havingQual), &cut);
    return !cut.failed;
}

// ---- rows --------------------------------------------------------------------------------------

namespace
{

struct RowCut {
    Query *remote;
    bool failed;
};

Node *row_mutator(Node *node, void *context)
{
    RowCut *cut = (RowCut *)context;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query)) {
        cut->failed = true;
        return node;
    }
    if (IsA(node, Var)) {
        TargetEntry *entry = find_column(cut->remote, list_length(cut->remote->targetList), node);
        if (entry == nullptr)
            entry = add_column(cut->remote, (Expr *)copy_node(node));
        return column_var(entry);
    }
    return expression_tree_mutator(node, (Node * (*)()) row_mutator, context);
}

// The conditions of all aggregates, each once; NIL if there is none, or some take every row.
List *common_filters(Query *query)
{
    List *filters = NIL;
    ListCell *cell;
    if (query->groupClause != NIL || query->groupingSets != NIL)
        return NIL;
    foreach (cell, aggregates_of(query)) {
        Node *filter = (Node *)((Aggref *)lfirst(cell))->aggfilter;
        if (filter == nullptr || contain_volatile_functions(filter) ||
            !expression_ships(query, filter))
            return NIL;
        filters = list_append_unique(filters, filter);
    }
    return filters;
}

Node *drop_filters(Node *node, void *context)
{
    if (node == nullptr)
        return nullptr;
    if (!IsA(node, Aggref))
        return expression_tree_mutator(node, (Node * (*)()) drop_filters, context);
    Aggref *aggregate = copy_node((Aggref *)node);
    aggregate->aggfilter = nullptr;
    return (Node *)aggregate;
}

} // namespace

bool split_off_rows(Query *query, SplitQuery *split)
{
    RowCut cut = {lower_part(query), false};
    Node *targets = flatten_join_alias_vars(query, (Node *)copy_node(query->targetList));
    Node *having = flatten_join_alias_vars(query, copy_node(query->havingQual));

    // Rows that no aggregate takes need not come; a condition of them all is the shards' alone.
    List *filters = common_filters(query);
    if (filters != NIL) {
        Node *any = list_length(filters) == 1 ? (Node *)linitial(filters)
                                              : (Node *)makeBoolExpr(OR_EXPR, filters, -1);
        FromExpr *from = cut.remote->jointree;
        from->quals = make_and_qual(from->quals, (Node *)copy_node(any));
    }
    if (list_length(filters) == 1) {
        targets = drop_filters(targets, nullptr);
        having = drop_filters(having, nullptr);
    }
    split->remote = cut.remote;
    split->target_list = (List *)row_mutator(targets, &cut);
    split->having = row_mutator(having, &cut);
    return !cut.failed;
}

} // namespace shardwise
