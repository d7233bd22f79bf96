#include "planner/sketches.hpp"

#include "catalog/catalog.hpp"
#include "pg/query_tree.hpp"

extern "C" {
#include "catalog/dependency.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "parser/parse_func.h"
}

namespace shardwise
{

namespace
{

// How an aggregate is split. Its first `ntaken` arguments tell what goes into a sketch, the others
// what is asked of it.
struct SketchKind {
    Oid make;  // aggregate: a sketch of the taken arguments
    Oid merge; // aggregate: of sketches and the other arguments, what the original yields
    int ntaken;
};

// The aggregate of that name which stands in the schema of another one.
Oid find_sibling(Oid aggregate, const char *name, List *types)
{
    Oid arguments[FUNC_MAX_ARGS];
    ListCell *cell;
    foreach (cell, types)
        arguments[foreach_current_index(cell)] = lfirst_oid(cell);
    char *schema = get_namespace_name(get_func_namespace(aggregate));
    return LookupFuncName(list_make2(makeString(schema), makeString(pstrdup(name))),
                          list_length(types), arguments, true);
}

// How many arguments go into the sketch; 0 if it is no aggregate that is known here.
int count_taken(const char *extension, const char *name, List *types)
{
    if (strcmp(extension, "hll") == 0)
        return strcmp(name, "hll_add_agg") == 0 || strcmp(name, "hll_union_agg") == 0
                   ? list_length(types)
                   : 0;
    if (strcmp(extension, "tdigest") != 0)
        return 0;
    bool known = false;
    for (const char *one :
         {"tdigest", "tdigest_percentile", "tdigest_percentile_of", "tdigest_avg", "tdigest_sum"})
        known |= strcmp(name, one) == 0;
    if (!known || linitial_oid(types) != FLOAT8OID)
        return known ? 1 : 0;
    // A value, perhaps how often it comes, and the digest's size.
    return list_length(types) > 1 && lsecond_oid(types) == INT8OID ? 3 : 2;
}

bool others_are_known(const Aggref *aggregate, int ntaken)
{
    ListCell *cell;
    for_each_from(cell, aggregate->args,
                  ntaken) if (!is_the_same_for_all_rows((Node *)((TargetEntry *)lfirst(cell))
                                                            ->expr)) return false;
    return true;
}

bool find_kind(const Aggref *aggregate, SketchKind *kind)
{
    Oid function = aggregate->aggfnoid;
    List *types = aggregate->aggargtypes;
    if (function < FirstNormalObjectId || types == NIL || !function_is_shipped(function))
        return false;
    Oid extension = getExtensionOfObject(ProcedureRelationId, function);
    if (!OidIsValid(extension))
        return false;
    char *owner = get_extension_name(extension);
    char *name = get_func_name(function);
    kind->ntaken = count_taken(owner, name, types);
    if (kind->ntaken == 0 || kind->ntaken > list_length(types) ||
        !others_are_known(aggregate, kind->ntaken))
        return false;

    bool is_hll = strcmp(owner, "hll") == 0;
    List *taken = list_truncate(list_copy(types), kind->ntaken);
    kind->make = is_hll ? function : find_sibling(function, "tdigest", taken);
    if (!OidIsValid(kind->make))
        return false;
    List *merged = list_concat(list_make1_oid(get_func_rettype(kind->make)),
                               list_copy_tail(types, kind->ntaken));
    kind->merge = find_sibling(function, is_hll ? "hll_union_agg" : name, merged);
    return OidIsValid(kind->merge);
}

} // namespace

bool is_sketch(const Aggref *aggregate)
{
    SketchKind kind;
    return find_kind(aggregate, &kind);
}

Expr *make_sketch(const Aggref *aggregate)
{
    SketchKind kind;
    find_kind(aggregate, &kind);
    Aggref *sketch = copy_node(aggregate);
    sketch->aggfnoid = kind.make;
    sketch->aggtype = get_func_rettype(kind.make);
    sketch->aggargtypes = list_truncate(sketch->aggargtypes, kind.ntaken);
    sketch->args = list_truncate(sketch->args, kind.ntaken);
    return (Expr *)sketch;
}

Expr *merge_sketches(const Aggref *aggregate, Var *sketch)
{
    SketchKind kind;
    find_kind(aggregate, &kind);
    Aggref *merged = copy_node(aggregate);
    merged->aggfnoid = kind.merge;
    merged->aggfilter = nullptr;
    merged->aggargtypes = list_concat(list_make1_oid(sketch->vartype),
                                      list_copy_tail(aggregate->aggargtypes, kind.ntaken));
    merged->args = list_concat(list_make1(makeTargetEntry((Expr *)sketch, 1, nullptr, false)),
                               list_copy_tail(merged->args, kind.ntaken));
    ListCell *cell;
    foreach (cell, merged->args)
        ((TargetEntry *)lfirst(cell))->resno = foreach_current_index(cell) + 1;
    return (Expr *)merged;
}

} // namespace shardwise
