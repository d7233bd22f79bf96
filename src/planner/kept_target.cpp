#include "planner/kept_target.hpp"

#include "catalog/catalog.hpp"
#include "pg/query_tree.hpp"
#include "planner/locked_rows.hpp"
#include "planner/modify_maker.hpp"

extern "C" {
#include "access/sysattr.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
}

namespace shardwise
{

namespace
{

LockClauseStrength lock_of_write(Maker *maker)
{
    const Query *write = maker->write.query;
    if (write->commandType == CMD_MERGE)
        return lock_of_merge(maker);
    if (write->commandType == CMD_DELETE)
        return LCS_FORUPDATE;
    List *assignments = NIL;
    ListCell *cell;
    foreach (cell, write->targetList)
        if (!((TargetEntry *)lfirst(cell))->resjunk)
            assignments = lappend(assignments, assign(((TargetEntry *)lfirst(cell))->resno, 0));
    return lock_of_update(maker, assignments);
}

// The target's rows of this moment, told by their places.
Query *select_places_now(const Maker *maker, bool is_partitioned)
{
    RangeTblEntry *target = copy_node(rt_fetch(maker->write.target, maker->write.query->rtable));
    target->subquery = nullptr;
    target->securityQuals = NIL;
    target->inFromCl = true;
    target->alias = nullptr;
    mark_target(target, maker->strength);
    Query *select = make_select_from(target, nullptr);
    add_output(select,
               (Expr *)makeVar(1, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, 0),
               "place");
    if (is_partitioned)
        add_output(select, (Expr *)makeVar(1, remote_table_attribute, CIDOID, -1, InvalidOid, 0),
                   "table");
    return select;
}

Var *output_var(int varno, const Query *query, int number)
{
    return makeVarFromTargetEntry(varno, (TargetEntry *)list_nth(query->targetList, number - 1));
}

// True if something other than the columns of a table is needed.
bool needs_more(Node *node, void *context)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Var))
        return ((Var *)node)->varno != *(int *)context || ((Var *)node)->varlevelsup > 0 ||
               ((Var *)node)->varattno <= 0;
    return IsA(node, SubLink) || IsA(node, CurrentOfExpr) ||
           expression_tree_walker(node, (bool (*)())needs_more, context);
}

} // namespace

List *conditions_on(const Query *query, int varno)
{
    bool is_joined = false;
    List *clauses = NIL;
    ListCell *cell;
    foreach (cell, query->jointree->fromlist)
        is_joined |=
            IsA(lfirst(cell), RangeTblRef) && ((RangeTblRef *)lfirst(cell))->rtindex == varno;
    if (!is_joined || rt_fetch(varno, query->rtable)->securityQuals != NIL)
        return NIL;
    foreach (cell, make_ands_implicit((Expr *)query->jointree->quals))
        if (!needs_more((Node *)lfirst(cell), &varno) &&
            !contain_volatile_functions((Node *)lfirst(cell)))
            clauses = lappend(clauses, copy_node((Node *)lfirst(cell)));
    ChangeVarNodes((Node *)clauses, varno, 1, 0);
    return clauses;
}

Query *select_target(Query *write, Refusal *refusal)
{
    List *conditions = conditions_on(write, write->resultRelation);
    RangeTblEntry *target = rt_fetch(write->resultRelation, write->rtable);
    Maker maker = {};
    maker.table = find_table(target->relid);
    maker.write.target = write->resultRelation;
    maker.write.query = write;
    if (uses_places((Node *)write, write->resultRelation)) {
        *refusal = pstrdup("cmin and cmax of the target are not known.");
        return nullptr;
    }
    take_cursor(write);
    maker.relation = table_open(target->relid, NoLock);
    maker.strength = lock_of_write(&maker);
    if (write->commandType == CMD_MERGE)
        flatten_merge_actions(write);
    show_hidden_columns_of(&maker);
    Query *select = select_target_rows(&maker, target, conditions);
    select->hasRowSecurity = write->hasRowSecurity;
    select->hasSubLinks = write->hasSubLinks; // of policies
    target->functions = NIL;                  // the SELECT has the cursor's row
    if (maker.table->is_reference && maker.strength != LCS_NONE &&
        find_row_key(maker.relation) == nullptr)
        select = number_rows_of(select, maker.relation, place_var(&maker, place_tuple)->varattno);
    table_close(maker.relation, NoLock);
    return select;
}

bool leads_to_copies(const Query *rows)
{
    return rows->hasWindowFuncs;
}

CopyColumns copy_columns_of(Relation relation, const Query *rows)
{
    int natts = RelationGetDescr(relation)->natts;
    int last = list_length(rows->targetList) - 1;
    bool is_partitioned = relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
    CopyColumns columns = {};
    columns.shard = natts + place_shard - 1;
    columns.place = natts + place_tuple - 1;
    columns.table = is_partitioned ? natts + place_table - 1 : -1;
    columns.text = last - 3;
    columns.number = last - 2;
    columns.places = last - 1;
    columns.tables = last;
    return columns;
}

void find_kept_copies(PlannedStmt *plan, Oid relid, const Query *rows)
{
    Relation relation = table_open(relid, NoLock);
    put_copies_above(plan, relid, copy_columns_of(relation, rows));
    table_close(relation, NoLock);
}

// In a field that entries of tables do not use.
void keep_target(Query *write, Query *rows)
{
    rt_fetch(write->resultRelation, write->rtable)->subquery = rows;
}

Query *read_kept_target(const Maker *maker)
{
    Query *rows = copy_node(maker->kept);
    if (!maker->table->is_reference || maker->strength == LCS_NONE || maker->is_numbered)
        return rows;
    bool is_partitioned = maker->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
    int nplaces = is_partitioned ? 2 : 1;
    Query *now = select_places_now(maker, is_partitioned);
    int first = place_var(maker, place_tuple)->varattno;
    Query *select = make_select_from(make_subquery_entry(rows, "kept"), nullptr);
    select->rtable = lappend(select->rtable, make_subquery_entry(now, "now"));
    List *quals = NIL;
    for (int i = 0; i < nplaces; i++)
        quals = lappend(quals, make_equality((Expr *)output_var(1, rows, first + i),
                                             (Expr *)output_var(2, now, i + 1)));
    Node *join =
        make_join(select, JOIN_LEFT, make_reference(1), make_reference(2), make_conjunction(quals));
    select->jointree = makeFromExpr(list_make1(join), nullptr);
    ListCell *cell;
    foreach (cell, rows->targetList)
        add_output(select, (Expr *)output_var(1, rows, foreach_current_index(cell) + 1),
                   ((TargetEntry *)lfirst(cell))->resname);
    add_output(select, (Expr *)output_var(2, now, 1), "now");
    return select;
}

void note_kept_copies(Maker *maker)
{
    if (maker->kept == nullptr || !maker->table->is_reference || maker->is_numbered)
        return;
    Var *now = place_var(maker, place_tuple);
    now->varattno = now->varattnosyn = list_length(maker->kept->targetList) + 1;
    maker->plan->now_column = add_column(maker, seen_by_source(maker, (Expr *)now));
}

Query *find_kept_target(const Query *write)
{
    return write->resultRelation > 0 ? rt_fetch(write->resultRelation, write->rtable)->subquery
                                     : nullptr;
}

} // namespace shardwise
