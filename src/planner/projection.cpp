#include "planner/projection.hpp"

#include "pg/types.hpp"
#include "planner/cursor_plan.hpp"
#include "planner/shipping.hpp"

extern "C" {
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
}

namespace shardwise
{

namespace
{

struct Splitter {
    Query *query;
    List *shard_list; // TargetEntry sent to the shard
    List *columns;
    int varno;
};

Var *output_column(Splitter *splitter, TargetEntry *entry)
{
    Node *expr = (Node *)entry->expr;
    int number = list_length(splitter->shard_list) + 1;
    entry->resno = number;
    splitter->shard_list = lappend(splitter->shard_list, entry);

    Var *source =
        makeVar(splitter->varno, number, exprType(expr), exprTypmod(expr), exprCollation(expr), 0);
    splitter->columns = lappend(
        splitter->columns,
        makeTargetEntry((Expr *)source, number,
                        entry->resname != nullptr ? pstrdup(entry->resname) : nullptr, false));
    return makeVar(INDEX_VAR, number, exprType(expr), exprTypmod(expr), exprCollation(expr), 0);
}

// True if the node around supplies a value in it: what CASE compares, an array's element.
bool is_open(Node *node, void *context)
{
    int *around = (int *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, CaseTestExpr))
        return *around == 0;
    bool supplies = IsA(node, CaseExpr) || IsA(node, ArrayCoerceExpr);
    *around += supplies;
    bool found = expression_tree_walker(node, (bool (*)())is_open, context);
    *around -= supplies;
    return found;
}

// A record without a name cannot be read back; what the router alone knows (the names behind
// Oids, above all) need not travel at all.
bool travels_as_column(Query *query, Node *expr)
{
    int around = 0;
    if (IsA(expr, List) || IsA(expr, CaseWhen) || is_open(expr, &around))
        return false;
    Oid type = exprType(expr);
    bool names_objects = is_registry_type(type) || is_registry_type(get_element_type(type));
    if (names_objects && IsA(expr, RelabelType)) // those of the router
        return false;
    return type != RECORDOID && type != RECORDARRAYOID && expression_ships(query, expr) &&
           !is_routers_value(query, expr);
}

// A value that came to the shard as text, under the cast that its statement shows
// (batch_statement), which is none that the router could do; nullptr for other expressions.
Node *text_of_cast(Node *node)
{
    if (!IsA(node, RelabelType))
        return nullptr;
    Node *arg = (Node *)((RelabelType *)node)->arg;
    bool is_text = exprType(arg) == TEXTOID && !IsBinaryCoercible(TEXTOID, exprType(node));
    return is_text ? arg : nullptr;
}

// The largest parts that a shard can evaluate become its columns; the rest stays.
Node *split_expression(Node *node, void *context)
{
    Splitter *splitter = (Splitter *)context;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Const) || IsA(node, Param))
        return (Node *)copy_node(node);
    if (travels_as_column(splitter->query, node)) {
        TargetEntry *present = nullptr;
        ListCell *cell;
        foreach (cell, splitter->shard_list)
            if (equal(((TargetEntry *)lfirst(cell))->expr, node))
                present = (TargetEntry *)lfirst(cell);
        if (present != nullptr)
            return (Node *)makeVar(INDEX_VAR, present->resno, exprType(node), exprTypmod(node),
                                   exprCollation(node), 0);
        return (Node *)output_column(
            splitter,
            makeTargetEntry((Expr *)copy_node(node), 0,
                            psprintf("part %d", list_length(splitter->shard_list) + 1), false));
    }
    if (Node *text = text_of_cast(node)) {
        CoerceViaIO *cast = makeNode(CoerceViaIO);
        cast->arg = (Expr *)split_expression(text, context);
        cast->resulttype = exprType(node);
        cast->resultcollid = exprCollation(node);
        cast->coerceformat = COERCE_EXPLICIT_CAST;
        cast->location = -1;
        return (Node *)cast;
    }
    return expression_tree_mutator(node, (Node * (*)()) split_expression, context);
}

// Could the router evaluate the rest of this expression? Subqueries and aggregates need a plan.
bool has_planned_part(Node *node, void *context)
{
    Splitter *splitter = (Splitter *)context;
    if (node == nullptr)
        return false;
    if (travels_as_column(splitter->query, node))
        return false;
    if (IsA(node, Var) || IsA(node, SubLink) || IsA(node, Aggref) || IsA(node, WindowFunc) ||
        IsA(node, GroupingFunc) || IsA(node, SetToDefault))
        return true;
    return expression_tree_walker(node, (bool (*)())has_planned_part, context);
}

bool may_be_split(Splitter *splitter, TargetEntry *entry)
{
    Query *query = splitter->query;
    return entry->ressortgroupref == 0 && query->setOperations == nullptr &&
           query->distinctClause == NIL && !query->hasTargetSRFs &&
           !has_planned_part((Node *)entry->expr, splitter);
}

TargetEntry *make_visible(const TargetEntry *entry)
{
    TargetEntry *column = copy_node(entry);
    column->resjunk = false;
    return column;
}

} // namespace

Projection split_projection(Query *query, int varno)
{
    bool is_select = query->commandType == CMD_SELECT;
    List **list = is_select ? &query->targetList : &query->returningList;
    Splitter splitter = {query, NIL, NIL, varno};
    Projection projection = {};
    ListCell *cell;

    foreach (cell, *list) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (entry->resjunk && !is_place_column(entry))
            continue;
        Expr *expr;
        if (!travels_as_column(query, (Node *)entry->expr) && may_be_split(&splitter, entry))
            expr = (Expr *)eval_const_expressions(nullptr,
                                                  split_expression((Node *)entry->expr, &splitter));
        else
            expr = (Expr *)output_column(&splitter, make_visible(entry));
        int number = list_length(projection.output) + 1; // without sort keys in between
        TargetEntry *shown = makeTargetEntry(expr, number, entry->resname, entry->resjunk);
        shown->resorigtbl = entry->resorigtbl;
        shown->resorigcol = entry->resorigcol;
        projection.output = lappend(projection.output, shown);
    }
    // RETURNING what the router alone knows: rows must come even so.
    if (!is_select && *list != NIL && splitter.shard_list == NIL)
        (void)output_column(&splitter, makeTargetEntry((Expr *)makeBoolConst(true, false), 0,
                                                       pstrdup("returned"), false));
    // Sort keys that are not shown go along; the shard alone needs them.
    foreach (cell, *list) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (!entry->resjunk || is_place_column(entry))
            continue;
        entry->resno = list_length(splitter.shard_list) + 1;
        splitter.shard_list = lappend(splitter.shard_list, entry);
    }
    *list = splitter.shard_list;
    projection.columns = splitter.columns;
    return projection;
}

bool has_record(List *columns)
{
    ListCell *cell;
    foreach (cell, columns) {
        Oid type = exprType((Node *)((TargetEntry *)lfirst(cell))->expr);
        if (type == RECORDOID || type == RECORDARRAYOID)
            return true;
    }
    return false;
}

bool columns_travel_in_binary(List *columns)
{
    ListCell *cell;
    foreach (cell, columns)
        if (!is_portable_in_binary(exprType((Node *)((TargetEntry *)lfirst(cell))->expr)))
            return false;
    return true;
}

void set_functions(CustomScan *scan)
{
    fix_opfuncids((Node *)scan->scan.plan.targetlist);
    fix_opfuncids((Node *)scan->custom_exprs);
}

} // namespace shardwise
