#include "planner/proposed_rows.hpp"

#include "pg/query_tree.hpp"
#include "pg/versions.hpp"
#include "planner/modify_maker.hpp"

extern "C" {
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
}

namespace shardwise
{

namespace
{

Oid target_of(const Query *insert)
{
    return rt_fetch(insert->resultRelation, insert->rtable)->relid;
}

int count_columns(const Query *insert)
{
    Relation relation = table_open(target_of(insert), AccessShareLock);
    TupleDesc columns = RelationGetDescr(relation);
    int n = 0;
    for (int i = 0; i < columns->natts; i++)
        n += !TupleDescAttr(columns, i)->attisdropped;
    table_close(relation, NoLock);
    return n;
}

} // namespace

void return_proposed(Query *insert)
{
    List *traces = NIL;
    Relation relation = table_open(target_of(insert), AccessShareLock);
    TupleDesc columns = RelationGetDescr(relation);
    for (int i = 0; i < columns->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(columns, i);
        if (!column->attisdropped)
            traces =
                lappend(traces, makeVar(insert->resultRelation, column->attnum, column->atttypid,
                                        column->atttypmod, column->attcollation, 0));
    }
    table_close(relation, NoLock);
    ListCell *cell;
    traces = lappend(traces, makeBoolConst(true, false));
    foreach (cell, traces) {
        int number = list_length(insert->returningList) + 1;
        insert->returningList =
            lappend(insert->returningList,
                    makeTargetEntry((Expr *)lfirst(cell), number, psprintf("r%d", number), false));
    }
}

List *proposed_columns(const Query *insert, int varno)
{
    List *columns = NIL;
    int last = list_length(insert->returningList) - 1;
    // From the end: what the user wants may be columns, too.
    for (int i = last - count_columns(insert); i < last; i++) {
        const TargetEntry *entry = (TargetEntry *)list_nth(insert->returningList, i);
        Var *var = copy_node((Var *)entry->expr);
        AttrNumber attribute = var->varattno;
        var->varno = (int)(var->varnosyn = varno);
        var->varattno = var->varattnosyn = entry->resno;
        columns = lappend(columns, makeTargetEntry((Expr *)var, attribute, nullptr, false));
    }
    return columns;
}

Expr *was_inserted(const Query *insert)
{
    int last = list_length(insert->returningList);
    return (Expr *)makeVar(1, last, BOOLOID, -1, InvalidOid, 0);
}

bool asks_shards_of_proposed(const Query *insert)
{
    ListCell *cell;
    foreach (cell, insert->withCheckOptions) {
        const WithCheckOption *check = (WithCheckOption *)lfirst(cell);
        if (check->kind == WCO_RLS_INSERT_CHECK && reads_shards(check))
            return true;
    }
    return false;
}

Refusal take_proposed_checks(Query *insert, LateChecks *late)
{
    List *others = NIL;
    ListCell *cell;
    if (!asks_shards_of_proposed(insert))
        return nullptr;
    List *columns = proposed_columns(insert, 1);
    foreach (cell, insert->withCheckOptions) {
        WithCheckOption *check = (WithCheckOption *)lfirst(cell);
        bool has_links = false;
        if (check->kind != WCO_RLS_INSERT_CHECK || check->qual == nullptr) {
            others = lappend(others, check);
            continue;
        }
        if (uses_system_columns(check, insert->resultRelation))
            return pstrdup("A policy asks for system columns of a row that triggers may change.");
        check->qual =
            ReplaceVarsFromTargetList(check->qual, insert->resultRelation, 0,
                                      rt_fetch(insert->resultRelation, insert->rtable), columns,
                                      REPLACEVARS_SUBSTITUTE_NULL, 0, &has_links);
        late->checks = lappend(late->checks, check);
    }
    insert->withCheckOptions = others;
    late->relid = target_of(insert);
    return nullptr;
}

} // namespace shardwise
