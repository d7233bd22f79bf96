#include "planner/scatter.hpp"

#include "pg/query_tree.hpp"
#include "planner/column_names.hpp"
#include "planner/locked_rows.hpp"
#include "planner/normalize.hpp"
#include "planner/projection.hpp"
#include "planner/route_planner.hpp"
#include "planner/row_bound.hpp"
#include "planner/row_security.hpp"
#include "planner/shard_rows.hpp"
#include "planner/split_query.hpp"
#include "planner/stands_alone.hpp"
#include "planner/statement_ids.hpp"
#include "planner/subquery_order.hpp"
#include "planner/subquery_outputs.hpp"
#include "planner/table_size.hpp"
#include "routing/colocation.hpp"

extern "C" {
#include "catalog/pg_operator.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parse_clause.h"
#include "parser/parse_coerce.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

// ---- sending ---------------------------------------------------------------------------------

// Numbers the entries of a target list, names all for the shards, and lists the first `ncolumns` as
// EXPLAIN is to name them.
List *name_columns(Query *remote, int ncolumns)
{
    List *columns = NIL;
    ListCell *cell;
    foreach (cell, remote->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        entry->resno = foreach_current_index(cell) + 1;
        entry->resjunk = entry->resno > ncolumns;
        if (!entry->resjunk) {
            TargetEntry *column = copy_node(entry);
            column->resname = describe_column(remote, entry);
            columns = lappend(columns, column);
        }
        if (entry->resname == nullptr)
            entry->resname = psprintf("c%d", entry->resno);
    }
    return columns;
}

// Could it be many rows? Bulk reads cost more to start: the shard plans them each time.
bool yields_many_rows(const Query *remote, const Route *route)
{
    return !yields_few_rows(remote) && (route->nparams == 0 || remote->jointree->quals == nullptr);
}

// A statement that every shard runs.
struct Part {
    Route *route;
    List *values;
    List *columns;
};

// Makes a query such a statement; false if it cannot be sent. The first `ncolumns` entries of its
// target list become columns.
bool compile_part(Query *remote, int ncolumns, Part *part)
{
    Shipping shipping = {};
    List *columns = name_columns(remote, ncolumns);
    if (has_record(columns))
        return false;

    ship_query(remote, &shipping);
    if (shipping.refusal != nullptr)
        return false;
    MarkedRows marked = apply_marks(remote, &shipping);
    // The shards keep the statement prepared for the next one that differs in constants alone.
    bool keeps = yields_few_rows(remote) && !marked.locks;
    List *constants = NIL;
    if (keeps && !holds_taken_constants((Node *)remote))
        constants = normalize_query(remote).constants;
    KeyAnalysis analysis = analyze_keys(remote);
    if (apply_row_security(remote) != nullptr)
        return false;
    List *values = NIL;
    Route *route = compile_route(remote, shipping, analysis, &values);
    if (constants != NIL)
        values = (List *)restore_constants((Node *)values, constants);
    if (keeps && values != NIL)
        route->statement_id = find_statement_id(route);
    route->tier = Tier::Scatter;
    use_marks(route, marked, &values);
    route->binary_results = columns_travel_in_binary(columns);
    if (!marked.locks)
        foresee_rows(route, remote);
    route->is_bulk = route->binary_results && !marked.locks && yields_many_rows(remote, route);
    *part = Part{route, values, columns};
    return true;
}

List *find_sources(const Query *remote, int ncolumns)
{
    List *sources = NIL;
    for (int i = 0; i < ncolumns; i++) {
        const Var *var = (const Var *)((TargetEntry *)list_nth(remote->targetList, i))->expr;
        ColumnSource *source = nullptr;
        if (IsA(var, Var) && rt_fetch(var->varno, remote->rtable)->rtekind == RTE_RELATION) {
            source = (ColumnSource *)palloc(sizeof(ColumnSource));
            *source = ColumnSource{rt_fetch(var->varno, remote->rtable)->relid, var->varattno,
                                   remote->groupClause != NIL || remote->distinctClause != NIL};
        }
        sources = lappend(sources, source);
    }
    return sources;
}

} // namespace

RangeTblEntry *send_query(Query *remote, int ncolumns, bool is_ordered)
{
    Part part;
    List *sources = find_sources(remote, ncolumns);
    if (!compile_part(remote, ncolumns, &part))
        return nullptr;
    RangeTblEntry *rows =
        make_shard_rows(part.route, part.values, part.columns, is_ordered, expected_rows(remote));
    name_sources(rows, sources);
    return rows;
}

namespace
{

// Makes `query` read from one entry, and nothing else.
void read_from(Query *query, RangeTblEntry *rows)
{
    query->rtable = list_make1(rows);
    query->jointree = makeFromExpr(list_make1(make_reference(1)), nullptr);
    query->cteList = NIL;
    query->hasRecursive = query->hasModifyingCTE = false;
    query->constraintDeps = NIL;
    query->hasSubLinks =
        checkExprHasSubLink((Node *)query->targetList) || checkExprHasSubLink(query->havingQual) ||
        checkExprHasSubLink((Node *)query->windowClause) ||
        checkExprHasSubLink(query->limitCount) || checkExprHasSubLink(query->limitOffset);
}

// ---- whole -----------------------------------------------------------------------------------

// No group, window or duplicate spans two shards, so each shard can do it all.
bool upper_part_is_local(const Colocation *colocation, Query *query)
{
    if (query->groupingSets != NIL || query->hasTargetSRFs)
        return false;
    if ((query->hasAggs || query->havingQual != nullptr) && query->groupClause == NIL)
        return false;
    if (query->groupClause != NIL && !contains_key(colocation, query, query->groupClause))
        return false;
    if (query->distinctClause != NIL && !contains_key(colocation, query, query->distinctClause))
        return false;
    ListCell *cell;
    foreach (cell, query->windowClause)
        if (!contains_key(colocation, query, ((WindowClause *)lfirst(cell))->partitionClause))
            return false;
    return true;
}

Node *as_int8(Node *expr)
{
    return coerce_to_target_type(nullptr, expr, exprType(expr), INT8OID, -1, COERCION_EXPLICIT,
                                 COERCE_IMPLICIT_CAST, -1);
}

Expr *int8_call(Oid function, Expr *left, Expr *right, Oid result = INT8OID)
{
    return (Expr *)makeFuncExpr(function, result, list_make2(left, right), InvalidOid, InvalidOid,
                                COERCE_EXPLICIT_CALL);
}

// LIMIT + OFFSET; none where that is beyond int8. NULL is no limit and no offset.
Node *sum_of_limits(Node *count, Node *offset)
{
    MinMaxExpr *skipped = makeNode(MinMaxExpr);
    skipped->minmaxtype = INT8OID;
    skipped->op = IS_GREATEST;
    skipped->args = list_make2(as_int8(offset), make_int8(0));
    skipped->location = -1;

    Expr *fits = int8_call(F_INT8LE, (Expr *)as_int8(count),
                           int8_call(F_INT8MI, make_int8(PG_INT64_MAX), (Expr *)skipped), BOOLOID);
    Expr *limit =
        make_case((Node *)fits, int8_call(F_INT8PL, (Expr *)as_int8(count), (Expr *)skipped),
                  (Expr *)makeNullConst(INT8OID, -1, InvalidOid));
    return eval_const_expressions(nullptr, (Node *)limit);
}

// A shard needs to deliver LIMIT + OFFSET rows at the most. False if the router alone can tell how
// many that is.
bool push_limit(Query *remote)
{
    if (checkExprHasSubLink(remote->limitCount) || checkExprHasSubLink(remote->limitOffset) ||
        contain_volatile_functions(remote->limitCount) ||
        contain_volatile_functions(remote->limitOffset))
        return false;
    if (remote->limitCount != nullptr && remote->limitOffset != nullptr)
        remote->limitCount = sum_of_limits(remote->limitCount, remote->limitOffset);
    remote->limitOffset = nullptr;
    return true;
}

void sort_route(Route *route, Query *query)
{
    route->sort = (SortColumn *)palloc0(sizeof(SortColumn) * list_length(query->sortClause));
    ListCell *cell;
    foreach (cell, query->sortClause) {
        SortGroupClause *clause = (SortGroupClause *)lfirst(cell);
        TargetEntry *entry = get_sortgroupclause_tle(clause, query->targetList);
        SortColumn *column = &route->sort[route->nsort++];
        column->column = entry->resno - 1;
        column->less_than = clause->sortop;
        column->collation = exprCollation((Node *)entry->expr);
        column->nulls_first = clause->nulls_first;
    }
}

// Puts the entries of the target list that the router needs, to show or to merge by, before those
// of groups and windows; returns their number.
int put_columns_first(Query *query)
{
    List *needed = NIL, *others = NIL;
    ListCell *cell;
    foreach (cell, query->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (!entry->resjunk || entry->ressortgroupref == 0 ||
            targetIsInSortList(entry, InvalidOid, query->sortClause))
            needed = lappend(needed, entry);
        else
            others = lappend(others, entry);
    }
    int n = list_length(needed);
    query->targetList = list_concat(needed, others);
    foreach (cell, query->targetList)
        ((TargetEntry *)lfirst(cell))->resno = foreach_current_index(cell) + 1;
    return n;
}

// ---- LIMIT and locks ---------------------------------------------------------------------------

void add_place(Query *remote, Expr *column)
{
    remote->targetList =
        lappend(remote->targetList,
                makeTargetEntry(column, list_length(remote->targetList) + 1, nullptr, false));
}

// Adds the columns that tell the places of an entry's rows, behind the first `ncolumns`.
void add_places(Query *remote, int varno, int ncolumns)
{
    List *others = list_copy_tail(remote->targetList, ncolumns);
    Var *shard = makeVar(varno, shard_attribute, CIDOID, -1, InvalidOid, 0);
    Var *place = makeVar(varno, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, 0);
    remote->targetList = list_truncate(remote->targetList, ncolumns);
    add_place(remote, (Expr *)shard);
    add_place(remote, (Expr *)place);
    remote->targetList = list_concat(remote->targetList, others);
}

// Makes a query lock the rows at places that the router names, if its conditions let them through.
void lock_places(Query *remote, int varno)
{
    Var *own = makeVar(varno, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, 0);
    List *clauses = list_make1(make_any(TIDEqualOperator, (Expr *)own,
                                        (Expr *)make_parameter(places_param_id, TIDARRAYOID)));
    if (remote->jointree->quals != nullptr)
        clauses = lappend(clauses, remote->jointree->quals);
    remote->jointree->quals = make_conjunction(clauses);
    remote->sortClause = NIL;
    remote->limitCount = nullptr;
    place_locked(rt_fetch(varno, remote->rtable), true);
}

// The rows that FOR UPDATE with a LIMIT locks: each shard would lock as many as the LIMIT says. So
// one statement finds rows and another locks those that are needed (executor/lock_scan). nullptr if
// the query is no such one, or its conditions may be different the second time.
RangeTblEntry *send_in_two(const Query *remote, int ncolumns)
{
    Query *finder = copy_node(remote);
    Query *locker = copy_node(remote);
    LockWaitPolicy policy;
    int varno = find_locked_table(finder, &policy);
    if (varno == 0 || remote->limitCount == nullptr ||
        remote->limitOption == LIMIT_OPTION_WITH_TIES || contain_volatile_functions((Node *)remote))
        return nullptr;
    place_locked(rt_fetch(varno, finder->rtable), false);
    finder->limitCount = (Node *)make_parameter(limit_param_id, INT8OID);
    add_places(finder, varno, ncolumns);
    lock_places(locker, varno);
    add_places(locker, varno, ncolumns);

    Part found, locked;
    if (!compile_part(finder, ncolumns + 2, &found) || !compile_part(locker, ncolumns + 2, &locked))
        return nullptr;
    found.route->is_bulk = locked.route->is_bulk = false;
    locked.route->statement_id = find_statement_id(locked.route);
    RangeTblEntry *rows = make_shard_rows(found.route, found.values, found.columns,
                                          remote->sortClause != NIL, expected_rows(finder));
    lock_shard_rows(rows, locked.route, locked.values, (Expr *)as_int8(remote->limitCount),
                    policy == LockWaitSkip);
    return rows;
}

// The shards run the whole query; the router merges and cuts.
bool scatter_whole(Query *query)
{
    int ncolumns = put_columns_first(query);
    Query *remote = copy_node(query);
    bool is_cut = query->limitCount != nullptr || query->limitOffset != nullptr;
    if (is_cut && !push_limit(remote))
        remote->limitCount = remote->limitOffset = nullptr;

    RangeTblEntry *rows = is_cut ? send_in_two(remote, ncolumns) : nullptr;
    if (rows == nullptr)
        rows = send_query(remote, ncolumns, query->sortClause != NIL);
    if (rows == nullptr)
        return false;
    query->targetList = list_truncate(query->targetList, ncolumns);
    ListCell *cell;
    foreach (cell, query->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        entry->expr = (Expr *)makeVarFromTargetEntry(1, entry);
    }
    const ShardRows *sent = find_shard_rows(rows);
    sort_route(sent->route, query);
    query->groupClause = query->windowClause = query->distinctClause = NIL;
    query->havingQual = nullptr;
    query->hasAggs = query->hasWindowFuncs = query->hasDistinctOn = false;
    read_from(query, rows);
    return true;
}

// ---- in parts ----------------------------------------------------------------------------------

bool upper_part_has_sublinks(Query *query)
{
    return query->hasSubLinks && (checkExprHasSubLink((Node *)query->targetList) ||
                                  checkExprHasSubLink(query->havingQual));
}

// Makes the query read its remote part; false if that cannot be sent.
bool read_split(Query *query, const SplitQuery &split)
{
    RangeTblEntry *rows = send_query(split.remote, list_length(split.remote->targetList), false);
    if (rows == nullptr)
        return false;
    query->targetList = split.target_list;
    query->havingQual = split.having;
    read_from(query, rows);
    return true;
}

// The shards aggregate their rows by group, the router puts the groups together.
bool scatter_aggregates(Query *query, const Colocation *colocation)
{
    SplitQuery split;
    if (!split_aggregation(query, colocation, reads_ordered_source(query), &split) ||
        !read_split(query, split))
        return false;
    query->hasAggs =
        contain_agg_clause((Node *)query->targetList) || contain_agg_clause(query->havingQual);
    return true;
}

// The shards join and filter; everything else is the router's.
bool scatter_rows(Query *query)
{
    SplitQuery split;
    return split_off_rows(query, &split) && read_split(query, split);
}

} // namespace

// ---- which way ---------------------------------------------------------------------------------

bool shards_answer_alone(Query *query, Colocation *colocation)
{
    *colocation = Colocation{};
    if (!stands_alone(query) || query->limitCount != nullptr || query->limitOffset != nullptr)
        return false;
    *colocation = find_colocation(query);
    return colocation->found && upper_part_is_local(colocation, query);
}

namespace
{

// Cuts a query that is colocated in the best way.
bool scatter_as(Query *query, const Colocation *colocation)
{
    bool aggregates = query->hasAggs || query->groupClause != NIL || query->havingQual != nullptr;
    // array_agg() over an ordered subquery wants its rows in order: then the subquery is cut alone.
    bool ordered = reads_ordered_source(query);
    if (ordered && !aggregates && query->sortClause == NIL)
        return false;
    if (upper_part_is_local(colocation, query) && scatter_whole(query))
        return true;
    if (upper_part_has_sublinks(query))
        return false;
    return (aggregates && scatter_aggregates(query, colocation)) ||
           (!ordered && scatter_rows(query));
}

bool try_scatter(Query *query)
{
    if (!stands_alone(query) || joins_copy_of_target(query))
        return false;
    Colocation colocation = find_colocation(query);
    if (colocation.found)
        return scatter_as(query, &colocation);
    Query *exposed = copy_node(query);
    if (!expose_keys(exposed))
        return false;
    colocation = find_colocation(exposed);
    if (!colocation.found || !scatter_as(exposed, &colocation))
        return false;
    *query = *exposed;
    return true;
}

bool scatter_inside(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        scatter_query((Query *)node);
        return false;
    }
    return expression_tree_walker(node, (bool (*)())scatter_inside, nullptr);
}

} // namespace

void scatter_query(Query *query)
{
    // These want to find rows again, which rows of a remote query cannot be.
    if (query->commandType == CMD_UPDATE || query->commandType == CMD_DELETE ||
        query->commandType == CMD_MERGE || query->rowMarks != NIL)
        return;
    if (reads_ordered_source(query))
        (void)inherit_order(query);
    if (!try_scatter(query))
        query_tree_walker(query, (bool (*)())scatter_inside, nullptr, 0);
}

} // namespace shardwise
