#include "routing/equality.hpp"

#include "pg/versions.hpp"
#include "routing/bounds.hpp"

extern "C" {
#include "nodes/bitmapset.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/prep.h"
#include "parser/parse_clause.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

// Where a clause stands decides what it restricts.
enum class Place {
    Certain, // every row of the level satisfies it
    Outer    // ON clause of an outer join: restricts the nullable side alone
};

struct Collector {
    Equalities *out;
    Query *query;
    List *parents; // enclosing queries, innermost first
    bool decides;  // the subquery is a WHERE EXISTS (...) or IN: it restricts its parent as well
    Place place;
    Relids nullable; // with Place::Outer
};

void collect_query(Query *query, List *parents, bool decides, Equalities *out);

template <typename T> T *remember(const T &value)
{
    T *copy = (T *)palloc(sizeof(T));
    *copy = value;
    return copy;
}

void add_edge(Collector *c, const Term &from, const Term &to)
{
    c->out->edges = lappend(c->out->edges, remember(Edge{from, to}));
}

bool is_nullable(const Collector *c, const Term &term)
{
    return term.query == c->query && bms_is_member(term.varno, c->nullable);
}

// Does a condition on a column of some table restrict the rows that matter?
bool restricts(const Collector *c, const Term &term)
{
    if (term.query != c->query) // a restriction of the parent by its subquery
        return c->place == Place::Certain && c->decides;
    return c->place == Place::Certain || is_nullable(c, term);
}

void collect_pair(Collector *c, const Term &a, const Term &b)
{
    if (restricts(c, b))
        add_edge(c, a, b);
    if (restricts(c, a))
        add_edge(c, b, a);
}

// Links an output column of a subquery with the column inside that it shows. `up`: what the
// subquery yields restricts its reader; `down`: what the reader drops need not be yielded.
void link_output(Collector *c, const Term &outer, Query *subquery, List *inner_parents, int column,
                 bool up, bool down);

void collect_any_sublink(Collector *c, SubLink *sublink)
{
    if (sublink->subLinkType != ANY_SUBLINK || !IsA(sublink->subselect, Query))
        return;
    Query *subquery = (Query *)sublink->subselect;
    List *tests = list_make1(sublink->testexpr);
    if (is_andclause(sublink->testexpr))
        tests = ((BoolExpr *)sublink->testexpr)->args;

    ListCell *cell;
    foreach (cell, tests) {
        Node *left, *right;
        Term term;
        if (!match_equality((Node *)lfirst(cell), &left, &right))
            continue;
        right = strip_casts(right);
        if (!IsA(right, Param) || ((Param *)right)->paramkind != PARAM_SUBLINK ||
            !find_term(left, c->query, c->parents, &term))
            continue;
        link_output(c, term, subquery, prepend(c->query, c->parents), ((Param *)right)->paramid,
                    true, true);
    }
}

// Key columns are NOT NULL, so that IS NULL leaves no row, unless an outer join makes NULLs.
void collect_null_test(Collector *c, NullTest *test)
{
    Term term;
    if (test->nulltesttype != IS_NULL || c->place != Place::Certain ||
        !find_term((Node *)test->arg, c->query, c->parents, &term) || term.query != c->query ||
        rt_fetch(term.varno, c->query->rtable)->rtekind != RTE_RELATION ||
        bms_is_member(term.varno, nullable_relations(c->query)))
        return;
    Node *arg = (Node *)test->arg;
    Expr *null = (Expr *)makeNullConst(exprType(arg), exprTypmod(arg), exprCollation(arg));
    c->out->seeds = lappend(c->out->seeds, remember(Seed{term, null, false}));
}

void collect_clause(Collector *c, Node *clause)
{
    Node *left, *right;
    Seed seed;
    Bound bound;

    if (clause == nullptr)
        return;
    if (IsA(clause, List)) {
        ListCell *cell;
        foreach (cell, (List *)clause)
            collect_clause(c, (Node *)lfirst(cell));
    } else if (is_andclause(clause)) {
        collect_clause(c, (Node *)((BoolExpr *)clause)->args);
    } else if (is_orclause(clause)) {
        if (c->place == Place::Certain)
            c->out->disjunctions =
                lappend(c->out->disjunctions, remember(Disjunction{c->query, (BoolExpr *)clause}));
    } else if (IsA(clause, SubLink)) {
        if (c->place == Place::Certain)
            collect_any_sublink(c, (SubLink *)clause);
    } else if (match_seed(clause, c->query, c->parents, &seed)) {
        if (restricts(c, seed.term))
            c->out->seeds = lappend(c->out->seeds, remember(seed));
    } else if (match_equality(clause, &left, &right)) {
        Term a, b;
        if (find_term(left, c->query, c->parents, &a) && find_term(right, c->query, c->parents, &b))
            collect_pair(c, a, b);
    } else if (match_bound(clause, c->query, c->parents, &bound)) {
        if (restricts(c, bound.terms[0]))
            c->out->bounds = lappend(c->out->bounds, remember(bound));
    } else if (IsA(clause, NullTest)) {
        collect_null_test(c, (NullTest *)clause);
    }
}

void collect_quals(Collector *c, Place place, Relids nullable, Node *quals)
{
    c->place = place;
    c->nullable = nullable;
    collect_clause(c, flatten_join_alias_vars(c->query, quals));
}

Relids relids_below(Node *jointree)
{
    return get_relids_in_jointree(jointree, true);
}

void collect_join(Collector *c, Node *node, Relids nonnullable);

// An outer join whose nullable side must not be NULL further up is an inner join.
JoinType effective_join_type(JoinExpr *join, Relids nonnullable)
{
    bool left = bms_overlap(relids_below(join->larg), nonnullable);
    bool right = bms_overlap(relids_below(join->rarg), nonnullable);
    switch (join->jointype) {
    case JOIN_LEFT:
        return right ? JOIN_INNER : JOIN_LEFT;
    case JOIN_RIGHT:
        return left ? JOIN_INNER : JOIN_RIGHT;
    case JOIN_FULL:
        return left && right ? JOIN_INNER : left ? JOIN_LEFT : right ? JOIN_RIGHT : JOIN_FULL;
    default:
        return join->jointype;
    }
}

// Which relations are on the nullable side of a join that stays an outer join.
Relids nullable_below(Query *query, Node *node, Relids nonnullable)
{
    if (IsA(node, FromExpr)) {
        FromExpr *from = (FromExpr *)node;
        Relids both = bms_union(nonnullable,
                                find_nonnullable_rels(flatten_join_alias_vars(query, from->quals)));
        Relids result = nullptr;
        ListCell *cell;
        foreach (cell, from->fromlist)
            result = bms_union(result, nullable_below(query, (Node *)lfirst(cell), both));
        return result;
    }
    if (!IsA(node, JoinExpr))
        return nullptr;

    JoinExpr *join = (JoinExpr *)node;
    Relids own = find_nonnullable_rels(flatten_join_alias_vars(query, join->quals));
    Relids both = bms_union(nonnullable, own);
    JoinType type = effective_join_type(join, nonnullable);
    bool left_stays = type == JOIN_INNER || type == JOIN_LEFT;
    bool right_stays = type == JOIN_INNER || type == JOIN_RIGHT;
    Relids left = left_stays
                      ? nullable_below(query, join->larg, type == JOIN_INNER ? both : nonnullable)
                      : relids_below(join->larg);
    Relids right = right_stays
                       ? nullable_below(query, join->rarg, type == JOIN_INNER ? both : nonnullable)
                       : relids_below(join->rarg);
    return bms_union(left, right);
}

void collect_join_expr(Collector *c, JoinExpr *join, Relids nonnullable)
{
    Relids own = find_nonnullable_rels(flatten_join_alias_vars(c->query, join->quals));
    Relids both = bms_union(nonnullable, own);

    switch (effective_join_type(join, nonnullable)) {
    case JOIN_INNER:
        collect_join(c, join->larg, both);
        collect_join(c, join->rarg, both);
        collect_quals(c, Place::Certain, nullptr, join->quals);
        break;
    case JOIN_LEFT:
        collect_join(c, join->larg, nonnullable);
        collect_join(c, join->rarg, own);
        collect_quals(c, Place::Outer, relids_below(join->rarg), join->quals);
        break;
    case JOIN_RIGHT:
        collect_join(c, join->larg, own);
        collect_join(c, join->rarg, nonnullable);
        collect_quals(c, Place::Outer, relids_below(join->larg), join->quals);
        break;
    default: // FULL: its ON clause restricts neither side, nor do clauses below it
        collect_join(c, join->larg, nullptr);
        collect_join(c, join->rarg, nullptr);
        break;
    }
}

void collect_relation(Collector *c, int varno)
{
    RangeTblEntry *rte = rt_fetch(varno, c->query->rtable);
    List *inner_parents = prepend(c->query, c->parents);

    if (rte->rtekind == RTE_RELATION) {
        c->out->occurrences = lappend(c->out->occurrences, remember(Occurrence{c->query, varno}));
        // Row-level security restricts the table as a WHERE clause does.
        collect_quals(c, Place::Outer, bms_make_singleton(varno), (Node *)rte->securityQuals);
    } else if (rte->rtekind == RTE_SUBQUERY) {
        collect_query(rte->subquery, inner_parents, false, c->out);
        int column = 0;
        ListCell *cell;
        foreach (cell, rte->subquery->targetList) {
            column++;
            if (!((TargetEntry *)lfirst(cell))->resjunk)
                link_output(c, Term{c->query, varno, (AttrNumber)column}, rte->subquery,
                            inner_parents, column, true, true);
        }
    }
}

void collect_join(Collector *c, Node *node, Relids nonnullable)
{
    if (IsA(node, RangeTblRef)) {
        collect_relation(c, ((RangeTblRef *)node)->rtindex);
    } else if (IsA(node, FromExpr)) {
        FromExpr *from = (FromExpr *)node;
        Node *quals = flatten_join_alias_vars(c->query, from->quals);
        Relids both = bms_union(nonnullable, find_nonnullable_rels(quals));
        ListCell *cell;
        foreach (cell, from->fromlist)
            collect_join(c, (Node *)lfirst(cell), both);
        collect_quals(c, Place::Certain, nullptr, from->quals);
    } else {
        collect_join_expr(c, (JoinExpr *)node, nonnullable);
    }
}

// Would leaving out rows with other values of this output column change the rows that remain?
bool column_can_be_restricted(Query *subquery, TargetEntry *entry)
{
    if (subquery->commandType != CMD_SELECT || subquery->limitCount != nullptr ||
        subquery->limitOffset != nullptr || subquery->groupingSets != NIL)
        return false;
    if ((subquery->groupClause != NIL || subquery->hasAggs) &&
        !targetIsInSortList(entry, InvalidOid, subquery->groupClause))
        return false;
    if (subquery->distinctClause != NIL &&
        !targetIsInSortList(entry, InvalidOid, subquery->distinctClause))
        return false;
    ListCell *cell;
    foreach (cell, subquery->windowClause) {
        WindowClause *window = (WindowClause *)lfirst(cell);
        if (!targetIsInSortList(entry, InvalidOid, window->partitionClause))
            return false;
    }
    return true;
}

void link_set_operation(Collector *c, const Term &outer, Query *subquery, List *inner_parents,
                        int column, Node *operation)
{
    if (IsA(operation, SetOperationStmt)) {
        SetOperationStmt *stmt = (SetOperationStmt *)operation;
        link_set_operation(c, outer, subquery, inner_parents, column, stmt->larg);
        link_set_operation(c, outer, subquery, inner_parents, column, stmt->rarg);
        return;
    }
    // One branch alone does not say what the whole yields.
    Query *leaf = rt_fetch(((RangeTblRef *)operation)->rtindex, subquery->rtable)->subquery;
    link_output(c, outer, leaf, prepend(subquery, inner_parents), column, false, true);
}

void link_output(Collector *c, const Term &outer, Query *subquery, List *inner_parents, int column,
                 bool up, bool down)
{
    if (subquery->setOperations != nullptr) {
        if (down && subquery->limitCount == nullptr && subquery->limitOffset == nullptr)
            link_set_operation(c, outer, subquery, inner_parents, column, subquery->setOperations);
        return;
    }
    List *columns =
        subquery->commandType == CMD_SELECT ? subquery->targetList : subquery->returningList;
    if (column > list_length(columns))
        return;
    TargetEntry *entry = (TargetEntry *)list_nth(columns, column - 1);
    Node *expr = flatten_join_alias_vars(subquery, (Node *)entry->expr);
    Term inner;
    if (find_term(expr, subquery, inner_parents, &inner)) {
        // A column that an outer join can make NULL does not vouch for its row.
        bool vouches =
            inner.query != subquery || !bms_is_member(inner.varno, nullable_relations(subquery));
        if (up && vouches)
            add_edge(c, inner, outer);
        if (down && inner.query == subquery && column_can_be_restricted(subquery, entry))
            add_edge(c, outer, inner);
    } else if (up && is_known_value(expr)) {
        c->out->seeds = lappend(c->out->seeds, remember(Seed{outer, (Expr *)expr, false}));
    }
}

// ---- CTEs ------------------------------------------------------------------------------------

void collect_cte_reference(Collector *c, int varno, RangeTblEntry *rte)
{
    if (rte->self_reference || (int)rte->ctelevelsup > list_length(c->parents))
        return;
    Query *owner =
        rte->ctelevelsup == 0 ? c->query : (Query *)list_nth(c->parents, (int)rte->ctelevelsup - 1);
    List *owner_parents = list_copy_tail(c->parents, (int)rte->ctelevelsup);
    ListCell *cell;
    foreach (cell, owner->cteList) {
        CommonTableExpr *cte = (CommonTableExpr *)lfirst(cell);
        if (strcmp(cte->ctename, rte->ctename) != 0)
            continue;
        Query *query = (Query *)cte->ctequery;
        // Every reader sees the same rows, so one reader's filter restricts the CTE only when it
        // is the only one.
        bool downward = cte->cterefcount == 1 && !cte->cterecursive;
        if (cte->cterecursive)
            continue;
        List *columns = query->commandType == CMD_SELECT ? query->targetList : query->returningList;
        for (int column = 1; column <= list_length(columns); column++)
            link_output(c, Term{c->query, varno, (AttrNumber)column}, query,
                        prepend(owner, owner_parents), column, true, downward);
    }
}

// ---- subqueries inside expressions -------------------------------------------------------------

struct SublinkContext {
    Collector *collector;
    List *deciding; // subqueries whose outcome every row of the level depends on
};

// An aggregate without GROUP BY yields a row whatever its WHERE clause says.
bool yields_only_matches(Node *subselect)
{
    Query *query = (Query *)subselect;
    return query->commandType == CMD_SELECT && !query->hasAggs && query->groupingSets == NIL &&
           query->setOperations == nullptr;
}

void find_deciding(Node *quals, List **deciding)
{
    if (quals == nullptr)
        return;
    if (IsA(quals, List) || is_andclause(quals)) {
        List *args = IsA(quals, List) ? (List *)quals : ((BoolExpr *)quals)->args;
        ListCell *cell;
        foreach (cell, args)
            find_deciding((Node *)lfirst(cell), deciding);
    } else if (IsA(quals, SubLink) && (((SubLink *)quals)->subLinkType == EXISTS_SUBLINK ||
                                       ((SubLink *)quals)->subLinkType == ANY_SUBLINK)) {
        Node *subselect = ((SubLink *)quals)->subselect;
        if (yields_only_matches(subselect))
            *deciding = lappend(*deciding, subselect);
    }
}

bool collect_sublinks(Node *node, void *context)
{
    SublinkContext *s = (SublinkContext *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        bool decides = list_member_ptr(s->deciding, node);
        collect_query((Query *)node, prepend(s->collector->query, s->collector->parents), decides,
                      s->collector->out);
        return false;
    }
    return expression_tree_walker(node, (bool (*)())collect_sublinks, context);
}

void collect_expression_subqueries(Collector *c)
{
    Query *query = c->query;
    SublinkContext context = {c, NIL};
    ListCell *cell;

    if (query->jointree != nullptr)
        find_deciding(query->jointree->quals, &context.deciding);
    if (query->hasSubLinks) {
        collect_sublinks((Node *)query->targetList, &context);
        collect_sublinks((Node *)query->returningList, &context);
        collect_sublinks((Node *)query->jointree, &context);
        collect_sublinks((Node *)query->onConflict, &context);
        collect_sublinks(query->havingQual, &context);
        collect_sublinks(query->limitCount, &context);
        collect_sublinks(query->limitOffset, &context);
        collect_sublinks((Node *)query->windowClause, &context);
        foreach (cell, query->withCheckOptions)
            collect_sublinks(((WithCheckOption *)lfirst(cell))->qual, &context);
    }
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (rte->rtekind == RTE_FUNCTION || rte->rtekind == RTE_VALUES ||
            rte->rtekind == RTE_TABLEFUNC) {
            collect_sublinks((Node *)rte->functions, &context);
            collect_sublinks((Node *)rte->values_lists, &context);
            collect_sublinks((Node *)rte->tablefunc, &context);
        }
        collect_sublinks((Node *)rte->tablesample, &context);
        collect_sublinks((Node *)rte->securityQuals, &context);
    }
}

// What the inserted row has in a column, as far as subqueries (checks, RETURNING) ask for it. Of a
// row in the way of ON CONFLICT the same holds for the shard key, which is part of every unique
// constraint.
void collect_inserted_row(Collector *c)
{
    ListCell *cell;
    foreach (cell, c->query->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        Term target = {c->query, c->query->resultRelation, entry->resno};
        Term source;
        if (find_term((Node *)entry->expr, c->query, c->parents, &source))
            add_edge(c, source, target);
        else if (is_known_value((Node *)entry->expr))
            c->out->seeds = lappend(c->out->seeds, remember(Seed{target, entry->expr, false}));
    }
}

void collect_query(Query *query, List *parents, bool decides, Equalities *out)
{
    Collector collector = {out, query, parents, decides, Place::Certain, nullptr};
    List *own = prepend(query, parents);
    ListCell *cell;
    int varno = 0;

    foreach (cell, query->cteList)
        collect_query((Query *)((CommonTableExpr *)lfirst(cell))->ctequery, own, false, out);
    if (query->commandType == CMD_INSERT) {
        out->inserts = lappend(out->inserts, query);
        collect_inserted_row(&collector);
    }
    if (query->setOperations != nullptr) {
        // The branches are not in the FROM clause.
        foreach (cell, query->rtable) {
            RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
            if (rte->rtekind == RTE_SUBQUERY)
                collect_query(rte->subquery, own, false, out);
        }
    } else if (query->jointree != nullptr) {
        collect_join(&collector, (Node *)query->jointree, nullptr);
    }
    foreach (cell, query->rtable) {
        varno++;
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (rte->rtekind == RTE_CTE)
            collect_cte_reference(&collector, varno, rte);
    }
    collect_expression_subqueries(&collector);
}

} // namespace

Relids nullable_relations(Query *query)
{
    return query->jointree == nullptr ? nullptr
                                      : nullable_below(query, (Node *)query->jointree, nullptr);
}

Equalities collect_equalities(Query *query)
{
    Equalities equalities = {};
    collect_query(query, NIL, false, &equalities);
    return equalities;
}

} // namespace shardwise
