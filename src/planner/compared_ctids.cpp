#include "planner/compared_ctids.hpp"

#include "catalog/catalog.hpp"
#include "core/packed_place.hpp"
#include "pg/query_tree.hpp"
#include "planner/locked_rows.hpp"
#include "planner/packed_place.hpp"
#include "routing/colocation.hpp"

extern "C" {
#include "catalog/pg_operator.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

// ---- where ctids come from ---------------------------------------------------------------------

// Of whose rows values of type tid are: bits.
constexpr int of_rows = 1;   // of distributed tables
constexpr int of_others = 2; // of other tables, of the client, stored ones

struct Scope {
    List *queries;   // around the node, innermost first
    Query *subquery; // of the sublink whose condition the node is; nullptr: none
};

int origin(Node *node, const Scope &scope);

const RangeTblEntry *entry_of(const Var *var, const List *queries)
{
    if ((int)var->varlevelsup >= list_length(queries))
        return nullptr;
    const Query *level = (const Query *)list_nth(queries, (int)var->varlevelsup);
    return rt_fetch(var->varno, level->rtable);
}

// True for the ctid of a distributed table.
bool is_ctid_of_shard(const Node *node, const List *queries)
{
    const Var *var = (const Var *)node;
    if (!IsA(node, Var) || var->varattno != SelfItemPointerAttributeNumber)
        return false;
    const RangeTblEntry *rte = entry_of(var, queries);
    const Table *table =
        rte != nullptr && rte->rtekind == RTE_RELATION ? find_table(rte->relid) : nullptr;
    return table != nullptr && !table->is_reference;
}

int origin_of_output(Query *query, int number, List *around)
{
    if (query->commandType != CMD_SELECT)
        return of_others;
    List *queries = prepend(query, around);
    if (query->setOperations == nullptr)
        return origin((Node *)get_tle_by_resno(query->targetList, number)->expr,
                      {queries, nullptr});
    int found = 0;
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (rte->rtekind == RTE_SUBQUERY)
            found |= origin_of_output(rte->subquery, number, queries);
    }
    return found;
}

int origin_of_cte(const RangeTblEntry *rte, int number, List *queries)
{
    if (rte->self_reference) // what the first part of the recursion has
        return 0;
    List *levels = list_copy_tail(queries, (int)rte->ctelevelsup);
    ListCell *cell;
    foreach (cell, levels != NIL ? ((Query *)linitial(levels))->cteList : NIL) {
        CommonTableExpr *cte = (CommonTableExpr *)lfirst(cell);
        if (strcmp(cte->ctename, rte->ctename) == 0)
            return origin_of_output((Query *)cte->ctequery, number, levels);
    }
    return of_others;
}

int origin_of_column(const Var *var, List *queries)
{
    if (is_ctid_of_shard((const Node *)var, queries))
        return of_rows;
    const RangeTblEntry *rte = entry_of(var, queries);
    if (rte == nullptr || var->varattno <= 0)
        return of_others;
    List *levels = list_copy_tail(queries, (int)var->varlevelsup);
    switch (rte->rtekind) {
    case RTE_SUBQUERY:
        return origin_of_output(rte->subquery, var->varattno, levels);
    case RTE_CTE:
        return origin_of_cte(rte, var->varattno, levels);
    case RTE_JOIN:
        return origin((Node *)list_nth(rte->joinaliasvars, var->varattno - 1), {levels, nullptr});
    default:
        return of_others;
    }
}

bool is_tid(Node *node)
{
    Oid type = exprType(node);
    return type == TIDOID || type == TIDARRAYOID;
}

struct Sources {
    Scope scope;
    int found;
};

bool add_source(Node *node, void *context)
{
    Sources *sources = (Sources *)context;
    if (node == nullptr || IsA(node, SortGroupClause) || IsA(node, Query))
        return false;
    if (IsA(node, List) || IsA(node, TargetEntry) || IsA(node, CaseWhen))
        return expression_tree_walker(node, (bool (*)())add_source, context);
    if (is_tid(node))
        sources->found |= origin(node, sources->scope);
    return false;
}

int origin(Node *node, const Scope &scope)
{
    if (node == nullptr || (IsA(node, Const) && ((Const *)node)->constisnull))
        return 0;
    if (is_packed_place(node))
        return of_rows;
    if (IsA(node, Var))
        return origin_of_column((Var *)node, scope.queries);
    if (IsA(node, Param) && ((Param *)node)->paramkind == PARAM_SUBLINK &&
        scope.subquery != nullptr)
        return origin_of_output(scope.subquery, ((Param *)node)->paramid, scope.queries);
    if (IsA(node, SubLink))
        return origin_of_output((Query *)((SubLink *)node)->subselect, 1, scope.queries);
    // A value that is chosen from others of the type, or made of something else.
    Sources sources = {scope, 0};
    expression_tree_walker(node, (bool (*)())add_source, &sources);
    return sources.found != 0 ? sources.found : of_others;
}

// ---- what is compared --------------------------------------------------------------------------

// What a node compares; NIL for other nodes.
List *compared_values(Node *node)
{
    switch (nodeTag(node)) {
    case T_OpExpr:
    case T_DistinctExpr:
    case T_NullIfExpr:
        return ((OpExpr *)node)->args;
    case T_ScalarArrayOpExpr:
        return ((ScalarArrayOpExpr *)node)->args;
    case T_RowCompareExpr:
        return list_concat_copy(((RowCompareExpr *)node)->largs, ((RowCompareExpr *)node)->rargs);
    default:
        return NIL;
    }
}

struct Comparison {
    int found;     // whose ctids
    bool is_plain; // those of rows are columns of their tables
    bool is_local; // of this level's
};

Comparison find_comparison(Node *node, const Scope &scope)
{
    Comparison comparison = {0, true, true};
    ListCell *cell;
    foreach (cell, compared_values(node)) {
        Node *value = (Node *)lfirst(cell);
        if (!is_tid(value))
            continue;
        int found = origin(value, scope);
        comparison.found |= found;
        if ((found & of_rows) == 0)
            continue;
        comparison.is_plain &= is_ctid_of_shard(value, scope.queries);
        comparison.is_local &= comparison.is_plain && ((Var *)value)->varlevelsup == 0;
    }
    return comparison;
}

// True if the query joins rows of one shard alone.
bool joins_within_shard(Query *query)
{
    return query->commandType == CMD_SELECT && find_colocation(copy_node(query)).found;
}

struct Survey {
    Scope scope;
    bool compares_rows;    // of several shards
    bool compares_outside; // rows with what comes from outside
    bool mixes;            // likewise, but a subquery is between
};

bool survey(Node *node, void *context);

void survey_sublink(SubLink *sublink, Survey *result)
{
    Survey inner = *result;
    inner.scope.subquery = (Query *)sublink->subselect;
    survey(sublink->testexpr, &inner);
    inner.scope.subquery = result->scope.subquery;
    survey(sublink->subselect, &inner);
    *result = inner;
}

bool survey(Node *node, void *context)
{
    Survey *result = (Survey *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        Scope around = result->scope;
        result->scope = {prepend(node, around.queries), nullptr};
        query_tree_walker((Query *)node, (bool (*)())survey, context, 0);
        result->scope = around;
        return false;
    }
    if (IsA(node, SubLink)) {
        survey_sublink((SubLink *)node, result);
        return false;
    }
    Comparison comparison = find_comparison(node, result->scope);
    if (comparison.found == of_rows)
        result->compares_rows |=
            !comparison.is_local || !joins_within_shard((Query *)linitial(result->scope.queries));
    else if ((comparison.found & of_rows) != 0 && comparison.is_plain)
        result->compares_outside = true;
    else if ((comparison.found & of_rows) != 0)
        result->mixes = true;
    return expression_tree_walker(node, (bool (*)())survey, context);
}

// ---- places in place of ctids ------------------------------------------------------------------

struct Replacing {
    Scope scope;
    bool shows; // the node is what the statement shows or stores
};

Node *replace(Node *node, void *context);

// Of what is shown, ctids are those of the shards: all but the grouped columns, which everything
// else refers to.
bool shows_rows(const Query *query)
{
    return query->setOperations == nullptr && query->groupClause == NIL &&
           query->distinctClause == NIL;
}

Query *replace_in_query(Query *query, const Replacing *around)
{
    bool is_source = around->scope.queries != NIL && around->shows;
    bool is_top = around->scope.queries == NIL || is_source;
    Replacing inner = {{prepend(query, around->scope.queries), nullptr}, false};
    Query *replaced = (Query *)query_tree_mutator(query, (Node * (*)()) replace, &inner,
                                                  QTW_IGNORE_RT_SUBQUERIES);
    // An INSERT stores what its source shows.
    ListCell *cell;
    foreach (cell, replaced->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (rte->rtekind != RTE_SUBQUERY)
            continue;
        Replacing source = inner;
        source.shows = is_top && query->commandType == CMD_INSERT;
        rte->subquery = replace_in_query(
            ((RangeTblEntry *)list_nth(query->rtable, foreach_current_index(cell)))->subquery,
            &source);
    }
    inner.shows = true;
    if (is_top && shows_rows(query)) {
        List *entries = NIL;
        foreach (cell, query->targetList) {
            TargetEntry *entry = (TargetEntry *)lfirst(cell);
            inner.shows = entry->ressortgroupref == 0;
            entries = lappend(entries, replace((Node *)entry, &inner));
        }
        replaced->targetList = entries;
    }
    inner.shows = true;
    replaced->returningList = (List *)replace((Node *)query->returningList, &inner);
    replaced->mergeActionList = (List *)replace((Node *)query->mergeActionList, &inner);
    return replaced;
}

// value = ANY (ARRAY(subquery)) is value IN (subquery), for which the planner knows joins.
SubLink *as_membership(const ScalarArrayOpExpr *any)
{
    const SubLink *array = (const SubLink *)lsecond(any->args);
    if (any->opno != TIDEqualOperator || !any->useOr || !IsA(array, SubLink) ||
        array->subLinkType != ARRAY_SUBLINK)
        return nullptr;
    Param *element = makeNode(Param);
    element->paramkind = PARAM_SUBLINK;
    element->paramid = 1;
    element->paramtype = TIDOID;
    element->paramtypmod = -1;
    element->location = -1;
    SubLink *in = copy_node(array);
    in->subLinkType = ANY_SUBLINK;
    in->testexpr = make_equality((Expr *)copy_node((Node *)linitial(any->args)), (Expr *)element);
    in->operName = list_make1(makeString(pstrdup("=")));
    return in;
}

// Aggregates look at places, also where their results are shown; of an array its elements are.
bool aggregates_places(Node *node)
{
    return (IsA(node, Aggref) || IsA(node, WindowFunc)) && exprType(node) != TIDARRAYOID;
}

// A place that comes from a subquery or an aggregate, where it is shown.
bool is_shown_place(Node *node, const Scope &scope)
{
    bool is_column = IsA(node, Var) && !is_ctid_of_shard(node, scope.queries);
    bool is_subquery = IsA(node, SubLink) && ((SubLink *)node)->subLinkType == EXPR_SUBLINK;
    return (is_column || is_subquery || aggregates_places(node)) && exprType(node) == TIDOID &&
           origin(node, scope) == of_rows;
}

Node *replace(Node *node, void *context)
{
    Replacing *replacing = (Replacing *)context;
    const Scope &scope = replacing->scope;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query)) {
        Replacing around = {scope, false};
        return (Node *)replace_in_query((Query *)node, &around);
    }
    if (replacing->shows && is_shown_place(node, scope)) {
        Replacing below = {scope, false};
        return (Node *)make_unpacked_place((Expr *)replace(node, &below));
    }
    if (is_ctid_of_shard(node, scope.queries))
        return replacing->shows ? (Node *)copy_node(node) : (Node *)make_packed_place((Var *)node);
    if (is_packed_place(node))
        return (Node *)copy_node(node);
    Replacing inner = *replacing;
    Comparison comparison = find_comparison(node, scope);
    if (comparison.found == of_rows) {
        inner.shows = false;
        if (IsA(node, ScalarArrayOpExpr))
            if (SubLink *in = as_membership((ScalarArrayOpExpr *)node))
                return replace((Node *)in, &inner);
    } else if (comparison.found != 0) {
        inner.shows = true; // with what comes from outside
    }
    if (aggregates_places(node))
        inner.shows = false;
    if (IsA(node, SubLink)) {
        inner.shows = false;
        inner.scope.subquery = (Query *)((SubLink *)node)->subselect;
    }
    return expression_tree_mutator(node, (Node * (*)()) replace, &inner);
}

// Lets the tables whose rows' places are compared tell them.
bool mark_tables(Node *node, void *context)
{
    List *queries = *(List **)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        List *inner = prepend(node, queries);
        return query_tree_walker((Query *)node, (bool (*)())mark_tables, &inner, 0);
    }
    if (is_packed_place(node)) {
        const RangeTblEntry *rte = entry_of(ctid_of_place(node), queries);
        mark_compared((RangeTblEntry *)rte);
        return false;
    }
    return expression_tree_walker(node, (bool (*)())mark_tables, context);
}

bool mentions_ctid(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Var))
        return ((Var *)node)->varattno == SelfItemPointerAttributeNumber;
    if (IsA(node, Query))
        return query_tree_walker((Query *)node, (bool (*)())mentions_ctid, nullptr, 0);
    return expression_tree_walker(node, (bool (*)())mentions_ctid, nullptr);
}

bool mentions_place(Node *node, void *)
{
    if (node == nullptr || is_packed_place(node))
        return node != nullptr;
    if (IsA(node, Query))
        return query_tree_walker((Query *)node, (bool (*)())mentions_place, nullptr, 0);
    return expression_tree_walker(node, (bool (*)())mentions_place, nullptr);
}

bool shards_can_be_packed()
{
    const Shard *const *shards;
    int n = list_shards(&shards);
    for (int i = 0; i < n; i++)
        if (shards[i]->id > highest_packed_shard)
            return false;
    return true;
}

} // namespace

Refusal compare_places(Query *query, bool writes)
{
    // A part of a statement (WITH) has its places already.
    if (!mentions_ctid((Node *)query, nullptr) || mentions_place((Node *)query, nullptr))
        return nullptr;
    Survey found = {};
    survey((Node *)query, &found);
    if (!found.compares_rows)
        return nullptr;
    if (found.mixes || (found.compares_outside && writes))
        return pstrdup("Rows of several shards may have the same ctid: those of rows cannot be "
                       "compared with others.");
    if (!shards_can_be_packed())
        return psprintf("Rows of several shards may have the same ctid, and the number of a shard "
                        "is above %d.",
                        highest_packed_shard);
    Replacing outside = {};
    *query = *replace_in_query(query, &outside);
    List *queries = NIL;
    mark_tables((Node *)query, &queries);
    return nullptr;
}

} // namespace shardwise
