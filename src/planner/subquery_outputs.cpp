#include "planner/subquery_outputs.hpp"

#include "pg/query_tree.hpp"
#include "routing/colocation.hpp"

extern "C" {
#include "nodes/bitmapset.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
}

namespace shardwise
{

namespace
{

// ---- who reads what ----------------------------------------------------------------------------

struct Use {
    Query *query; // whose range table it is
    int varno;
    int depth; // of the query at hand below it
    Bitmapset *columns;
    bool whole_row;
    bool row_of_join; // some join is used as a row
};

bool use_walker(Node *node, void *context);

// An alias of a join stands for what it is made of.
void note_var(Use *use, const Var *var)
{
    if ((int)var->varlevelsup != use->depth)
        return;
    if (var->varno == use->varno) {
        use->whole_row |= var->varattno <= 0;
        if (var->varattno > 0)
            use->columns = bms_add_member(use->columns, var->varattno);
        return;
    }
    const RangeTblEntry *rte = rt_fetch(var->varno, use->query->rtable);
    if (rte->rtekind != RTE_JOIN)
        return;
    int depth = use->depth;
    use->row_of_join |= var->varattno <= 0;
    use->depth = 0;
    if (var->varattno > 0)
        use_walker((Node *)list_nth(rte->joinaliasvars, var->varattno - 1), use);
    else
        use_walker((Node *)rte->joinaliasvars, use);
    use->depth = depth;
}

bool use_walker(Node *node, void *context)
{
    Use *use = (Use *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Var)) {
        note_var(use, (Var *)node);
        return false;
    }
    if (IsA(node, Query)) {
        use->depth++;
        query_tree_walker((Query *)node, (bool (*)())use_walker, context, QTW_IGNORE_JOINALIASES);
        use->depth--;
        return false;
    }
    return expression_tree_walker(node, (bool (*)())use_walker, context);
}

Use find_use(Query *query, int varno)
{
    Use use = {query, varno, 0, nullptr, false, false};
    query_tree_walker(query, (bool (*)())use_walker, &use, QTW_IGNORE_JOINALIASES);
    return use;
}

// An aggregate without GROUP BY makes one row of all, also if nobody reads it.
bool makes_one_row(const Query *subquery, Node *expr)
{
    return subquery->groupClause == NIL && contain_aggs_of_level(expr, 0);
}

bool output_may_go(const Query *subquery, const TargetEntry *entry)
{
    Node *expr = (Node *)entry->expr;
    return !entry->resjunk && !makes_one_row(subquery, expr) && entry->ressortgroupref == 0 &&
           !IsA(expr, Var) && !IsA(expr, Const) &&
           !(subquery->hasTargetSRFs && expression_returns_set(expr)) &&
           !contain_volatile_functions(expr);
}

void drop_outputs(Query *query, int varno, Query *subquery)
{
    if (subquery->commandType != CMD_SELECT || subquery->setOperations != nullptr ||
        subquery->distinctClause != NIL)
        return;
    Use use = find_use(query, varno);
    if (use.whole_row)
        return;
    ListCell *cell;
    foreach (cell, subquery->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (bms_is_member(entry->resno, use.columns) || !output_may_go(subquery, entry))
            continue;
        Node *expr = (Node *)entry->expr;
        entry->expr = (Expr *)makeNullConst(exprType(expr), exprTypmod(expr), exprCollation(expr));
    }
}

bool drop_walker(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        drop_unused_outputs((Query *)node);
        return false;
    }
    return expression_tree_walker(node, (bool (*)())drop_walker, nullptr);
}

// ---- keys --------------------------------------------------------------------------------------

// The entry of the target list that is the key's column number `i`, or a new one; nullptr if there
// can be none.
TargetEntry *key_output(const Colocation *colocation, Query *subquery, int i)
{
    TargetEntry *found = nullptr;
    ListCell *cell;
    foreach (cell, subquery->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if ((found == nullptr || found->resjunk) &&
            shows_key(colocation, subquery, (Node *)entry->expr, i))
            found = entry;
    }
    if (found != nullptr || subquery->groupClause != NIL)
        return found;
    const Term *term = &colocation->key[i];
    const RangeTblEntry *rte = rt_fetch(term->varno, subquery->rtable);
    Oid type, collation;
    int32 typmod;
    if (rte->rtekind != RTE_RELATION)
        return nullptr;
    get_atttypetypmodcoll(rte->relid, term->attno, &type, &typmod, &collation);
    return makeTargetEntry((Expr *)makeVar(term->varno, term->attno, type, typmod, collation, 0), 0,
                           nullptr, true);
}

// Is each row of the subquery's output made of rows of one key?
bool rows_have_key(const Colocation *colocation, Query *subquery)
{
    if (subquery->groupingSets != NIL ||
        ((subquery->hasAggs || subquery->havingQual != nullptr) && subquery->groupClause == NIL))
        return false;
    return subquery->groupClause == NIL ||
           contains_key(colocation, subquery, subquery->groupClause);
}

// Makes entries visible columns, behind the others and before what stays junk.
void show_outputs(RangeTblEntry *rte, List *outputs)
{
    Query *subquery = rte->subquery;
    List *visible = NIL, *junk = NIL;
    ListCell *cell;
    foreach (cell, subquery->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (!entry->resjunk)
            visible = lappend(visible, entry);
        else if (!list_member_ptr(outputs, entry))
            junk = lappend(junk, entry);
    }
    foreach (cell, outputs) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        visible = lappend(visible, entry);
        entry->resjunk = false;
        entry->resname = psprintf("shard key %d", list_length(visible));
        rte->eref->colnames = lappend(rte->eref->colnames, makeString(pstrdup(entry->resname)));
    }
    subquery->targetList = list_concat(visible, junk);
    foreach (cell, subquery->targetList)
        ((TargetEntry *)lfirst(cell))->resno = foreach_current_index(cell) + 1;
}

bool expose_key(Query *query, int varno, RangeTblEntry *rte)
{
    Query *subquery = rte->subquery;
    if (subquery->commandType != CMD_SELECT || subquery->setOperations != nullptr ||
        subquery->distinctClause != NIL || subquery->limitCount != nullptr ||
        subquery->limitOffset != nullptr || subquery->hasTargetSRFs)
        return false;
    bool added = expose_keys(subquery);
    Colocation colocation = find_colocation(subquery);
    if (!colocation.found || !rows_have_key(&colocation, subquery))
        return added;
    Use use = find_use(query, varno);
    if (use.whole_row || use.row_of_join)
        return added;

    List *outputs = NIL;
    for (int i = 0; i < colocation.keyspace->nkeys; i++) {
        TargetEntry *entry = key_output(&colocation, subquery, i);
        if (entry == nullptr)
            return added;
        if (entry->resjunk)
            outputs = list_append_unique_ptr(outputs, entry);
    }
    show_outputs(rte, outputs);
    return added || outputs != NIL;
}

} // namespace

bool reads_whole_row(Query *query, int varno)
{
    return find_use(query, varno).whole_row;
}

void drop_unused_outputs(Query *query)
{
    int varno = 0;
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        varno++;
        // The columns of an INSERT's source, and of the parts of a UNION, are all read.
        if (rte->rtekind == RTE_SUBQUERY && query->commandType == CMD_SELECT &&
            query->setOperations == nullptr)
            drop_outputs(query, varno, rte->subquery);
    }
    query_tree_walker(query, (bool (*)())drop_walker, nullptr, 0);
}

bool expose_keys(Query *query)
{
    bool added = false, widened = false;
    int varno = 0;
    ListCell *cell;
    if (query->commandType != CMD_SELECT || query->setOperations != nullptr)
        return false;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        varno++;
        if (rte->rtekind != RTE_SUBQUERY)
            continue;
        int before = list_length(rte->eref->colnames);
        added |= expose_key(query, varno, rte);
        widened |= list_length(rte->eref->colnames) > before;
    }
    if (widened)
        rebuild_joins(query);
    return added;
}

} // namespace shardwise
