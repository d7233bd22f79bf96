// INSERT of rows that a plan on the router yields.
#include "pg/query_form.hpp"
#include "pg/query_tree.hpp"
#include "pg/triggers.hpp"
#include "planner/conflict_update.hpp"
#include "planner/modify_maker.hpp"
#include "planner/row_checks.hpp"

extern "C" {
#include "catalog/pg_trigger.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"
}

namespace shardwise
{

namespace
{

bool may_stream(const Maker *maker)
{
    const Query *query = maker->write.query;
    bool is_select = false;
    ListCell *cell;
    foreach (cell, query->rtable)
        is_select |= ((RangeTblEntry *)lfirst(cell))->rtekind == RTE_SUBQUERY;
    return is_select && query->returningList == NIL && query->onConflict == nullptr &&
           query->withCheckOptions == NIL && maker->checks == NIL;
}

// True for rows of a SELECT, of which there may be many, whose ON CONFLICT DO UPDATE does the same
// in several statements as in one.
bool may_update_in_batches(const Maker *maker)
{
    const Query *query = maker->write.query;
    const TriggerDesc *triggers = maker->relation->trigdesc;
    int source = find_insert_source(query);
    // Rows of partitions do not show who wrote them; copies would show it each in its own way.
    if (source == 0 || maker->table->is_reference ||
        rt_fetch(source, query->rtable)->rtekind != RTE_SUBQUERY ||
        maker->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
        return false;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++)
        if (!triggers->triggers[i].tgisinternal || acts_for_foreign_key(&triggers->triggers[i]))
            return false;
    return !checkExprHasSubLink((Node *)query->onConflict) &&
           !checkExprHasSubLink((Node *)query->withCheckOptions);
}

// The router fires the triggers, which may fill in columns that the statement leaves out.
void propose_rows(Maker *maker, List **assignments)
{
    ProposePlan *propose = &maker->plan->propose;
    TupleDesc columns = RelationGetDescr(maker->relation);
    Oid relid = RelationGetRelid(maker->relation);
    const RangeTblEntry *target = rt_fetch(maker->write.target, maker->write.query->rtable);
    propose->fires = true;
    propose->shows_earlier = before_row_trigger_sees_earlier(relid, TRIGGER_TYPE_INSERT);
    propose->returns_all = maker->returns_proposed;
    propose->inserted = permissions_of(target)->insertedCols;
    propose->nattributes = columns->natts;
    propose->columns = (int *)palloc(sizeof(int) * columns->natts);
    for (int i = 0; i < columns->natts; i++)
        propose->columns[i] = -1;
    ListCell *cell;
    foreach (cell, *assignments) {
        const Assignment *set = (const Assignment *)lfirst(cell);
        propose->columns[set->attribute - 1] = set->column;
    }
    for (int i = 0; i < columns->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(columns, i);
        if (propose->columns[i] >= 0 || column->attisdropped || column->attgenerated != '\0')
            continue;
        int32 typmod = column->atttypmod; // a domain may not take NULL
        Oid type = getBaseTypeAndTypmod(column->atttypid, &typmod);
        Const *nothing = makeNullConst(type, typmod, column->attcollation);
        propose->columns[i] = add_column(maker, (Expr *)nothing);
        *assignments = lappend(*assignments, assign(i + 1, propose->columns[i]));
    }
    maker->write.is_fired = true;
}

} // namespace

List *make_insert(Maker *maker)
{
    List *assignments = NIL;
    ListCell *cell;
    foreach (cell, maker->write.query->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (entry->resjunk)
            continue;
        maker->plan->attributes = lappend_int(maker->plan->attributes, entry->resno);
        assignments = lappend(assignments, assign(entry->resno, add_column(maker, entry->expr)));
    }
    if (maker->returns_proposed || must_fire_first(maker->write.query))
        propose_rows(maker, &assignments);
    ModifyAction *action = make_action(CMD_INSERT);
    set_key(maker, action, assignments);
    maker->plan->is_stream = may_stream(maker);
    bool is_update = does_update(maker->write.query);
    maker->write.is_marked = is_update && may_update_in_batches(maker);
    action->statement = add_statement(maker, build_batch_insert(&maker->write, assignments, false));
    if (maker->write.refusal == nullptr && is_update && !maker->write.is_marked)
        // That no row is changed twice is the shard's to say, of the rows of one statement.
        ((BatchStatement *)linitial(maker->statements))->max_rows = PG_INT32_MAX;
    make_router_checks(maker, assignments);
    return list_make1(action);
}

} // namespace shardwise
