#include "routing/bounds.hpp"

#include "pg/versions.hpp"
#include "routing/value_types.hpp"

extern "C" {
#include "access/stratnum.h"
}

namespace shardwise
{

namespace
{

int commuted(int strategy)
{
    switch (strategy) {
    case BTLessStrategyNumber:
        return BTGreaterStrategyNumber;
    case BTLessEqualStrategyNumber:
        return BTGreaterEqualStrategyNumber;
    case BTGreaterEqualStrategyNumber:
        return BTLessEqualStrategyNumber;
    case BTGreaterStrategyNumber:
        return BTLessStrategyNumber;
    default:
        return InvalidStrategy;
    }
}

// The operator's place in the type's own order, which is that of keys.
int order_strategy(Oid op, Node *left)
{
    TypeCacheEntry *type = lookup_type_cache(exprType(left), TYPECACHE_BTREE_OPFAMILY);
    return OidIsValid(type->btree_opf) ? get_op_opfamily_strategy(op, type->btree_opf)
                                       : InvalidStrategy;
}

bool set_direction(Bound *bound, int strategy)
{
    bound->is_lower =
        strategy == BTGreaterEqualStrategyNumber || strategy == BTGreaterStrategyNumber;
    bound->is_inclusive =
        strategy == BTGreaterEqualStrategyNumber || strategy == BTLessEqualStrategyNumber;
    return strategy == BTLessStrategyNumber || strategy == BTLessEqualStrategyNumber ||
           bound->is_lower;
}

// Adds one column and its value, in either order; false if they are none.
bool add_column(Bound *bound, Node *left, Node *right, Oid collation, bool swapped, Query *query,
                List *parents)
{
    Term term;
    if (swapped)
        std::swap(left, right);
    if (bound->n == max_key_columns || !is_known_value(right) ||
        !find_term(left, query, parents, &term))
        return false;
    if (bound->n > 0 &&
        (term.query != bound->terms[0].query || term.varno != bound->terms[0].varno))
        return false;
    bound->terms[bound->n] = term;
    bound->exprs[bound->n] = (Expr *)right;
    bound->collations[bound->n++] = collation;
    return true;
}

bool match_operator(OpExpr *op, Query *query, List *parents, Bound *bound)
{
    if (list_length(op->args) != 2)
        return false;
    Node *left = (Node *)linitial(op->args);
    Node *right = (Node *)lsecond(op->args);
    int strategy = order_strategy(op->opno, left);
    bool swapped = is_known_value(left);
    return set_direction(bound, swapped ? commuted(strategy) : strategy) &&
           add_column(bound, left, right, op->inputcollid, swapped, query, parents);
}

// Of (a, b, ...) < (x, y, ...) the leading columns count that are columns of one table.
bool match_row(RowCompareExpr *row, Query *query, List *parents, Bound *bound)
{
    bool swapped = is_known_value((Node *)linitial(row->largs));
    int strategy = row_comparison(row);
    int columns = list_length(row->largs);
    if (!set_direction(bound, swapped ? commuted(strategy) : strategy))
        return false;
    for (int i = 0; i < columns; i++) {
        Node *left = (Node *)list_nth(row->largs, i);
        if (order_strategy(list_nth_oid(row->opnos, i), left) == InvalidStrategy ||
            !add_column(bound, left, (Node *)list_nth(row->rargs, i),
                        list_nth_oid(row->inputcollids, i), swapped, query, parents))
            break;
    }
    bound->is_inclusive |= bound->n < columns;
    return bound->n > 0;
}

bool same_bound(const Bound *a, const Bound *b)
{
    if (a->n != b->n || a->is_lower != b->is_lower)
        return false;
    for (int i = 0; i < a->n; i++)
        if (!terms_equal(a->terms[i], b->terms[i]) || !equal(a->exprs[i], b->exprs[i]))
            return false;
    return true;
}

// The columns of another table that equal the bound's; false if one has no equal there.
bool carry(const Equalities &equalities, const Bound *from, const Term &first, Bound *to)
{
    *to = *from;
    to->terms[0] = first;
    for (int i = 1; i < from->n; i++) {
        bool found = false;
        ListCell *cell;
        foreach (cell, equalities.edges) {
            Edge *edge = (Edge *)lfirst(cell);
            if (!terms_equal(edge->from, from->terms[i]) || edge->to.query != first.query ||
                edge->to.varno != first.varno)
                continue;
            to->terms[i] = edge->to;
            found = true;
        }
        if (!found)
            return false;
    }
    return true;
}

// How many leading key columns, from `first` on, a bound compares as keys are compared.
int columns_in_order(const Bound *bound, const Occurrence &occurrence, const Table *table,
                     int first)
{
    int n = 0;
    while (n < bound->n && first + n < table->nkeys) {
        int column = first + n;
        Term term = {occurrence.query, occurrence.varno, table->key_columns[column]};
        if (!terms_equal(bound->terms[n], term) ||
            bound->collations[n] != table->keyspace->key_collations[column] ||
            !value_fits(table->keyspace, column, bound->exprs[n], false))
            break;
        n++;
    }
    return n;
}

} // namespace

bool match_bound(Node *clause, Query *query, List *parents, Bound *bound)
{
    *bound = Bound{};
    if (IsA(clause, OpExpr))
        return match_operator((OpExpr *)clause, query, parents, bound);
    return IsA(clause, RowCompareExpr) &&
           match_row((RowCompareExpr *)clause, query, parents, bound);
}

List *propagate_bounds(const Equalities &equalities, List *bounds)
{
    List *all = list_copy(bounds);
    for (int i = 0; i < list_length(all); i++) {
        Bound *bound = (Bound *)list_nth(all, i);
        ListCell *cell;
        foreach (cell, equalities.edges) {
            Edge *edge = (Edge *)lfirst(cell);
            Bound carried;
            if (!terms_equal(edge->from, bound->terms[0]) ||
                !carry(equalities, bound, edge->to, &carried))
                continue;
            bool known = false;
            ListCell *present;
            foreach (present, all)
                known |= same_bound((Bound *)lfirst(present), &carried);
            if (known)
                continue;
            Bound *copy = (Bound *)palloc(sizeof(Bound));
            *copy = carried;
            all = lappend(all, copy);
        }
    }
    return all;
}

bool find_key_bounds(List *bounds, const Occurrence &occurrence, const Table *table, int nprefix,
                     Expr *const *prefix, KeyBounds *found)
{
    *found = KeyBounds{};
    found->nlower = found->nupper = nprefix;
    found->lower_is_inclusive = found->upper_is_inclusive = true;
    for (int i = 0; i < nprefix; i++)
        found->lower[i] = found->upper[i] = prefix[i];

    ListCell *cell;
    foreach (cell, bounds) {
        Bound *bound = (Bound *)lfirst(cell);
        int n = columns_in_order(bound, occurrence, table, nprefix);
        int *columns = bound->is_lower ? &found->nlower : &found->nupper;
        if (nprefix + n <= *columns)
            continue;
        Expr **values = bound->is_lower ? found->lower : found->upper;
        for (int i = 0; i < n; i++)
            values[nprefix + i] = bound->exprs[i];
        *columns = nprefix + n;
        bool is_inclusive = bound->is_inclusive || n < bound->n;
        (bound->is_lower ? found->lower_is_inclusive : found->upper_is_inclusive) = is_inclusive;
    }
    return found->nlower > 0 || found->nupper > 0;
}

} // namespace shardwise
