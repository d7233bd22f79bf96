#include "planner/kept_target.hpp"

#include "catalog/catalog.hpp"
#include "planner/locked_rows.hpp"
#include "planner/modify_maker.hpp"

extern "C" {
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

bool uses_cursor(Node *node, void *context)
{
    if (node == nullptr)
        return false;
    return IsA(node, CurrentOfExpr) ||
           expression_tree_walker(node, (bool (*)())uses_cursor, context);
}

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

} // namespace

Query *select_target(Query *write, List *conditions, Refusal *refusal)
{
    RangeTblEntry *target = rt_fetch(write->resultRelation, write->rtable);
    Maker maker = {};
    maker.table = find_table(target->relid);
    maker.write.target = write->resultRelation;
    maker.write.query = write;
    if (maker.table->is_reference)
        *refusal = psprintf("Reference table \"%s\" is changed by several parts of the statement.",
                            get_rel_name(target->relid));
    else if (uses_cursor((Node *)write->jointree, nullptr))
        *refusal = psprintf("Table \"%s\" is changed by several parts, one by WHERE CURRENT OF.",
                            get_rel_name(target->relid));
    else if (uses_places((Node *)write, write->resultRelation))
        *refusal = pstrdup("cmin and cmax of the target are not known.");
    if (*refusal != nullptr)
        return nullptr;
    maker.relation = table_open(target->relid, NoLock);
    maker.strength = lock_of_write(&maker);
    if (write->commandType == CMD_MERGE)
        flatten_merge_actions(write);
    show_hidden_columns_of(&maker);
    Query *select = select_target_rows(&maker, target, conditions);
    select->hasRowSecurity = write->hasRowSecurity;
    select->hasSubLinks = write->hasSubLinks; // of policies
    table_close(maker.relation, NoLock);
    return select;
}

// In a field that entries of tables do not use.
void keep_target(Query *write, Query *rows)
{
    rt_fetch(write->resultRelation, write->rtable)->subquery = rows;
}

Query *find_kept_target(const Query *write)
{
    return write->resultRelation > 0 ? rt_fetch(write->resultRelation, write->rtable)->subquery
                                     : nullptr;
}

} // namespace shardwise
