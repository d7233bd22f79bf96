#include "planner/shard_rows.hpp"

#include "catalog/catalog.hpp"
#include "pg/query_tree.hpp"

extern "C" {
#include "parser/parse_func.h"
}

// The planner replaces the scan of this function; running it means that it did not.
SHARDWISE_FUNCTION(shardwise_shard_rows)
{
    (void)fcinfo;
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("shardwise.shard_rows() cannot be called directly")));
}

namespace shardwise
{

static List *entries = NIL; // ShardRows *, numbered by position

List *begin_shard_rows()
{
    List *before = entries;
    entries = NIL;
    return before;
}

void restore_shard_rows(List *before)
{
    entries = before;
}

static Oid shard_rows_function()
{
    Oid argument = INT4OID;
    return LookupFuncName(
        list_make2(makeString(pstrdup("shardwise")), makeString(pstrdup("shard_rows"))), 1,
        &argument, false);
}

static RangeTblFunction *make_function(int number, List *columns)
{
    RangeTblFunction *function = makeNode(RangeTblFunction);
    FuncExpr *call = makeFuncExpr(shard_rows_function(), RECORDOID, list_make1(make_int4(number)),
                                  InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
    call->funcretset = true;
    function->funcexpr = (Node *)call;
    function->funccolcount = list_length(columns);
    ListCell *cell;
    foreach (cell, columns) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        Node *expr = (Node *)entry->expr;
        function->funccolnames =
            lappend(function->funccolnames, makeString(pstrdup(entry->resname)));
        function->funccoltypes = lappend_oid(function->funccoltypes, exprType(expr));
        function->funccoltypmods = lappend_int(function->funccoltypmods, exprTypmod(expr));
        function->funccolcollations = lappend_oid(function->funccolcollations, exprCollation(expr));
    }
    return function;
}

RangeTblEntry *make_shard_rows(Route *route, List *values, List *columns, bool is_ordered,
                               double expected)
{
    ShardRows *rows = (ShardRows *)palloc0(sizeof(ShardRows));
    rows->route = route;
    rows->values = values;
    rows->columns = columns;
    rows->is_ordered = is_ordered;
    rows->rows = expected;
    RangeTblFunction *function = make_function(list_length(entries), columns);
    entries = lappend(entries, rows);

    RangeTblEntry *rte = makeNode(RangeTblEntry);
    rte->rtekind = RTE_FUNCTION;
    rte->functions = list_make1(function);
    rte->eref = makeAlias("shard", (List *)copy_node(function->funccolnames));
    rte->inFromCl = true;
    return rte;
}

const ShardRows *find_shard_rows(const RangeTblEntry *rte)
{
    if (rte->rtekind != RTE_FUNCTION || list_length(rte->functions) != 1 || entries == NIL)
        return nullptr;
    FuncExpr *call = (FuncExpr *)((RangeTblFunction *)linitial(rte->functions))->funcexpr;
    if (!IsA(call, FuncExpr) || call->funcid != shard_rows_function())
        return nullptr;
    int number = DatumGetInt32(((Const *)linitial(call->args))->constvalue);
    return number < list_length(entries) ? (const ShardRows *)list_nth(entries, number) : nullptr;
}

void name_sources(RangeTblEntry *rte, List *sources)
{
    ((ShardRows *)find_shard_rows(rte))->sources = sources;
}

void expect_rows(RangeTblEntry *rte, double expected, double scanned)
{
    ShardRows *rows = (ShardRows *)find_shard_rows(rte);
    rows->rows = expected;
    rows->scanned = scanned;
}

void lock_shard_rows(RangeTblEntry *rte, Route *route, List *values, Expr *bound, bool skips)
{
    ShardRows *rows = (ShardRows *)find_shard_rows(rte);
    rows->locker = route;
    rows->locker_values = values;
    rows->bound = bound;
    rows->skips = skips;
}

} // namespace shardwise
