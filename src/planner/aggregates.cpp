#include "planner/aggregates.hpp"

#include "pg/query_tree.hpp"
#include "planner/collections.hpp"
#include "planner/float_statistics.hpp"
#include "planner/sketches.hpp"

extern "C" {
#include "catalog/pg_aggregate.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

// How the shards' values become one. The order of additions of floating-point numbers is left to
// PostgreSQL too, so their sums may differ in the last digits.
enum Rule {
    SameAggregate,   // min, max, bool_and, sum(numeric), ...: the aggregate of the parts
    SumOfCounts,     // count: a sum that is never NULL
    SumOfIntegers,   // sum(int2), sum(int4): a sum of int8, as int8
    SumOfSums,       // sum(int8): a sum of numeric
    NumericAverage,  // avg of exact types: sum / count in numeric
    FloatingAverage, // avg(float): sum / count in float8
    NumericVariance, // variance and stddev of exact types: count, sum, sum of squares in numeric
    FloatStatistic,  // variance, covariance, correlation, regression in float8
    Collection,      // arrays, strings, JSON, XML: one after the other
    UnionOfRanges,   // range_agg: of multiranges
    MergedSketch,    // HyperLogLog and t-digest
};

Aggref *make_aggregate(Oid function, Expr *argument, Oid result)
{
    Aggref *aggregate = makeNode(Aggref);
    aggregate->aggfnoid = function;
    aggregate->aggtype = result;
    aggregate->aggkind = AGGKIND_NORMAL;
    aggregate->aggno = aggregate->aggtransno = -1;
    aggregate->location = -1;
    if (argument == nullptr) {
        aggregate->aggstar = true;
        return aggregate;
    }
    aggregate->aggargtypes = list_make1_oid(exprType((Node *)argument));
    aggregate->args = list_make1(makeTargetEntry(argument, 1, nullptr, false));
    return aggregate;
}

Expr *call(Oid function, List *arguments, Oid result)
{
    return (Expr *)makeFuncExpr(function, result, arguments, InvalidOid, InvalidOid,
                                COERCE_EXPLICIT_CALL);
}

Expr *cast_to(Oid function, Expr *argument, Oid result)
{
    return (Expr *)makeFuncExpr(function, result, list_make1(argument), InvalidOid, InvalidOid,
                                COERCE_EXPLICIT_CAST);
}

// The same aggregate over the same rows, with another function.
Aggref *with_function(const Aggref *aggregate, Oid function, Oid result)
{
    Aggref *other = copy_node(aggregate);
    other->aggfnoid = function;
    other->aggtype = result;
    other->aggcollid = InvalidOid;
    return other;
}

bool is_min_or_max(const Aggref *aggregate)
{
    if (aggregate->aggfnoid >= FirstNormalObjectId)
        return false;
    char *name = get_func_name(aggregate->aggfnoid);
    return strcmp(name, "min") == 0 || strcmp(name, "max") == 0;
}

bool is_bit_aggregate(const Aggref *aggregate)
{
    char *name =
        aggregate->aggfnoid < FirstNormalObjectId ? get_func_name(aggregate->aggfnoid) : nullptr;
    return name != nullptr && (strcmp(name, "bit_and") == 0 || strcmp(name, "bit_or") == 0 ||
                               strcmp(name, "bit_xor") == 0);
}

// An aggregate whose author says that values can be merged as they are, and merges them as it takes
// values in: min and max of an extension's type.
bool merges_itself(const Aggref *aggregate)
{
    if (aggregate->aggfnoid < FirstNormalObjectId || list_length(aggregate->aggargtypes) != 1)
        return false;
    HeapTuple tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate->aggfnoid));
    if (!HeapTupleIsValid(tuple))
        return false;
    Form_pg_aggregate row = (Form_pg_aggregate)GETSTRUCT(tuple);
    bool merges = row->aggkind == AGGKIND_NORMAL && !OidIsValid(row->aggfinalfn) &&
                  OidIsValid(row->aggcombinefn) && row->aggcombinefn == row->aggtransfn &&
                  row->aggtranstype == linitial_oid(aggregate->aggargtypes);
    ReleaseSysCache(tuple);
    return merges;
}

int find_rule(const Aggref *aggregate)
{
    switch (aggregate->aggfnoid) {
    case F_COUNT_:
    case F_COUNT_ANY:
    case F_REGR_COUNT:
        return SumOfCounts;
    case F_SUM_INT2:
    case F_SUM_INT4:
        return SumOfIntegers;
    case F_AVG_INT2:
    case F_AVG_INT4:
    case F_AVG_INT8:
    case F_AVG_NUMERIC:
        return NumericAverage;
    case F_AVG_FLOAT4:
    case F_AVG_FLOAT8:
        return FloatingAverage;
    case F_SUM_INT8:
        return SumOfSums;
    case F_VARIANCE_INT2:
    case F_VARIANCE_INT4:
    case F_VARIANCE_INT8:
    case F_VARIANCE_NUMERIC:
    case F_VAR_SAMP_INT2:
    case F_VAR_SAMP_INT4:
    case F_VAR_SAMP_INT8:
    case F_VAR_SAMP_NUMERIC:
    case F_VAR_POP_INT2:
    case F_VAR_POP_INT4:
    case F_VAR_POP_INT8:
    case F_VAR_POP_NUMERIC:
    case F_STDDEV_INT2:
    case F_STDDEV_INT4:
    case F_STDDEV_INT8:
    case F_STDDEV_NUMERIC:
    case F_STDDEV_SAMP_INT2:
    case F_STDDEV_SAMP_INT4:
    case F_STDDEV_SAMP_INT8:
    case F_STDDEV_SAMP_NUMERIC:
    case F_STDDEV_POP_INT2:
    case F_STDDEV_POP_INT4:
    case F_STDDEV_POP_INT8:
    case F_STDDEV_POP_NUMERIC:
        return NumericVariance;
    case F_SUM_NUMERIC:
    case F_SUM_FLOAT4:
    case F_SUM_FLOAT8:
    case F_SUM_MONEY:
    case F_SUM_INTERVAL:
    case F_BOOL_AND:
    case F_BOOL_OR:
    case F_EVERY:
    case F_RANGE_INTERSECT_AGG_ANYRANGE:
    case F_RANGE_INTERSECT_AGG_ANYMULTIRANGE:
        return SameAggregate;
    case F_RANGE_AGG_ANYRANGE:
    case F_RANGE_AGG_ANYMULTIRANGE:
        return UnionOfRanges;
    default:
        break;
    }
    if (is_min_or_max(aggregate) || is_bit_aggregate(aggregate) || merges_itself(aggregate))
        return SameAggregate;
    if (is_collection(aggregate))
        return Collection;
    if (is_sketch(aggregate))
        return MergedSketch;
    return is_float_statistic(aggregate) ? FloatStatistic : -1;
}

// Is the value the same when values come once or several times?
bool is_idempotent(const Aggref *aggregate)
{
    switch (aggregate->aggfnoid) {
    case F_BOOL_AND:
    case F_BOOL_OR:
    case F_EVERY:
    case F_RANGE_AGG_ANYRANGE:
    case F_RANGE_AGG_ANYMULTIRANGE:
    case F_RANGE_INTERSECT_AGG_ANYRANGE:
    case F_RANGE_INTERSECT_AGG_ANYMULTIRANGE:
        return true;
    default:
        break;
    }
    if (aggregate->aggfnoid >= FirstNormalObjectId)
        return false;
    return is_min_or_max(aggregate) || strcmp(get_func_name(aggregate->aggfnoid), "bit_and") == 0 ||
           strcmp(get_func_name(aggregate->aggfnoid), "bit_or") == 0;
}

// Is the value the same whatever the order? Sums of floating-point numbers are, but for their last
// digits: there an order that is asked for is kept.
bool is_orderless(const Aggref *aggregate, int rule)
{
    bool is_float = aggregate->aggtype == FLOAT4OID || aggregate->aggtype == FLOAT8OID;
    if (rule < 0 || rule == Collection || rule == MergedSketch || merges_itself(aggregate))
        return false;
    return !is_float || is_idempotent(aggregate);
}

Node *simplify_mutator(Node *node, void *context)
{
    if (node == nullptr)
        return nullptr;
    if (!IsA(node, Aggref))
        return expression_tree_mutator(node, (Node * (*)()) simplify_mutator, context);
    Aggref *aggregate = copy_node((Aggref *)node);
    if (aggregate->aggkind != AGGKIND_NORMAL || aggregate->agglevelsup != 0)
        return (Node *)aggregate;
    if (is_idempotent(aggregate))
        aggregate->aggdistinct = NIL;
    if (aggregate->aggdistinct != NIL || !is_orderless(aggregate, find_rule(aggregate)))
        return (Node *)aggregate;
    aggregate->aggorder = NIL;
    ListCell *cell;
    foreach (cell, aggregate->args) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        entry->ressortgroupref = 0;
        if (entry->resjunk)
            aggregate->args = foreach_delete_current(aggregate->args, cell);
    }
    return (Node *)aggregate;
}

Aggref *sum_for_average(const Aggref *aggregate)
{
    switch (aggregate->aggfnoid) {
    case F_AVG_INT2:
        return with_function(aggregate, F_SUM_INT2, INT8OID);
    case F_AVG_INT4:
        return with_function(aggregate, F_SUM_INT4, INT8OID);
    case F_AVG_INT8:
        return with_function(aggregate, F_SUM_INT8, NUMERICOID);
    case F_AVG_NUMERIC:
        return with_function(aggregate, F_SUM_NUMERIC, NUMERICOID);
    default:
        break;
    }
    Aggref *sum = with_function(aggregate, F_SUM_FLOAT8, FLOAT8OID);
    if (aggregate->aggfnoid == F_AVG_FLOAT4) { // avg(float4) adds up in float8
        TargetEntry *entry = (TargetEntry *)linitial(sum->args);
        entry->expr = cast_to(F_FLOAT8_FLOAT4, entry->expr, FLOAT8OID);
        sum->aggargtypes = list_make1_oid(FLOAT8OID);
    }
    return sum;
}

Expr *null_if_zero(Expr *count, Oid type)
{
    // CASE WHEN count > 0: an average over no rows is NULL.
    Expr *zero = cast_to(F_NUMERIC_INT8, make_int8(0), NUMERICOID);
    Expr *is_positive = call(F_NUMERIC_GT, list_make2(copy_node(count), zero), BOOLOID);
    return make_case((Node *)is_positive,
                     type == NUMERICOID ? count : cast_to(F_FLOAT8_NUMERIC, count, type),
                     (Expr *)makeNullConst(type, -1, InvalidOid));
}

Expr *sum_of(Expr *value)
{
    switch (exprType((Node *)value)) {
    case INT8OID:
        return (Expr *)make_aggregate(F_SUM_INT8, value, NUMERICOID);
    case NUMERICOID:
        return (Expr *)make_aggregate(F_SUM_NUMERIC, value, NUMERICOID);
    default:
        return (Expr *)make_aggregate(F_SUM_FLOAT8, value, FLOAT8OID);
    }
}

// ---- variance ----------------------------------------------------------------------------------

Expr *as_numeric(Expr *value)
{
    switch (exprType((Node *)value)) {
    case INT2OID:
        return cast_to(F_NUMERIC_INT2, value, NUMERICOID);
    case INT4OID:
        return cast_to(F_NUMERIC_INT4, value, NUMERICOID);
    case INT8OID:
        return cast_to(F_NUMERIC_INT8, value, NUMERICOID);
    default:
        return value;
    }
}

Expr *numeric_call(Oid function, Expr *left, Expr *right)
{
    return call(function, list_make2(copy_node(left), copy_node(right)), NUMERICOID);
}

// sum(x) or sum(x * x), exactly, as numeric. Squares of short integers fit into bigint, whose sums
// cost the shard a fraction of those of numeric.
Aggref *sum_of_power(const Aggref *aggregate, bool squared)
{
    Oid type = linitial_oid(aggregate->aggargtypes);
    bool is_short = type == INT2OID || type == INT4OID;
    Aggref *sum = with_function(aggregate, is_short ? F_SUM_INT8 : F_SUM_NUMERIC, NUMERICOID);
    TargetEntry *entry = (TargetEntry *)linitial(sum->args);
    if (is_short)
        entry->expr = cast_to(type == INT2OID ? F_INT8_INT2 : F_INT8_INT4, entry->expr, INT8OID);
    else
        entry->expr = as_numeric(entry->expr);
    Oid summed = is_short ? INT8OID : NUMERICOID;
    if (squared)
        entry->expr = call(is_short ? F_INT8MUL : F_NUMERIC_MUL,
                           list_make2(copy_node(entry->expr), copy_node(entry->expr)), summed);
    sum->aggargtypes = list_make1_oid(summed);
    return sum;
}

// The square root with as many digits as the variance has, which is what PostgreSQL's stddev shows.
Expr *square_root(Expr *variance)
{
    Expr *root = call(F_SQRT_NUMERIC, list_make1(copy_node(variance)), NUMERICOID);
    Expr *scale = call(F_SCALE, list_make1(copy_node(variance)), INT4OID);
    Expr *rounded = call(F_ROUND_NUMERIC_INT4, list_make2(root, scale), NUMERICOID);
    return make_coalesce(rounded, variance); // NaN has no scale
}

// (n * sum(x * x) - sum(x)^2) / (n * (n - 1)), or by n * n; numeric.c takes the same steps, so that
// digits are the same.
Expr *finish_variance(const Aggref *aggregate, List *vars)
{
    char *name = get_func_name(aggregate->aggfnoid);
    bool is_population = strstr(name, "_pop") != nullptr;
    Expr *zero = cast_to(F_NUMERIC_INT8, make_int8(0), NUMERICOID);
    Expr *one = cast_to(F_NUMERIC_INT8, make_int8(1), NUMERICOID);
    Expr *n = sum_of((Expr *)linitial(vars));
    Expr *sum = sum_of((Expr *)lsecond(vars));
    Expr *squares = sum_of((Expr *)lthird(vars));

    Expr *difference = numeric_call(F_NUMERIC_SUB, numeric_call(F_NUMERIC_MUL, n, squares),
                                    numeric_call(F_NUMERIC_MUL, sum, sum));
    Expr *divisor =
        numeric_call(F_NUMERIC_MUL, n, is_population ? n : numeric_call(F_NUMERIC_SUB, n, one));
    Expr *value = numeric_call(F_NUMERIC_DIV, difference, divisor);
    if (strncmp(name, "stddev", 6) == 0)
        value = square_root(value);
    // Rounding may leave less than nothing.
    Expr *vanishes = call(F_NUMERIC_LE, list_make2(difference, copy_node(zero)), BOOLOID);
    value = make_case((Node *)vanishes, copy_node(zero), value);
    Expr *enough =
        call(F_NUMERIC_GT, list_make2(copy_node(n), is_population ? zero : one), BOOLOID);
    return make_case((Node *)enough, value, (Expr *)makeNullConst(NUMERICOID, -1, InvalidOid));
}

} // namespace

Node *simplify_aggregates(Node *expr)
{
    return simplify_mutator(expr, nullptr);
}

bool adds_up_distinct_values(const Aggref *aggregate)
{
    switch (find_rule(aggregate)) {
    case SameAggregate:
    case SumOfCounts:
    case SumOfIntegers:
    case SumOfSums:
    case NumericAverage:
    case FloatingAverage:
        return aggregate->aggorder == NIL && aggregate->aggkind == AGGKIND_NORMAL;
    default:
        return false;
    }
}

bool split_aggregate(const Aggref *aggregate, bool rows_are_ordered, SplitAggregate *split)
{
    split->rule = find_rule(aggregate);
    if (split->rule < 0 || aggregate->aggorder != NIL || aggregate->aggkind != AGGKIND_NORMAL ||
        aggregate->agglevelsup != 0 || (rows_are_ordered && split->rule == Collection))
        return false;
    if (split->rule == NumericAverage || split->rule == FloatingAverage)
        split->partials =
            list_make2(sum_for_average(aggregate), with_function(aggregate, F_COUNT_ANY, INT8OID));
    else if (split->rule == NumericVariance)
        split->partials = list_make3(with_function(aggregate, F_COUNT_ANY, INT8OID),
                                     sum_of_power(aggregate, false), sum_of_power(aggregate, true));
    else if (split->rule == FloatStatistic)
        split->partials = list_make1(make_float_state(aggregate));
    else if (split->rule == MergedSketch)
        split->partials = list_make1(make_sketch(aggregate));
    else
        split->partials = list_make1(copy_node(aggregate));
    return true;
}

Expr *finish_aggregate(const Aggref *aggregate, const SplitAggregate *split, List *values)
{
    Expr *first = (Expr *)linitial(values);
    switch (split->rule) {
    case SumOfCounts:
        return make_coalesce(cast_to(F_INT8_NUMERIC, sum_of(first), INT8OID), make_int8(0));
    case SumOfIntegers:
        return cast_to(F_INT8_NUMERIC, sum_of(first), INT8OID);
    case SumOfSums:
        return sum_of(first);
    case NumericVariance:
        return finish_variance(aggregate, values);
    case FloatStatistic:
        return finish_float_statistic(aggregate, (Var *)first);
    case NumericAverage:
        return call(
            F_NUMERIC_DIV,
            list_make2(sum_of(first), null_if_zero(sum_of((Expr *)lsecond(values)), NUMERICOID)),
            NUMERICOID);
    case FloatingAverage:
        return call(
            F_FLOAT8DIV,
            list_make2(sum_of(first), null_if_zero(sum_of((Expr *)lsecond(values)), FLOAT8OID)),
            FLOAT8OID);
    case Collection:
        return join_collections(aggregate, (Var *)first);
    case MergedSketch:
        return merge_sketches(aggregate, (Var *)first);
    case UnionOfRanges:
        return (Expr *)make_aggregate(F_RANGE_AGG_ANYMULTIRANGE, first, aggregate->aggtype);
    default:
        break;
    }
    Aggref *again = make_aggregate(aggregate->aggfnoid, first, aggregate->aggtype);
    again->aggargtypes = list_copy(aggregate->aggargtypes);
    again->aggcollid = aggregate->aggcollid;
    again->inputcollid = aggregate->inputcollid;
    return (Expr *)again;
}

bool can_be_weighed(const Aggref *partial)
{
    switch (partial->aggfnoid) {
    case F_COUNT_:
    case F_COUNT_ANY:
    case F_SUM_INT2:
    case F_SUM_INT4:
    case F_SUM_INT8:
    case F_SUM_NUMERIC:
    case F_BOOL_AND:
    case F_BOOL_OR:
    case F_EVERY:
        return true;
    default:
        break;
    }
    return is_min_or_max(partial);
}

Expr *weigh_partial(const Aggref *partial, Expr *count)
{
    Expr *zero = make_int8(0);
    Expr *none = (Expr *)makeNullConst(partial->aggtype, -1, partial->aggcollid);
    Expr *argument = partial->aggstar ? nullptr : ((TargetEntry *)linitial(partial->args))->expr;
    Expr *value = argument;
    switch (partial->aggfnoid) {
    case F_COUNT_:
        value = count;
        none = zero;
        break;
    case F_COUNT_ANY:
        value = make_case((Node *)make_null_test(argument, IS_NOT_NULL), count, zero);
        none = zero;
        break;
    case F_SUM_INT2:
    case F_SUM_INT4:
        value = call(partial->aggfnoid == F_SUM_INT2 ? F_INT8_INT2 : F_INT8_INT4,
                     list_make1(argument), INT8OID);
        value = call(F_INT8MUL, list_make2(value, count), INT8OID);
        break;
    case F_SUM_INT8:
        value = call(F_NUMERIC_INT8, list_make1(argument), NUMERICOID);
        [[fallthrough]];
    case F_SUM_NUMERIC:
        value = call(F_NUMERIC_MUL,
                     list_make2(value, call(F_NUMERIC_INT8, list_make1(count), NUMERICOID)),
                     NUMERICOID);
        break;
    default:
        break;
    }
    return partial->aggfilter != nullptr ? make_case((Node *)partial->aggfilter, value, none)
                                         : value;
}

} // namespace shardwise
