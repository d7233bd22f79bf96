#include "planner/float_statistics.hpp"

#include "pg/query_tree.hpp"

extern "C" {
#include "catalog/pg_aggregate.h"
#include "parser/parse_func.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

// How PostgreSQL finishes and merges the states of one of its own aggregates.
struct Steps {
    Oid combine;
    Oid final;
};

Steps find_steps(Oid aggregate)
{
    if (aggregate >= FirstNormalObjectId)
        return {};
    HeapTuple tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate));
    if (!HeapTupleIsValid(tuple))
        return {};
    Form_pg_aggregate row = (Form_pg_aggregate)GETSTRUCT(tuple);
    Steps steps = {row->aggcombinefn, row->aggfinalfn};
    ReleaseSysCache(tuple);
    return steps;
}

Expr *as_float8(Expr *value)
{
    if (exprType((Node *)value) != FLOAT4OID)
        return value;
    return (Expr *)makeFuncExpr(F_FLOAT8_FLOAT4, FLOAT8OID, list_make1(value), InvalidOid,
                                InvalidOid, COERCE_EXPLICIT_CAST);
}

// Another aggregate of one or two float8 values over the same rows.
Expr *over_same_rows(const Aggref *aggregate, Oid function, Oid result, Expr *x, Expr *y = nullptr)
{
    Aggref *other = copy_node(aggregate);
    other->aggfnoid = function;
    other->aggtype = result;
    other->aggcollid = other->inputcollid = InvalidOid;
    other->aggargtypes = list_make1_oid(FLOAT8OID);
    other->args = list_make1(makeTargetEntry(copy_node(x), 1, nullptr, false));
    if (y != nullptr) {
        other->aggargtypes = lappend_oid(other->aggargtypes, FLOAT8OID);
        other->args = lappend(other->args, makeTargetEntry(copy_node(y), 2, nullptr, false));
    }
    return (Expr *)other;
}

// sum(value) over the rows that have the other value as well.
Expr *sum_with(const Aggref *aggregate, Expr *value, Expr *other)
{
    Aggref *sum = (Aggref *)over_same_rows(aggregate, F_SUM_FLOAT8, FLOAT8OID, value);
    sum->aggfilter = (Expr *)make_and_qual((Node *)sum->aggfilter,
                                           (Node *)make_null_test(copy_node(other), IS_NOT_NULL));
    return (Expr *)sum;
}

// No rows have a state, too.
Expr *or_zero(Expr *value)
{
    Const *zero =
        makeConst(FLOAT8OID, -1, InvalidOid, sizeof(float8), Float8GetDatum(0), false, true);
    return make_coalesce(value, (Expr *)zero);
}

Expr *make_state(Expr *count, List *sums)
{
    List *state = list_make1(makeFuncExpr(F_FLOAT8_INT8, FLOAT8OID, list_make1(count), InvalidOid,
                                          InvalidOid, COERCE_EXPLICIT_CAST));
    ListCell *cell;
    foreach (cell, sums)
        state = lappend(state, or_zero((Expr *)lfirst(cell)));
    return make_array(FLOAT8OID, InvalidOid, state);
}

Expr *argument(const Aggref *aggregate, int number)
{
    return as_float8(((TargetEntry *)list_nth(aggregate->args, number))->expr);
}

} // namespace

bool is_float_statistic(const Aggref *aggregate)
{
    Steps steps = find_steps(aggregate->aggfnoid);
    return steps.combine == F_FLOAT8_COMBINE || steps.combine == F_FLOAT8_REGR_COMBINE;
}

Expr *make_float_state(const Aggref *aggregate)
{
    if (list_length(aggregate->args) == 1) {
        Expr *x = argument(aggregate, 0);
        return make_state(over_same_rows(aggregate, F_COUNT_ANY, INT8OID, x),
                          list_make2(over_same_rows(aggregate, F_SUM_FLOAT8, FLOAT8OID, x),
                                     over_same_rows(aggregate, F_REGR_SXX, FLOAT8OID, x, x)));
    }
    // The aggregates' first argument is Y; the states have X first.
    Expr *y = argument(aggregate, 0);
    Expr *x = argument(aggregate, 1);
    return make_state(over_same_rows(aggregate, F_REGR_COUNT, INT8OID, y, x),
                      list_make5(sum_with(aggregate, x, y),
                                 over_same_rows(aggregate, F_REGR_SXX, FLOAT8OID, y, x),
                                 sum_with(aggregate, y, x),
                                 over_same_rows(aggregate, F_REGR_SYY, FLOAT8OID, y, x),
                                 over_same_rows(aggregate, F_REGR_SXY, FLOAT8OID, y, x)));
}

Expr *finish_float_statistic(const Aggref *aggregate, Var *state)
{
    Steps steps = find_steps(aggregate->aggfnoid);
    const char *name = steps.combine == F_FLOAT8_COMBINE ? "merge_variance" : "merge_regression";
    Oid type = FLOAT8ARRAYOID;
    List *qualified = list_make2(makeString(pstrdup("shardwise")), makeString(pstrdup(name)));
    Aggref *merged = makeNode(Aggref);
    merged->aggfnoid = LookupFuncName(qualified, 1, &type, false);
    merged->aggtype = type;
    merged->aggkind = AGGKIND_NORMAL;
    merged->aggno = merged->aggtransno = -1;
    merged->location = -1;
    merged->aggargtypes = list_make1_oid(type);
    merged->args = list_make1(makeTargetEntry((Expr *)state, 1, nullptr, false));
    return (Expr *)makeFuncExpr(steps.final, FLOAT8OID, list_make1(merged), InvalidOid, InvalidOid,
                                COERCE_EXPLICIT_CALL);
}

} // namespace shardwise
