#include "planner/collections.hpp"

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

Expr *nth_argument(const Aggref *aggregate, int number)
{
    return ((TargetEntry *)list_nth(aggregate->args, number))->expr;
}

Expr *aggregate_parts(Oid function, Oid result, Expr *part, Expr *option = nullptr)
{
    Aggref *joined = makeNode(Aggref);
    joined->aggfnoid = function;
    joined->aggtype = result;
    joined->aggkind = AGGKIND_NORMAL;
    joined->aggno = joined->aggtransno = -1;
    joined->location = -1;
    List *arguments = option != nullptr ? list_make2(part, option) : list_make1(part);
    ListCell *cell;
    foreach (cell, arguments) {
        Expr *argument = (Expr *)lfirst(cell);
        joined->aggargtypes = lappend_oid(joined->aggargtypes, exprType((Node *)argument));
        joined->args =
            lappend(joined->args,
                    makeTargetEntry(argument, foreach_current_index(cell) + 1, nullptr, false));
    }
    return (Expr *)joined;
}

Oid merge_function(const char *name, List *types)
{
    Oid arguments[2];
    ListCell *cell;
    foreach (cell, types)
        arguments[foreach_current_index(cell)] = lfirst_oid(cell);
    return LookupFuncName(list_make2(makeString(pstrdup("shardwise")), makeString(pstrdup(name))),
                          list_length(types), arguments, false);
}

// json_agg() starts a new line before an array or a row.
Expr *starts_lines(const Aggref *aggregate)
{
    Oid type = getBaseType(exprType((Node *)nth_argument(aggregate, 0)));
    bool structured = OidIsValid(get_element_type(type)) || type_is_rowtype(type);
    return (Expr *)makeBoolConst(structured, false);
}

} // namespace

bool is_collection(const Aggref *aggregate)
{
    switch (aggregate->aggfnoid) {
    case F_ARRAY_AGG_ANYNONARRAY:
    case F_JSON_AGG:
    case F_JSON_OBJECT_AGG:
    case F_JSONB_AGG:
    case F_JSONB_OBJECT_AGG:
    case F_XMLAGG:
        return true;
    case F_STRING_AGG_TEXT_TEXT:
    case F_STRING_AGG_BYTEA_BYTEA:
        return is_the_same_for_all_rows((Node *)nth_argument(aggregate, 1));
    default:
        return false;
    }
}

Expr *join_collections(const Aggref *aggregate, Var *part)
{
    Oid function = aggregate->aggfnoid;
    Oid type = aggregate->aggtype;
    switch (function) {
    case F_ARRAY_AGG_ANYNONARRAY: {
        Aggref *joined = (Aggref *)aggregate_parts(
            merge_function("merge_arrays", list_make1_oid(ANYARRAYOID)), type, (Expr *)part);
        joined->aggcollid = aggregate->aggcollid;
        return (Expr *)joined;
    }
    case F_JSON_AGG:
        return aggregate_parts(merge_function("merge_json", list_make2_oid(JSONOID, BOOLOID)), type,
                               (Expr *)part, starts_lines(aggregate));
    case F_JSON_OBJECT_AGG:
        return aggregate_parts(merge_function("merge_json", list_make2_oid(JSONOID, BOOLOID)), type,
                               (Expr *)part, (Expr *)makeBoolConst(false, false));
    case F_JSONB_AGG:
    case F_JSONB_OBJECT_AGG:
        return aggregate_parts(merge_function("merge_jsonb", list_make1_oid(JSONBOID)), type,
                               (Expr *)part);
    case F_XMLAGG:
        return aggregate_parts(function, type, (Expr *)part);
    default: {
        Aggref *joined = (Aggref *)aggregate_parts(
            function, type, (Expr *)part, (Expr *)copy_node((Node *)nth_argument(aggregate, 1)));
        joined->aggcollid = aggregate->aggcollid;
        joined->inputcollid = aggregate->inputcollid;
        return (Expr *)joined;
    }
    }
}

} // namespace shardwise
