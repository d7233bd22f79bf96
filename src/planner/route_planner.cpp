#include "planner/route_planner.hpp"

#include "pg/deparse.hpp"
#include "pg/query_form.hpp"
#include "pg/query_tree.hpp"
#include "planner/changes.hpp"
#include "planner/locked_rows.hpp"
#include "planner/parameters.hpp"
#include "planner/projection.hpp"
#include "planner/route.hpp"
#include "planner/row_bound.hpp"
#include "planner/row_checks.hpp"
#include "planner/row_security.hpp"
#include "planner/shipping.hpp"
#include "planner/table_scan.hpp"
#include "planner/table_size.hpp"
#include "planner/write_tiers.hpp"
#include "routing/key_analysis.hpp"

extern "C" {
#include "catalog/pg_proc.h"
#include "utils/reltrigger.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

// ---- range table -------------------------------------------------------------------------------

struct FlatRangeTable {
    List *rtable;
    bool has_subqueries;
};

bool flatten_walker(Node *node, void *context)
{
    FlatRangeTable *flat = (FlatRangeTable *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        ListCell *cell;
        foreach (cell, ((Query *)node)->rtable) {
            RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
            flat->has_subqueries |= rte->rtekind == RTE_SUBQUERY || rte->rtekind == RTE_CTE;
            if (!has_permissions(rte))
                continue;
            RangeTblEntry *copy = (RangeTblEntry *)palloc(sizeof(RangeTblEntry));
            *copy = *rte;
            copy->securityQuals = NIL;
            copy->tablesample = nullptr;
            copy->subquery = nullptr; // a view
            // EXPLAIN names columns by the entry of the shard's rows. Without the table's names a
            // plan is copied faster, as it is for each execution that is planned for itself.
            copy->alias = nullptr;
            copy->eref = makeAlias(rte->eref->aliasname, NIL);
            flat->rtable = lappend(flat->rtable, copy);
        }
        flat->has_subqueries |= ((Query *)node)->hasSubLinks;
        return query_tree_walker((Query *)node, (bool (*)())flatten_walker, context, 0);
    }
    return expression_tree_walker(node, (bool (*)())flatten_walker, context);
}

// The entry that stands for the shard's rows, so that EXPLAIN can name their columns.
RangeTblEntry *make_result_entry(List *columns)
{
    List *names = NIL;
    ListCell *cell;
    foreach (cell, columns) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        names = lappend(
            names, makeString(pstrdup(entry->resname != nullptr ? entry->resname : "?column?")));
    }
    RangeTblEntry *rte = makeNode(RangeTblEntry);
    rte->rtekind = RTE_NAMEDTUPLESTORE;
    rte->eref = makeAlias("shard", names);
    rte->inFromCl = true;
    return rte;
}

// ---- values and keys ---------------------------------------------------------------------------

Oid routed_value_type(const Expr *expr, bool is_array)
{
    Oid type = getBaseType(exprType((const Node *)expr));
    return is_array ? getBaseType(get_element_type(type)) : type;
}

// The number of a value; one that is no parameter is added to the values.
int number_value(Expr *expr, const ShardParameters *parameters, List **values)
{
    int number = find_parameter(parameters, expr);
    if (number >= 0)
        return number;
    *values = lappend(*values, eval_const_expressions(nullptr, (Node *)expr));
    return list_length(*values) - 1;
}

void add_range(KeyPin *pin, const KeyBounds *bounds, const ShardParameters *parameters,
               List **values)
{
    pin->nlower = bounds->nlower;
    pin->nupper = bounds->nupper;
    pin->lower_is_inclusive = bounds->lower_is_inclusive;
    pin->upper_is_inclusive = bounds->upper_is_inclusive;
    pin->ends_in_array = bounds->ends_in_array;
    for (int i = 0; i < bounds->nlower; i++) {
        pin->lower[i] = number_value(bounds->lower[i], parameters, values);
        pin->lower_types[i] =
            routed_value_type(bounds->lower[i], bounds->ends_in_array && i == bounds->nlower - 1);
    }
    for (int i = 0; i < bounds->nupper; i++) {
        pin->upper[i] = number_value(bounds->upper[i], parameters, values);
        pin->upper_types[i] =
            routed_value_type(bounds->upper[i], bounds->ends_in_array && i == bounds->nupper - 1);
    }
}

// Describes the keys by the numbers of the values that hold them; a key that is not a parameter
// itself becomes one more value.
void add_pins(Route *route, List *keys, const ShardParameters *parameters, List **values)
{
    ListCell *cell;
    route->pins = (KeyPin *)palloc0(sizeof(KeyPin) * (list_length(keys) + 1));
    foreach (cell, keys) {
        KeyExpression *key = (KeyExpression *)lfirst(cell);
        KeyPin *pin = &route->pins[route->npins++];
        pin->keyspace_id = key->keyspace->id;
        pin->is_range = key->is_range;
        if (key->is_range) {
            add_range(pin, &key->bounds, parameters, values);
            continue;
        }
        pin->nkeys = key->keyspace->nkeys;
        for (int i = 0; i < pin->nkeys; i++) {
            pin->values[i] = number_value(key->values[i], parameters, values);
            pin->is_array[i] = key->is_array[i];
            pin->value_types[i] = routed_value_type(key->values[i], key->is_array[i]);
        }
    }
}

Oid *oid_array(List *oids)
{
    Oid *array = (Oid *)palloc(sizeof(Oid) * (list_length(oids) + 1));
    int i = 0;
    ListCell *cell;
    foreach (cell, oids)
        array[i++] = lfirst_oid(cell);
    return array;
}

bool locks_or_changes_rows(Node *node, void *context)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        Query *query = (Query *)node;
        if (query->commandType != CMD_SELECT || query->rowMarks != NIL)
            return true;
        return query_tree_walker(query, (bool (*)())locks_or_changes_rows, context, 0);
    }
    return expression_tree_walker(node, (bool (*)())locks_or_changes_rows, context);
}

bool calls_volatile(List *functions)
{
    ListCell *cell;
    foreach (cell, functions)
        if (func_volatile(lfirst_oid(cell)) == PROVOLATILE_VOLATILE)
            return true;
    return false;
}

// True if a write does nothing but change rows of its target, of which the command tag tells: no
// function and no trigger can write something else.
bool writes_rows_alone(Query *query)
{
    if (query->resultRelation == 0 || query->hasModifyingCTE ||
        contain_volatile_functions((Node *)query))
        return false;
    const RangeTblEntry *target = rt_fetch(query->resultRelation, query->rtable);
    if (target->relkind == RELKIND_PARTITIONED_TABLE) // partitions may have triggers of their own
        return false;
    Relation relation = table_open(target->relid, NoLock);
    bool has_trigger = false;
    const TriggerDesc *triggers = relation->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++)
        has_trigger |= !triggers->triggers[i].tgisinternal;
    table_close(relation, NoLock);
    return !has_trigger;
}

// ---- assembly ----------------------------------------------------------------------------------

// True if the plan node does more than hand the shard's columns on.
bool computes(List *output)
{
    ListCell *cell;
    foreach (cell, output)
        if (!IsA(((TargetEntry *)lfirst(cell))->expr, Var))
            return true;
    return false;
}

CustomScan *make_scan(Route *route, List *values, const Projection *projection)
{
    CustomScan *scan = makeNode(CustomScan);
    scan->scan.plan.targetlist = projection->output;
    scan->scan.plan.plan_rows = 1;
    scan->scan.plan.startup_cost = 0;
    scan->scan.plan.total_cost = 1;
    scan->scan.scanrelid = 0;
    scan->flags = CUSTOMPATH_SUPPORT_PROJECTION;
    scan->custom_exprs = values;
    scan->custom_private = list_make1(route);
    scan->custom_scan_tlist = projection->columns;
    scan->methods = GetCustomScanMethods(route_scan_name, false);
    set_functions(scan);
    return scan;
}

PlannedStmt *make_statement(Query *query, CustomScan *scan, List *rtable)
{
    PlannedStmt *statement = makeNode(PlannedStmt);
    bool has_row_security = false;
    statement->commandType = query->commandType;
    statement->hasReturning = query->returningList != NIL;
    statement->hasModifyingCTE = query->hasModifyingCTE;
    statement->planTree = (Plan *)scan;
    add_entries(statement, rtable);
    statement->rowMarks = name_row_marks(query);
    extract_query_dependencies((Node *)query, &statement->relationOids, &statement->invalItems,
                               &has_row_security);
    statement->dependsOnRole = has_row_security;
    return statement;
}

// Where a query runs that need not be pulled apart; nullptr or why it has to be.
Refusal choose_tier(Query *sent, bool simple, const KeyAnalysis *analysis, Tier *tier)
{
    *tier = simple ? Tier::FastPath : Tier::SingleShard;
    if (analysis->changes_reference)
        return copies_stay_alike(sent, analysis)
                   ? nullptr
                   : pstrdup("The shards' copies of a reference table might become different.");
    if (analysis->changes_key != nullptr)
        return analysis->changes_key;
    if (sent->commandType != CMD_SELECT &&
        (analysis->unpinned != nullptr || !has_one_key(analysis)) &&
        write_is_colocated(sent, analysis)) {
        *tier = Tier::Scatter;
        return nullptr;
    }
    return analysis->unpinned;
}

} // namespace

// FOR UPDATE is the shard's affair; the entry names the command in error messages.
List *name_row_marks(Query *query)
{
    if (query->rowMarks == NIL)
        return NIL;
    RowMarkClause *clause = (RowMarkClause *)linitial(query->rowMarks);
    PlanRowMark *mark = makeNode(PlanRowMark);
    mark->rti = mark->prti = clause->rti;
    mark->strength = clause->strength;
    mark->waitPolicy = clause->waitPolicy;
    mark->isParent = true; // the executor leaves these alone
    return list_make1(mark);
}

List *flatten_relations(Query *query)
{
    FlatRangeTable flat = {};
    flatten_walker((Node *)query, &flat);
    return flat.rtable;
}

static bool asks_for_places(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (is_place_column(node))
        return true;
    if (IsA(node, Query))
        return query_tree_walker((Query *)node, (bool (*)())asks_for_places, nullptr, 0);
    return expression_tree_walker(node, (bool (*)())asks_for_places, nullptr);
}

// The reference tables whose rows a query locks as a writer does.
static bool find_locked_references(Node *node, void *context)
{
    List **found = (List **)context;
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())find_locked_references, context);
    Query *query = (Query *)node;
    ListCell *cell;
    foreach (cell, query->rowMarks) {
        const RowMarkClause *clause = (const RowMarkClause *)lfirst(cell);
        const RangeTblEntry *rte = rt_fetch(clause->rti, query->rtable);
        const Table *table = rte->rtekind == RTE_RELATION ? find_table(rte->relid) : nullptr;
        if (table != nullptr && table->is_reference && clause->strength >= LCS_FORNOKEYUPDATE)
            *found = list_append_unique_oid(*found, rte->relid);
    }
    return query_tree_walker(query, (bool (*)())find_locked_references, context, 0);
}

Route *compile_route(Query *sent, const Shipping &shipping, const KeyAnalysis &analysis,
                     List **values)
{
    static uint64 last_statement_id = 0;

    ShardParameters parameters = {shipping.router_values, NIL, NIL, NIL};
    number_parameters(sent, &parameters);
    *values = parameters.sources;

    Route *route = make_route();
    ListCell *cell;
    foreach (cell, parameters.ids) {
        int i = foreach_current_index(cell);
        if (lfirst_int(cell) == shard_param_id)
            route->shard_param = i + 1;
        else if (lfirst_int(cell) == keys_param_id)
            route->key_param = i + 1;
        else if (lfirst_int(cell) == lookup_param_id)
            route->lookup_param = i + 1;
        else if (lfirst_int(cell) == limit_param_id)
            route->limit_param = i + 1;
        else if (lfirst_int(cell) == places_param_id)
            route->places_param = i + 1;
        else if (lfirst_int(cell) == mark_param_id)
            route->mark_param = i + 1;
        else
            continue;
        // The executor fills it in.
        Oid type = exprType((Node *)list_nth(*values, i));
        lfirst(list_nth_cell(*values, i)) = makeNullConst(type, -1, InvalidOid);
    }
    // A text without parameters hardly comes again: it is not worth keeping on the shards.
    route->statement_id = *values != NIL ? ++last_statement_id : 0;
    route->nparams = list_length(*values);
    route->param_types = oid_array(parameters.types);
    route->keyspace_id = analysis.keyspace != nullptr ? analysis.keyspace->id : 0;
    route->first_copy = analysis.keyspace == nullptr && asks_for_places((Node *)sent, nullptr);
    // Rows of a table without known keys can be anywhere.
    if (!analysis.is_unbounded)
        add_pins(route, analysis.keys, &parameters, values);
    route->sql = deparse_query(sent);
    route->query = sent;
    route->functions = shipping.functions;
    bool one_shard = analysis.keys != NIL && analysis.unpinned == nullptr && has_one_key(&analysis);
    route->in_turns = one_shard ? InvalidOid : find_contended_table(sent);
    (void)find_locked_references((Node *)sent, &route->locked_references);
    return route;
}

void foresee_rows(Route *route, const Query *query)
{
    route->by_unique_key = is_unique_lookup(query);
    route->few_rows = route->by_unique_key || yields_handful_of_rows(query);
    route->is_selective = !route->by_unique_key && is_selective_lookup(query);
}

PlannedStmt *plan_route(Query *query, Refusal *refusal)
{
    if (query->commandType == CMD_MERGE) {
        *refusal = pstrdup("MERGE is not routed.");
        return nullptr;
    }
    FlatRangeTable flat = {};
    flatten_walker((Node *)query, &flat);
    int result_varno = list_length(flat.rtable) + 1;

    Query *sent = copy_node(query);
    Shipping shipping = {};
    prepare_changes(sent);
    Projection projection = split_projection(sent, result_varno);
    if (has_record(projection.columns)) {
        *refusal = pstrdup("A record without a named type cannot be read back from a shard.");
        return nullptr;
    }
    ship_query(sent, &shipping);
    if ((*refusal = shipping.refusal) != nullptr)
        return nullptr;
    MarkedRows marked = apply_marks(sent, &shipping);
    KeyAnalysis analysis = analyze_keys(sent);
    bool simple = list_length(flat.rtable) == 1 && !flat.has_subqueries;
    Tier tier;
    if ((*refusal = choose_tier(sent, simple, &analysis, &tier)) != nullptr)
        return nullptr;
    List *checks = place_row_checks(sent, false, false, refusal);
    if (*refusal != nullptr || (*refusal = apply_row_security(sent)) != nullptr)
        return nullptr;

    List *values = NIL;
    Route *route = compile_route(sent, shipping, analysis, &values);
    route->tier = tier;
    if (analysis.changes_reference)
        route->reference = rt_fetch(query->resultRelation, query->rtable)->relid;
    route->checks = checks;
    route->binary_results = columns_travel_in_binary(projection.columns);
    route->writes =
        locks_or_changes_rows((Node *)query, nullptr) || calls_volatile(shipping.functions);
    route->only_locks = query->commandType == CMD_SELECT && !query->hasModifyingCTE &&
                        !calls_volatile(shipping.functions);
    route->keeps_places = marked.places && !route->writes;
    if (!route->writes)
        foresee_rows(route, sent);
    route->counts_rows = query->commandType != CMD_SELECT;
    route->writes_rows = tier == Tier::Scatter && writes_rows_alone(query);
    route->is_only_scan = true;
    route->may_fail_late = computes(projection.output) || !route->binary_results;

    flat.rtable = lappend(flat.rtable, make_result_entry(projection.columns));
    return make_statement(query, make_scan(route, values, &projection), flat.rtable);
}

} // namespace shardwise
