#include "planner/remote_source.hpp"

#include "pg/query_tree.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

// Where a table of the planner's stands in the query that is made.
struct Place {
    int depth; // of nested EXISTS
    int varno;
};

struct Builder {
    PlannerInfo *root;
    Place *places; // by the planner's number
    int depth;
};

Node *place_columns(Node *node, void *context)
{
    const Builder *builder = (const Builder *)context;
    if (node == nullptr)
        return nullptr;
    if (!IsA(node, Var))
        return expression_tree_mutator(node, (Node * (*)()) place_columns, context);
    Var *var = copy_node((Var *)node);
    const Place *place = &builder->places[var->varno];
    var->varno = place->varno;
    var->varlevelsup = builder->depth - place->depth;
    var->varnosyn = var->varno;
    var->varattnosyn = var->varattno;
    return (Node *)var;
}

List *place_clauses(Builder *builder, List *clauses)
{
    return (List *)place_columns((Node *)clauses, builder);
}

Node *add_table(Builder *builder, Query *query, Index varno)
{
    RangeTblEntry *table = copy_node(planner_rt_fetch(varno, builder->root));
    table->securityQuals = NIL; // they are among the conditions
    table->inFromCl = true;
    table->lateral = false;
    query->rtable = lappend(query->rtable, table);
    builder->places[varno] = Place{builder->depth, list_length(query->rtable)};
    return make_reference(list_length(query->rtable));
}

Node *add_source(Builder *builder, Query *query, const RemoteSource *source, List **conditions);

// [NOT] EXISTS (SELECT FROM right WHERE its conditions AND partner_clauses)
Node *make_existence(Builder *builder, const RemoteSource *source)
{
    Query *query = makeNode(Query);
    List *conditions = NIL;
    query->commandType = CMD_SELECT;
    query->querySource = QSRC_ORIGINAL;
    builder->depth++;
    Node *from = add_source(builder, query, source->right, &conditions);
    conditions = list_concat(conditions, place_clauses(builder, source->partner_clauses));
    builder->depth--;
    query->jointree = makeFromExpr(list_make1(from), make_conjunction(conditions));

    Expr *exists = make_sublink(EXISTS_SUBLINK, query);
    return source->type == JOIN_SEMI ? (Node *)exists
                                     : (Node *)makeBoolExpr(NOT_EXPR, list_make1(exists), -1);
}

Node *add_join(Builder *builder, Query *query, const RemoteSource *source, List **conditions)
{
    List *of_right = NIL;
    Node *left = add_source(builder, query, source->left, conditions);
    if (source->type == JOIN_SEMI || source->type == JOIN_ANTI) {
        query->hasSubLinks = true;
        *conditions = lappend(*conditions, make_existence(builder, source));
        return left;
    }
    Node *right = add_source(builder, query, source->right, &of_right);
    List *partners = place_clauses(builder, source->partner_clauses);
    // A row of the right side that its own conditions drop is no partner, but drops no other row.
    if (source->type == JOIN_LEFT)
        partners = list_concat(of_right, partners);
    else
        *conditions = list_concat(*conditions, of_right);
    return make_join(query, source->type, left, right, make_conjunction(partners));
}

// Adds a source's tables to the query; returns its part of FROM. *conditions receives what belongs
// to the nearest WHERE or ON around it.
Node *add_source(Builder *builder, Query *query, const RemoteSource *source, List **conditions)
{
    Node *from = source->varno > 0 ? add_table(builder, query, source->varno)
                                   : add_join(builder, query, source, conditions);
    *conditions = list_concat(*conditions, place_clauses(builder, source->clauses));
    return from;
}

} // namespace

RemoteSource *make_table_source(const RelOptInfo *rel, List *infos)
{
    RemoteSource *source = (RemoteSource *)palloc0(sizeof(RemoteSource));
    source->varno = rel->relid;
    source->clauses = extract_actual_clauses(infos, false);
    source->min_security = rel->baserestrict_min_security;
    note_security(source, infos);
    return source;
}

void note_security(RemoteSource *source, List *infos)
{
    ListCell *cell;
    foreach (cell, infos) {
        const RestrictInfo *info = (const RestrictInfo *)lfirst(cell);
        source->min_security = Min(source->min_security, info->security_level);
        if (!info->leakproof)
            source->leaky_security = Max(source->leaky_security, info->security_level);
    }
}

Query *make_source_query(PlannerInfo *root, const RemoteSource *source, List *columns,
                         List *clauses)
{
    Query *query = makeNode(Query);
    query->commandType = CMD_SELECT;
    query->querySource = QSRC_ORIGINAL;
    Builder builder = {root, (Place *)palloc0(sizeof(Place) * root->simple_rel_array_size), 0};
    List *conditions = NIL;
    Node *from = add_source(&builder, query, source, &conditions);
    conditions = list_concat(conditions, place_clauses(&builder, clauses));
    query->jointree = makeFromExpr(list_make1(from), make_conjunction(conditions));
    ListCell *cell;
    foreach (cell, columns) {
        char name[16];
        snprintf(name, sizeof(name), "c%d", foreach_current_index(cell) + 1);
        add_output(query, (Expr *)place_columns((Node *)lfirst(cell), &builder), name);
    }
    return query;
}

} // namespace shardwise
