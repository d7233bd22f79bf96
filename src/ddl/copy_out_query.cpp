// COPY of a query whose plan is a single scan of shards: what a shard would return, it writes.
#include "ddl/copy_out.hpp"

#include "ddl/copy_out_forward.hpp"
#include "executor/row_format.hpp"
#include "pg/deparse.hpp"
#include "pg/types.hpp"
#include "pg/query_form.hpp"
#include "pg/versions.hpp"
#include "planner/ghost_filter.hpp"
#include "planner/route.hpp"
#include "transaction/snapshot.hpp"

extern "C" {
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "tcop/tcopprot.h"
}

namespace shardwise
{

namespace
{

// Values of a route, to be written into its text: COPY takes no parameters.
struct Literals {
    Datum *values;
    bool *nulls;
    const List *expressions;
    bool all_found;
};

PlannedStmt *plan_query(const CopyStmt *statement, const char *text, QueryEnvironment *environment)
{
    RawStmt *raw = makeNode(RawStmt);
    raw->stmt = copy_node(statement->query);
    List *rewritten = pg_analyze_and_rewrite_fixedparams(raw, text, nullptr, 0, environment);
    if (list_length(rewritten) != 1)
        return nullptr;
    Query *query = linitial_node(Query, rewritten);
    if (query->commandType != CMD_SELECT || query->utilityStmt != nullptr)
        return nullptr;
    return pg_plan_query(query, text, CURSOR_OPT_PARALLEL_OK, nullptr);
}

// The plan's rows are the shard's rows, column by column.
bool has_same_columns(const Plan *plan, const Route *route)
{
    ListCell *cell;
    foreach (cell, plan->targetlist) {
        const TargetEntry *entry = lfirst_node(TargetEntry, cell);
        const Var *var = (const Var *)entry->expr;
        if (entry->resjunk || !IsA(var, Var) || var->varattno != foreach_current_index(cell) + 1 ||
            !is_portable_in_binary(var->vartype))
            return false;
    }
    return plan->targetlist != NIL &&
           list_length(plan->targetlist) == ExecCleanTargetListLength(route->query->targetList);
}

bool is_exec_param(Node *node, void *)
{
    if (node == nullptr)
        return false;
    return IsA(node, Param) || IsA(node, SubPlan) ||
           expression_tree_walker(node, (bool (*)())is_exec_param, nullptr);
}

const CustomScan *find_forwardable_scan(const PlannedStmt *planned)
{
    const Plan *plan = planned->planTree;
    if (planned->hasModifyingCTE || planned->rowMarks != NIL || planned->subplans != NIL ||
        !is_route_scan(plan) || plan->qual != NIL)
        return nullptr;
    const CustomScan *scan = (const CustomScan *)plan;
    const Route *route = get_route(scan);
    if (route->query == nullptr || route->writes || route->nsort > 0 || route->checks != NIL ||
        route->shard_param != 0 || !has_same_columns(plan, route) ||
        is_exec_param((Node *)scan->custom_exprs, nullptr))
        return nullptr;
    return scan;
}

void evaluate(const CustomScan *scan, Literals *literals)
{
    int n = list_length(scan->custom_exprs);
    ExprContext *context = CreateStandaloneExprContext();
    literals->expressions = scan->custom_exprs;
    literals->values = static_cast<Datum *>(palloc0((n + 1) * sizeof(Datum)));
    literals->nulls = static_cast<bool *>(palloc0((n + 1) * sizeof(bool)));
    for (int i = 0; i < n; i++) {
        ExprState *state = ExecInitExpr((Expr *)list_nth(scan->custom_exprs, i), nullptr);
        literals->values[i] = ExecEvalExpr(state, context, &literals->nulls[i]);
    }
    // The values live as long as the command.
}

Node *write_literals(Node *node, Literals *literals)
{
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query))
        return (Node *)query_tree_mutator((Query *)node, (Node * (*)()) write_literals, literals,
                                          0);
    if (IsA(node, Param) && ((Param *)node)->paramkind == PARAM_EXTERN) {
        const Param *param = (const Param *)node;
        const Node *value = (const Node *)list_nth(literals->expressions, param->paramid - 1);
        if (exprType(value) != param->paramtype) {
            literals->all_found = false;
            return node;
        }
        int16 length;
        bool by_value;
        get_typlenbyval(param->paramtype, &length, &by_value);
        return (Node *)makeConst(param->paramtype, param->paramtypmod, param->paramcollid, length,
                                 literals->values[param->paramid - 1],
                                 literals->nulls[param->paramid - 1], by_value);
    }
    return expression_tree_mutator(node, (Node * (*)()) write_literals, literals);
}

// The columns get the query's names: options and the header speak of them.
char *shard_source(Query *query, const List *names)
{
    StringInfoData source;
    initStringInfo(&source);
    int level = use_exact_text();
    appendStringInfo(&source, "(SELECT * FROM (%s) AS answer (", deparse_query(query));
    if (level != 0)
        AtEOXact_GUC(true, level);
    ListCell *cell;
    foreach (cell, names)
        appendStringInfo(&source, "%s%s", foreach_current_index(cell) > 0 ? ", " : "",
                         quote_identifier((const char *)lfirst(cell)));
    appendStringInfoString(&source, "))");
    return source.data;
}

List *make_sources(const CustomScan *scan, const List *names)
{
    const Route *route = get_route(scan);
    Literals literals = {};
    literals.all_found = true;
    evaluate(scan, &literals);
    RoutedKeys keys = {route->npins, route->pins, literals.values, literals.nulls, {}};
    List *shards = goes_to_many(route)
                       ? choose_shards(keys, route->keyspace_id)
                       : list_make1_int(choose_shard(keys, route->keyspace_id, false));
    List *sources = NIL;
    ListCell *cell;
    foreach (cell, shards) {
        Query *query = copy_node(route->query);
        if (goes_to_many(route))
            (void)hide_ghosts(query, lfirst_int(cell), {});
        query = (Query *)write_literals((Node *)query, &literals);
        CopySource *source = static_cast<CopySource *>(palloc(sizeof(CopySource)));
        *source = {lfirst_int(cell), shard_source(query, names)};
        sources = lappend(sources, source);
    }
    return literals.all_found ? sources : NIL;
}

void check_functions(const Route *route)
{
    ListCell *cell;
    foreach (cell, route->functions) {
        AclResult result = pg_proc_aclcheck(lfirst_oid(cell), GetUserId(), ACL_EXECUTE);
        if (result != ACLCHECK_OK)
            aclcheck_error(result, OBJECT_FUNCTION, get_func_name(lfirst_oid(cell)));
    }
}

List *result_names(const Plan *plan)
{
    List *names = NIL;
    ListCell *cell;
    foreach (cell, plan->targetlist)
        names = lappend(names, lfirst_node(TargetEntry, cell)->resname);
    return names;
}

} // namespace

bool copy_query_out(const CopyStmt *statement, const char *text, QueryEnvironment *environment,
                    QueryCompletion *completion)
{
    if (!IsA(statement->query, SelectStmt))
        return false;
    CopyDestination destination = prepare_destination(statement);
    PlannedStmt *planned = plan_query(statement, text, environment);
    const CustomScan *scan = planned != nullptr ? find_forwardable_scan(planned) : nullptr;
    if (scan == nullptr)
        return false;
    check_permissions(planned);
    check_functions(get_route(scan));
    begin_block_snapshots();
    List *names = result_names(planned->planTree);
    List *sources = make_sources(scan, names);
    if (sources == NIL)
        return false;
    uint64 rows = forward_copies(statement, &destination, sources, names);
    SetQueryCompletion(completion, CMDTAG_COPY, rows);
    return true;
}

} // namespace shardwise
