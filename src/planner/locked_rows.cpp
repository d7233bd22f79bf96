#include "planner/locked_rows.hpp"

#include "catalog/catalog.hpp"

extern "C" {
#include "catalog/pg_collation.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

// A mark lives in a field that entries of tables do not use, and that is copied with them.
constexpr char lock_mark = 'l';
constexpr char target_mark = 't';

void mark(RangeTblEntry *rte, char kind, LockClauseStrength strength, LockWaitPolicy policy)
{
    rte->enrname = psprintf("%c%c%c", kind, '0' + (int)strength, '0' + (int)policy);
}

bool is_marked(const RangeTblEntry *rte)
{
    return rte->rtekind == RTE_RELATION && rte->enrname != nullptr;
}

bool is_marked_target(const RangeTblEntry *rte)
{
    return is_marked(rte) && rte->enrname[0] == target_mark;
}

bool mark_clauses_walker(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        mark_locking_clauses((Query *)node);
        return false;
    }
    return expression_tree_walker(node, (bool (*)())mark_clauses_walker, nullptr);
}

// ---- in the shard's statement ------------------------------------------------------------------

// The enclosing queries, innermost first.
struct Levels {
    List *queries;
};

Node *cast_as(Node *arg, Oid type)
{
    CoerceViaIO *cast = makeNode(CoerceViaIO);
    cast->arg = (Expr *)arg;
    cast->resulttype = type;
    cast->resultcollid = type == TEXTOID ? DEFAULT_COLLATION_OID : InvalidOid;
    cast->coerceformat = COERCE_EXPLICIT_CAST;
    cast->location = -1;
    return (Node *)cast;
}

Node *replace_places(Node *node, void *context)
{
    Levels *levels = (Levels *)context;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query)) {
        Levels inner = {prepend(node, levels->queries)};
        return (Node *)query_tree_mutator((Query *)node, (Node * (*)()) replace_places, &inner, 0);
    }
    if (!IsA(node, Var) || (((Var *)node)->varattno != shard_attribute &&
                            ((Var *)node)->varattno != remote_table_attribute))
        return expression_tree_mutator(node, (Node * (*)()) replace_places, context);

    Var *var = (Var *)node;
    Query *level = (Query *)list_nth(levels->queries, (int)var->varlevelsup);
    if (!is_marked_target(rt_fetch(var->varno, level->rtable)))
        return (Node *)copy_node(node);
    if (var->varattno == remote_table_attribute) {
        Var *table = copy_node(var);
        table->varattno = table->varattnosyn = TableOidAttributeNumber;
        table->vartype = OIDOID;
        return cast_as(cast_as((Node *)table, TEXTOID), CIDOID);
    }
    Param *param = makeNode(Param);
    param->paramkind = PARAM_EXTERN;
    param->paramid = shard_param_id;
    param->paramtype = CIDOID;
    param->paramtypmod = -1;
    param->location = -1;
    return (Node *)param;
}

bool add_clauses_walker(Node *node, void *context)
{
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())add_clauses_walker, context);
    Query *query = (Query *)node;
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (!is_marked(rte))
            continue;
        RowMarkClause *clause = makeNode(RowMarkClause);
        clause->rti = foreach_current_index(cell) + 1;
        clause->strength = (LockClauseStrength)(rte->enrname[1] - '0');
        clause->waitPolicy = (LockWaitPolicy)(rte->enrname[2] - '0');
        query->rowMarks = lappend(query->rowMarks, clause);
        query->hasForUpdate = true;
        rte->enrname = nullptr;
        *(bool *)context = true;
    }
    return query_tree_walker(query, (bool (*)())add_clauses_walker, context, 0);
}

} // namespace

void mark_target(RangeTblEntry *target, LockClauseStrength strength)
{
    mark(target, target_mark, strength, LockWaitBlock);
}

void mark_locking_clauses(Query *query)
{
    List *kept = NIL;
    ListCell *cell;
    foreach (cell, query->rowMarks) {
        RowMarkClause *clause = (RowMarkClause *)lfirst(cell);
        RangeTblEntry *rte = rt_fetch(clause->rti, query->rtable);
        // Rows of a subquery are locked by a clause of its own.
        if (rte->rtekind == RTE_RELATION && find_table(rte->relid) != nullptr)
            mark(rte, lock_mark, clause->strength, clause->waitPolicy);
        else if (rte->rtekind == RTE_RELATION)
            kept = lappend(kept, clause);
    }
    query->rowMarks = kept;
    query->hasForUpdate = kept != NIL;
    query_tree_walker(query, (bool (*)())mark_clauses_walker, nullptr, 0);
}

bool lock_marked_rows(Query *sent)
{
    bool found = false;
    Levels levels = {NIL};
    *sent = *(Query *)replace_places((Node *)sent, &levels);
    add_clauses_walker((Node *)sent, &found);
    return found;
}

} // namespace shardwise
