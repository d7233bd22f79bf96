#include "planner/write_tiers.hpp"

#include "catalog/catalog.hpp"
#include "pg/query_tree.hpp"
#include "planner/packed_place.hpp"
#include "planner/scatter.hpp"
#include "routing/colocation.hpp"

extern "C" {
#include "access/sysattr.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

RangeTblEntry *find_source(Query *insert)
{
    ListCell *cell;
    foreach (cell, insert->rtable)
        if (((RangeTblEntry *)lfirst(cell))->rtekind == RTE_SUBQUERY)
            return (RangeTblEntry *)lfirst(cell);
    return nullptr;
}

bool reads_other_rows(Node *node, void *context)
{
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())reads_other_rows, context);
    Query *query = (Query *)node;
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        const Table *table = rte->rtekind == RTE_RELATION ? find_table(rte->relid) : nullptr;
        if ((table != nullptr && !table->is_reference) || rte->rtekind == RTE_NAMEDTUPLESTORE)
            return true;
    }
    return query_tree_walker(query, (bool (*)())reads_other_rows, context, 0);
}

// INSERT ... SELECT where each shard's rows belong to that shard again: the target's key is the
// source's key.
bool insert_is_colocated(Query *insert)
{
    const Table *table = find_table(rt_fetch(insert->resultRelation, insert->rtable)->relid);
    RangeTblEntry *source = find_source(insert);
    Colocation colocation;
    if (table == nullptr || table->is_reference || source == nullptr || insert->cteList != NIL ||
        reads_other_rows((Node *)insert->returningList, nullptr) ||
        reads_other_rows((Node *)insert->onConflict, nullptr) ||
        reads_other_rows((Node *)insert->withCheckOptions, nullptr) ||
        !shards_answer_alone(source->subquery, &colocation) ||
        colocation.keyspace->id != table->keyspace->id)
        return false;
    for (int i = 0; i < table->nkeys; i++) {
        bool copied = false;
        ListCell *cell;
        foreach (cell, insert->targetList) {
            TargetEntry *entry = (TargetEntry *)lfirst(cell);
            Var *var = (Var *)entry->expr;
            if (entry->resjunk || entry->resno != table->key_columns[i] || !IsA(var, Var))
                continue;
            TargetEntry *column =
                (TargetEntry *)list_nth(source->subquery->targetList, var->varattno - 1);
            copied = shows_key(&colocation, source->subquery, (Node *)column->expr, i);
        }
        if (!copied)
            return false;
    }
    return true;
}

// Something in the query (not its target) whose outcome depends on the order of rows, or on where
// and when each copy of a row was written.
bool depends_on_order(Node *node, void *context)
{
    if (node == nullptr)
        return false;
    if (is_place_column(node))
        return true;
    if (IsA(node, Query)) {
        Query *query = (Query *)node;
        if (query->limitCount != nullptr || query->limitOffset != nullptr || query->hasAggs ||
            query->hasWindowFuncs || query->hasDistinctOn || query->hasModifyingCTE)
            return true;
        return query_tree_walker(query, (bool (*)())depends_on_order, context, 0);
    }
    return expression_tree_walker(node, (bool (*)())depends_on_order, context);
}

// The statement has none of the CTEs that the user's has. `depth` counts the queries entered.
bool reads_outer_cte(Node *node, void *context)
{
    int *depth = (int *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, RangeTblEntry))
        return ((RangeTblEntry *)node)->rtekind == RTE_CTE &&
               (int)((RangeTblEntry *)node)->ctelevelsup >= *depth;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())reads_outer_cte, context);
    (*depth)++;
    bool found = query_tree_walker((Query *)node, (bool (*)())reads_outer_cte, context,
                                   QTW_EXAMINE_RTES_BEFORE);
    (*depth)--;
    return found;
}

} // namespace

static bool is_ctid_of(Node *node, void *varno)
{
    if (node == nullptr || IsA(node, Query) || is_packed_place(node))
        return false;
    if (IsA(node, Var))
        return ((Var *)node)->varno == *(int *)varno && ((Var *)node)->varlevelsup == 0 &&
               ((Var *)node)->varattno == SelfItemPointerAttributeNumber;
    return expression_tree_walker(node, (bool (*)())is_ctid_of, varno);
}

// A condition that compares ctid with a value, whichever row has it; with another row's ctid it may
// well be meant for rows of one shard.
static bool has_ctid_of_any_shard(Query *write)
{
    ListCell *cell;
    foreach (cell, make_ands_implicit((Expr *)write->jointree->quals)) {
        Node *clause = (Node *)lfirst(cell);
        Relids varnos = pull_varnos(nullptr, clause);
        if ((IsA(clause, OpExpr) || IsA(clause, ScalarArrayOpExpr)) &&
            bms_num_members(varnos) == 1 && is_ctid_of(clause, &write->resultRelation))
            return true;
    }
    return false;
}

bool finds_by_ctid(Query *write)
{
    const RangeTblEntry *target = rt_fetch(write->resultRelation, write->rtable);
    const Table *table = target->rtekind == RTE_RELATION ? find_table(target->relid) : nullptr;
    if (table == nullptr || table->is_reference ||
        !is_ctid_of((Node *)write->jointree, &write->resultRelation))
        return false;
    KeyAnalysis analysis = analyze_keys(copy_node(write));
    return analysis.unpinned != nullptr || !has_one_key(&analysis);
}

bool write_is_colocated(Query *sent, const KeyAnalysis *analysis)
{
    if (sent->hasModifyingCTE || analysis->changes_key != nullptr || analysis->changes_reference ||
        has_volatile_subquery(sent))
        return false;
    if (sent->commandType == CMD_INSERT)
        return insert_is_colocated(sent);
    return (sent->commandType == CMD_UPDATE || sent->commandType == CMD_DELETE) &&
           !has_ctid_of_any_shard(sent) && find_colocation(sent).found;
}

bool copies_stay_alike(Query *sent, const KeyAnalysis *analysis)
{
    if (analysis->keyspace != nullptr || sent->commandType == CMD_SELECT ||
        contain_volatile_functions((Node *)sent) || depends_on_order((Node *)sent, nullptr))
        return false;
    // Of equal rows of a SELECT the first wins a conflict; of several rows of FROM, one makes the
    // UPDATE. Which is anybody's guess.
    if (sent->commandType == CMD_INSERT)
        return find_source(sent) == nullptr;
    return sent->commandType == CMD_DELETE || list_length(sent->jointree->fromlist) <= 1;
}

bool reads_elsewhere(Query *sent)
{
    int depth = 0;
    if (query_tree_walker(sent, (bool (*)())reads_outer_cte, &depth, QTW_EXAMINE_RTES_BEFORE))
        return true;
    return query_tree_walker(sent, (bool (*)())reads_other_rows, nullptr, 0);
}

} // namespace shardwise
