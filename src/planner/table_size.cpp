#include "planner/table_size.hpp"

#include "planner/row_bound.hpp"

extern "C" {
#include "catalog/pg_statistic.h"
#include "optimizer/optimizer.h"
}

namespace shardwise
{

constexpr double assumed_rows = 100000;
constexpr double assumed_reference_rows = 1000;
constexpr double rows_of_page = 100;

// What a condition and a grouping leave, as long as nothing better is known.
constexpr double condition_share = 0.25;
constexpr double group_share = 0.1;

TableSize known_size(const Table *table)
{
    // The router's own table is empty, which says nothing of the shards'.
    double rows = table->is_reference ? assumed_reference_rows : assumed_rows;
    TableSize size = {rows, (BlockNumber)(rows / rows_of_page)};
    if (table->rows > 0)
        size = {table->rows, (BlockNumber)Max(Min(table->pages, (double)MaxBlockNumber), 1)};
    return size;
}

static bool find_largest(Node *node, void *context)
{
    double *rows = (double *)context;
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())find_largest, context);
    ListCell *cell;
    foreach (cell, ((Query *)node)->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        const Table *table = rte->rtekind == RTE_RELATION ? find_table(rte->relid) : nullptr;
        if (table != nullptr)
            *rows = Max(*rows, known_size(table).rows);
    }
    return query_tree_walker((Query *)node, (bool (*)())find_largest, context, 0);
}

HeapTuple find_statistics(Oid relid, AttrNumber column)
{
    bool has_partitions = get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE;
    return SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relid), Int16GetDatum(column),
                           BoolGetDatum(has_partitions));
}

double distinct_values(Oid relid, AttrNumber column)
{
    HeapTuple tuple = find_statistics(relid, column);
    if (!HeapTupleIsValid(tuple))
        return 0;
    float4 distinct = ((Form_pg_statistic)GETSTRUCT(tuple))->stadistinct;
    ReleaseSysCache(tuple);
    return distinct >= 0 ? distinct : -distinct * known_size(find_table(relid)).rows;
}

// How many rows share a value of the column, on average; all rows if nothing is known.
static double rows_of_value(Oid relid, AttrNumber column)
{
    double rows = known_size(find_table(relid)).rows;
    double values = distinct_values(relid, column);
    return values > 0 ? rows / values : rows;
}

static bool is_lookup_of_few(const Query *query, double few)
{
    ListCell *cell;
    foreach (cell, conditions_on_table(query)) {
        const RangeTblEntry *rte = (const RangeTblEntry *)linitial(query->rtable);
        const OpExpr *op = (const OpExpr *)lfirst(cell);
        AttrNumber column = compared_column((const Node *)op);
        if (column > 0 && find_table(rte->relid) != nullptr &&
            op_mergejoinable(op->opno, exprType((Node *)linitial(op->args))) &&
            rows_of_value(rte->relid, column) <= few)
            return true;
    }
    return false;
}

bool is_selective_lookup(const Query *query)
{
    return is_lookup_of_few(query, 100);
}

bool is_rare_value_lookup(const Query *query)
{
    return is_lookup_of_few(query, 1.5);
}

bool yields_few_rows(const Query *query)
{
    return query->limitCount != nullptr || (query->hasAggs && query->groupClause == NIL) ||
           is_selective_lookup(query);
}

double expected_rows(const Query *query)
{
    if (query->hasAggs && query->groupClause == NIL)
        return 1;
    double rows = 1;
    find_largest((Node *)query, &rows);
    if (query->jointree->quals != nullptr)
        rows *= condition_share;
    if (query->groupClause != NIL || query->distinctClause != NIL)
        rows *= group_share;
    int64 limit = known_limit(query);
    if (limit >= 0)
        rows = Min(rows, (double)limit);
    return clamp_row_est(rows);
}

} // namespace shardwise
