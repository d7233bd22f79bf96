#include "planner/shipping.hpp"

#include "catalog/catalog.hpp"
#include "pg/query_tree.hpp"
#include "pg/types.hpp"
#include "pg/versions.hpp"
#include "planner/locked_rows.hpp"
#include "planner/packed_place.hpp"
#include "planner/tableoid.hpp"

extern "C" {
#include "catalog/pg_proc.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

// ---- functions -------------------------------------------------------------------------------

enum class Placement {
    Anywhere, // immutable, and every shard has it
    Stable,   // every shard has it, but one statement must see one value
    Volatile, // every shard has it; evaluated for each row
    Router    // reads or changes what the router alone has
};

// Built-in stable functions that look into the catalogs, whose answer (Oids, privileges, sizes)
// is the router's own affair.
bool reads_catalogs(Oid function)
{
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "cache lookup failed for function %u", function);
    Form_pg_proc proc = (Form_pg_proc)GETSTRUCT(tuple);
    const char *name = NameStr(proc->proname);
    bool reads = strncmp(name, "pg_", 3) == 0 || strncmp(name, "has_", 4) == 0 ||
                 strncmp(name, "current_", 8) == 0 || strncmp(name, "to_reg", 6) == 0 ||
                 strncmp(name, "col_desc", 8) == 0 || strncmp(name, "obj_desc", 8) == 0 ||
                 is_registry_type(proc->prorettype);
    for (int i = 0; i < proc->pronargs && !reads; i++)
        reads = is_registry_type(proc->proargtypes.values[i]) &&
                proc->proargtypes.values[i] != REGCONFIGOID;
    ReleaseSysCache(tuple);
    return reads;
}

Placement place_builtin(Oid function)
{
    switch (function) {
    case F_RANDOM:
    case F_CLOCK_TIMESTAMP:
    case F_TIMEOFDAY:
    case F_GEN_RANDOM_UUID:
    case F_PG_SLEEP:
        return Placement::Volatile;
    default:
        break;
    }
    switch (func_volatile(function)) {
    case PROVOLATILE_IMMUTABLE:
        return Placement::Anywhere;
    case PROVOLATILE_STABLE:
        return reads_catalogs(function) ? Placement::Router : Placement::Stable;
    default:
        return Placement::Router;
    }
}

Placement place_function(Oid function)
{
    if (function < FirstNormalObjectId)
        return place_builtin(function);
    if (!function_is_shipped(function))
        return Placement::Router;
    switch (func_volatile(function)) {
    case PROVOLATILE_IMMUTABLE:
        return Placement::Anywhere;
    case PROVOLATILE_STABLE:
        return Placement::Stable;
    default:
        return Placement::Volatile;
    }
}

// ---- types and other objects -----------------------------------------------------------------

// A row in an output list is printed with its type.
Oid type_of_row(const Node *node)
{
    return IsA(node, Var) && ((const Var *)node)->varattno == InvalidAttrNumber
               ? ((const Var *)node)->vartype
               : InvalidOid;
}

Oid type_named_by(const Node *node)
{
    switch (nodeTag(node)) {
    case T_TargetEntry:
        return type_of_row((const Node *)((const TargetEntry *)node)->expr);
    case T_Const:
    case T_Param:
    case T_FuncExpr:
    case T_RelabelType:
    case T_CoerceViaIO:
    case T_ArrayCoerceExpr:
    case T_ConvertRowtypeExpr:
    case T_CoerceToDomain:
    case T_ArrayExpr:
        return exprType(node);
    case T_RowExpr: // printed without a type, unless it was written
        return ((const RowExpr *)node)->row_format == COERCE_EXPLICIT_CAST ? exprType(node)
                                                                           : InvalidOid;
    default: // that of what is below
        return InvalidOid;
    }
}

// COLLATE may have been folded into a constant or cast.
Oid collation_named_by(const Node *node)
{
    bool names =
        IsA(node, CollateExpr) || IsA(node, Const) || IsA(node, RelabelType) || IsA(node, Param);
    return names ? exprCollation(node) : InvalidOid;
}

char *routers_type(Oid type)
{
    return type_is_shipped(type)
               ? nullptr
               : psprintf("Type %s is known on the router alone.", format_type_be(type));
}

bool names_routers_text_search(const Node *node)
{
    const Const *constant = (const Const *)node;
    if (!IsA(node, Const) || constant->constisnull)
        return false;
    Oid object = DatumGetObjectId(constant->constvalue);
    switch (constant->consttype) {
    case REGCONFIGOID:
        return !text_search_configuration_is_shipped(object);
    case REGDICTIONARYOID:
        return !text_search_dictionary_is_shipped(object);
    default:
        return false;
    }
}

// Names what an expression names and the router alone has; nullptr if the shards have it all.
char *find_routers_object(const Node *node)
{
    if (char *type = routers_type(type_named_by(node)))
        return type;
    Oid collation = collation_named_by(node);
    if (!collation_is_shipped(collation))
        return psprintf("Collation \"%s\" is known on the router alone.",
                        get_collation_name(collation));
    if (names_routers_text_search(node))
        return pstrdup("An object of text search is known on the router alone.");
    if (has_column_names(node))
        return pstrdup("The names of a row's columns are known on the router alone.");
    return nullptr;
}

// ---- what a subexpression needs --------------------------------------------------------------

struct Profile {
    bool needs_row;      // columns, aggregates, subqueries: cannot be computed beforehand
    bool must_be_pinned; // has to be computed once, in one place
    bool is_volatile;    // a new value with each evaluation
    bool needs_router;
    bool names_objects; // has Oids that mean something on the router alone
    int placeholders;   // enclosing nodes within the subexpression that supply CaseTestExpr
};

bool profile_function(Oid function, void *context)
{
    Profile *profile = (Profile *)context;
    switch (place_function(function)) {
    case Placement::Anywhere:
        break;
    case Placement::Stable:
        profile->must_be_pinned = true;
        break;
    case Placement::Volatile:
        profile->is_volatile = true;
        break;
    case Placement::Router:
        profile->needs_router = true;
        profile->is_volatile |= func_volatile(function) == PROVOLATILE_VOLATILE;
        break;
    }
    return false;
}

bool profile_walker(Node *node, void *context)
{
    Profile *profile = (Profile *)context;
    if (node == nullptr)
        return false;
    switch (nodeTag(node)) {
    case T_Var:
    case T_Aggref:
    case T_WindowFunc:
    case T_GroupingFunc:
    case T_SubLink:
    case T_CurrentOfExpr:
    case T_SetToDefault:
    case T_CoerceToDomainValue:
    case T_Query:
        profile->needs_row = true;
        break;
    case T_CaseTestExpr:
        profile->needs_row |= profile->placeholders == 0;
        break;
    case T_Param:
        profile->needs_row |= ((Param *)node)->paramkind != PARAM_EXTERN ||
                              (((Param *)node)->paramid >= batch_param_base &&
                               ((Param *)node)->paramid < shard_param_id);
        break;
    case T_Const:
        profile->names_objects |= is_registry_type(((Const *)node)->consttype);
        break;
    case T_RelabelType:
        profile->names_objects |= is_registry_type(((RelabelType *)node)->resulttype);
        break;
    case T_FuncExpr:
        profile->needs_row |= ((FuncExpr *)node)->funcretset;
        profile->names_objects |= is_registry_type(((FuncExpr *)node)->funcresulttype);
        break;
    case T_CoerceViaIO:
        profile->names_objects |= is_registry_type(((CoerceViaIO *)node)->resulttype);
        break;
    case T_OpExpr:
        profile->needs_row |= ((OpExpr *)node)->opretset;
        break;
    case T_SQLValueFunction:
    case T_XmlExpr:
        profile->must_be_pinned = true;
        break;
    case T_NextValueExpr:
        profile->needs_router = true;
        profile->is_volatile = true;
        break;
    default:
        break;
    }
    check_functions_in_node(node, profile_function, profile);
    profile->needs_router |= find_routers_object(node) != nullptr;
    if (IsA(node, Query))
        return false;
    bool supplies = IsA(node, CaseExpr) || IsA(node, ArrayCoerceExpr);
    profile->placeholders += supplies;
    expression_tree_walker(node, (bool (*)())profile_walker, context);
    profile->placeholders -= supplies;
    return false;
}

Profile profile_expression(Node *expr)
{
    Profile profile = {};
    profile_walker(expr, &profile);
    return profile;
}

// ---- taking out --------------------------------------------------------------------------------

struct Shipper {
    Shipping *out;
    List *queries; // the query at hand and its parents, innermost first
    bool once;     // the expression at hand is evaluated exactly once per execution
};

Node *ship_mutator(Node *node, void *context);

void refuse(Shipper *shipper, char *reason)
{
    if (shipper->out->refusal == nullptr)
        shipper->out->refusal = reason;
}

bool may_become_param(Node *node)
{
    switch (nodeTag(node)) {
    case T_Const:
    case T_FuncExpr:
    case T_OpExpr:
    case T_DistinctExpr:
    case T_NullIfExpr:
    case T_ScalarArrayOpExpr:
    case T_BoolExpr:
    case T_SQLValueFunction:
    case T_NextValueExpr:
    case T_CoerceViaIO:
    case T_ArrayCoerceExpr:
    case T_RelabelType:
    case T_CaseExpr:
    case T_ArrayExpr:
    case T_RowExpr:
    case T_RowCompareExpr:
    case T_CoalesceExpr:
    case T_MinMaxExpr:
    case T_XmlExpr:
    case T_NullTest:
    case T_BooleanTest:
    case T_CoerceToDomain:
    case T_FieldSelect:
    case T_SubscriptingRef:
        return exprType(node) != RECORDOID;
    default:
        return false;
    }
}

Node *take_out(Shipper *shipper, Node *node, bool is_volatile)
{
    int number = 0;
    ListCell *cell;
    foreach (cell, shipper->out->router_values) {
        // The same text twice is one value, unless each evaluation yields another.
        if (!is_volatile && equal(lfirst(cell), node))
            break;
        number++;
    }
    if (number == list_length(shipper->out->router_values))
        shipper->out->router_values = lappend(shipper->out->router_values, copy_node(node));

    Param *param = make_parameter(router_param_base + number, exprType(node), exprCollation(node));
    param->paramtypmod = exprTypmod(node);
    return (Node *)param;
}

bool note_function(Oid function, void *context)
{
    Shipper *shipper = (Shipper *)context;
    if (place_function(function) == Placement::Router)
        refuse(shipper,
               psprintf("Function %s() runs on the router alone.", get_func_name(function)));
    else if (function >= FirstNormalObjectId)
        shipper->out->functions = list_append_unique_oid(shipper->out->functions, function);
    return false;
}

// True for the tableoid of a partitioned table as regclass and its like: translated, it would name
// one of the shard's objects.
bool names_partition(Node *node, List *queries)
{
    if (!IsA(node, RelabelType) || !is_registry_type(((RelabelType *)node)->resulttype))
        return false;
    Node *arg = (Node *)((RelabelType *)node)->arg;
    while (IsA(arg, RelabelType))
        arg = (Node *)((RelabelType *)arg)->arg;
    return is_partition_oid(arg, queries);
}

bool assigns_part(const Node *node)
{
    while (node != nullptr && IsA(node, CoerceToDomain))
        node = (const Node *)((const CoerceToDomain *)node)->arg;
    return node != nullptr &&
           (IsA(node, FieldStore) || (IsA(node, SubscriptingRef) &&
                                      ((const SubscriptingRef *)node)->refassgnexpr != nullptr));
}

// SQL can say it of one part of a column (SET a[1] = ...), in an UPDATE or for a single new row.
// Several parts have become one expression.
bool part_has_sql(Query *query, const Node *node)
{
    if (query->commandType == CMD_SELECT ||
        (query->commandType == CMD_INSERT && find_insert_source(query) > 0))
        return false;
    if (IsA(node, FieldStore))
        return list_length(((const FieldStore *)node)->newvals) == 1 &&
               !assigns_part((const Node *)((const FieldStore *)node)->arg);
    return IsA(node, CoerceToDomain) ||
           !assigns_part((const Node *)((const SubscriptingRef *)node)->refexpr);
}

void ship_level(Query *query, Shipper *parent);

Node *ship_mutator(Node *node, void *context)
{
    Shipper *shipper = (Shipper *)context;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query)) {
        Query *query = copy_node((Query *)node);
        ship_level(query, shipper);
        return (Node *)query;
    }
    if (Node *place = translate_place(node))
        return ship_mutator(place, context);
    if (names_partition(node, shipper->queries))
        refuse(shipper, pstrdup("The router alone knows the name of a row's partition."));
    if (assigns_part(node) && !part_has_sql((Query *)linitial(shipper->queries), node))
        refuse(shipper, pstrdup("A part of a column is assigned."));
    if (IsA(node, Param) && ((Param *)node)->paramkind == PARAM_MULTIEXPR &&
        ((Query *)linitial(shipper->queries))->commandType == CMD_SELECT)
        refuse(shipper,
               pstrdup("A SELECT for several columns has no form in SQL but that of SET."));
    if (IsA(node, CurrentOfExpr))
        refuse(shipper, pstrdup("The row of a cursor is looked up first."));
    char *object = find_routers_object(node);
    if (object == nullptr && may_become_param(node)) {
        Profile profile = profile_expression(node);
        bool special = profile.must_be_pinned || profile.is_volatile || profile.needs_router ||
                       profile.names_objects;
        if (special && !profile.needs_row && (!profile.is_volatile || shipper->once) &&
            type_is_shipped(exprType(node)))
            return take_out(shipper, node, profile.is_volatile);
    }
    if (object != nullptr)
        refuse(shipper, object);
    if (IsA(node, NextValueExpr))
        refuse(shipper, pstrdup("A sequence of the router is needed for each row."));
    check_functions_in_node(node, note_function, shipper);
    return expression_tree_mutator(node, (Node * (*)()) ship_mutator, context);
}

Node *ship(Shipper *shipper, Node *node, bool once = false)
{
    bool saved = shipper->once;
    shipper->once = once;
    Node *shipped = ship_mutator(node, shipper);
    shipper->once = saved;
    return shipped;
}

// Of columns that a query gives to a function's rows.
void ship_types(Shipper *shipper, const List *types)
{
    ListCell *cell;
    foreach (cell, types)
        if (char *type = routers_type(lfirst_oid(cell)))
            refuse(shipper, type);
}

// A function in FROM cannot become a parameter; its arguments can.
void ship_range_function(Shipper *shipper, RangeTblFunction *function)
{
    Node *expr = function->funcexpr;
    Profile own = {};
    check_functions_in_node(expr, profile_function, &own);
    if (!IsA(expr, FuncExpr) || own.must_be_pinned) {
        Profile whole = profile_expression(expr);
        if (whole.must_be_pinned || whole.needs_router)
            refuse(shipper, pstrdup("A function in FROM has to be evaluated on the router."));
    }
    ship_types(shipper, function->funccoltypes);
    check_functions_in_node(expr, note_function, shipper);
    function->funcexpr = expression_tree_mutator(expr, (Node * (*)()) ship_mutator, shipper);
}

void ship_relation(Shipper *shipper, RangeTblEntry *rte, bool is_insert_values)
{
    ListCell *cell;
    switch (rte->rtekind) {
    case RTE_SUBQUERY:
        ship_level(rte->subquery, shipper);
        break;
    case RTE_FUNCTION:
        foreach (cell, rte->functions)
            ship_range_function(shipper, (RangeTblFunction *)lfirst(cell));
        break;
    case RTE_TABLEFUNC:
        ship_types(shipper, rte->tablefunc->coltypes);
        rte->tablefunc = (TableFunc *)ship(shipper, (Node *)rte->tablefunc);
        break;
    case RTE_VALUES:
        rte->values_lists = (List *)ship(shipper, (Node *)rte->values_lists, is_insert_values);
        break;
    case RTE_NAMEDTUPLESTORE:
        refuse(shipper, pstrdup("A transition table is on the router."));
        break;
    default:
        break;
    }
    rte->securityQuals = (List *)ship(shipper, (Node *)rte->securityQuals);
}

bool refuse_local_table(Node *node, Shipper *shipper, Query *query)
{
    if (!IsA(node, RangeTblRef))
        return false;
    RangeTblEntry *rte = rt_fetch(((RangeTblRef *)node)->rtindex, query->rtable);
    if (rte->rtekind == RTE_RELATION && find_table(rte->relid) == nullptr)
        refuse(shipper, psprintf("Table \"%s\" is local to the router.", get_rel_name(rte->relid)));
    return false;
}

struct FromContext {
    Shipper *shipper;
    Query *query;
};

bool local_table_walker(Node *node, void *context)
{
    FromContext *from = (FromContext *)context;
    if (node == nullptr || IsA(node, Query))
        return false;
    refuse_local_table(node, from->shipper, from->query);
    return expression_tree_walker(node, (bool (*)())local_table_walker, context);
}

void ship_level(Query *query, Shipper *parent)
{
    Shipper shipper = {parent->out, prepend(query, parent->queries), false};
    bool top = parent->queries == NIL;
    bool is_insert = query->commandType == CMD_INSERT;
    ListCell *cell;

    FromContext from = {&shipper, query};
    local_table_walker((Node *)query->jointree, &from);
    // The deparser knows INSERTs as users write them, with nothing beside the source.
    if (is_insert && (query->jointree->quals != nullptr ||
                      list_length(query->jointree->fromlist) > (find_insert_source(query) > 0)))
        refuse(&shipper, pstrdup("A rule has put a condition on the new rows."));
    // Of an INSERT, and of a view with INSTEAD OF triggers, the target is no part of the FROM
    // clause.
    if (query->resultRelation > 0) {
        RangeTblRef target = {T_RangeTblRef, query->resultRelation};
        refuse_local_table((Node *)&target, &shipper, query);
    }

    bool selects = false; // rows come from somewhere else than a VALUES list
    foreach (cell, query->rtable)
        selects |= ((RangeTblEntry *)lfirst(cell))->rtekind == RTE_SUBQUERY;
    bool values_only = top && is_insert && !selects;
    bool single_row = top && query->commandType == CMD_SELECT && query->jointree->fromlist == NIL &&
                      query->setOperations == nullptr && query->jointree->quals == nullptr;

    foreach (cell, query->cteList) {
        CommonTableExpr *cte = (CommonTableExpr *)lfirst(cell);
        ship_level((Query *)cte->ctequery, &shipper);
    }
    foreach (cell, query->rtable)
        ship_relation(&shipper, (RangeTblEntry *)lfirst(cell), values_only);
    query->targetList = (List *)ship(&shipper, (Node *)query->targetList,
                                     values_only || (single_row && !query->hasTargetSRFs));
    query->returningList = (List *)ship(&shipper, (Node *)query->returningList);
    query->jointree = (FromExpr *)ship(&shipper, (Node *)query->jointree);
    query->havingQual = ship(&shipper, query->havingQual);
    query->limitOffset = ship(&shipper, query->limitOffset);
    query->limitCount = ship(&shipper, query->limitCount);
    foreach (cell, query->windowClause) {
        WindowClause *window = lfirst_node(WindowClause, cell);
        window->startOffset = ship(&shipper, window->startOffset);
        window->endOffset = ship(&shipper, window->endOffset);
    }
    if (query->onConflict != nullptr) {
        OnConflictExpr *conflict = query->onConflict;
        conflict->onConflictSet = (List *)ship(&shipper, (Node *)conflict->onConflictSet);
        conflict->onConflictWhere = ship(&shipper, conflict->onConflictWhere);
    }
    foreach (cell, query->withCheckOptions) {
        WithCheckOption *check = (WithCheckOption *)lfirst(cell);
        check->qual = ship(&shipper, check->qual);
    }
}

} // namespace

void ship_query(Query *query, Shipping *shipping)
{
    *query = *(Query *)replace_tableoid((Node *)query, NIL);
    Shipper outside = {shipping, NIL, false};
    ship_level(query, &outside);
    if (shipping->refusal == nullptr)
        *query = *(Query *)translate_tableoid((Node *)query, NIL);
}

bool expression_ships(Query *query, Node *expr)
{
    // Only whether something is refused matters; what is taken out is thrown away.
    Shipping probe = {};
    Shipper shipper = {&probe, list_make1(query), false};
    ship_mutator(replace_tableoid(expr, shipper.queries), &shipper);
    return probe.refusal == nullptr && type_is_shipped(type_of_row(expr));
}

bool is_routers_value(Query *query, Node *expr)
{
    Profile profile = profile_expression(replace_tableoid(expr, list_make1(query)));
    return !profile.needs_row && profile.names_objects;
}

} // namespace shardwise
