// INSERT of rows that a plan on the router yields.
#include "pg/query_tree.hpp"
#include "pg/triggers.hpp"
#include "planner/conflict_update.hpp"
#include "planner/modify_maker.hpp"
#include "planner/row_checks.hpp"

extern "C" {
#include "catalog/pg_inherits.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
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

// A statement of ON CONFLICT DO NOTHING whose target is one index.
void add_try(Maker *maker, ModifyAction *action, List *assignments, Oid index)
{
    if (maker->write.refusal != nullptr)
        return;
    name_conflict_index(maker->write.query, index);
    int number = add_statement(maker, build_batch_insert(&maker->write, assignments, false));
    if (number < 0)
        return;
    BatchStatement *statement = (BatchStatement *)llast(maker->statements);
    ListCell *cell;
    foreach (cell, find_all_inheritors(index, AccessShareLock, nullptr))
        statement->indexes =
            lappend(statement->indexes, makeString(get_rel_name(lfirst_oid(cell))));
    action->statement = number - action->ntries++;
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
    ModifyAction *action = make_action(CMD_INSERT);
    set_key(maker, action, assignments);
    maker->plan->is_stream = may_stream(maker);
    bool is_update = does_update(maker->write.query);
    maker->write.is_marked = is_update && may_update_in_batches(maker);
    bool tries = maker->write.captures || must_be_one_row(maker->write.query);
    List *tried = tries ? find_indexes_to_try(maker->write.query) : NIL;
    foreach (cell, tried)
        add_try(maker, action, assignments, lfirst_oid(cell));
    if (tried == NIL)
        action->statement =
            add_statement(maker, build_batch_insert(&maker->write, assignments, false));
    if (maker->write.refusal == nullptr && is_update && !maker->write.is_marked)
        // That no row is changed twice is the shard's to say, of the rows of one statement.
        ((BatchStatement *)linitial(maker->statements))->max_rows = PG_INT32_MAX;
    make_router_checks(maker, assignments);
    return list_make1(action);
}

} // namespace shardwise
