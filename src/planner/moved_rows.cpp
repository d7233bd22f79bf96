// UPDATE of the key: rows that belong to another shard after it. Such a row is deleted and
// inserted, in silence: the shards' triggers on DELETE and INSERT do not fire for it (those of
// foreign keys do). The router fires the triggers on UPDATE for all rows of the statement, as it
// sees the rows of all keys that they may read and write. Only where a row goes to another
// partition, too, the shards' triggers for rows fire, as PostgreSQL's do.
#include "pg/names.hpp"
#include "pg/query_form.hpp"
#include "pg/triggers.hpp"
#include "planner/modify_maker.hpp"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"
}

namespace shardwise
{

namespace
{

// ---- triggers ----------------------------------------------------------------------------------

constexpr int16 insert_or_delete = TRIGGER_TYPE_INSERT | TRIGGER_TYPE_DELETE;

// PostgreSQL's own trigger of a foreign key of a distributed table, which refers to this one.
bool is_referred_to_by(const Trigger *trigger)
{
    const Table *table = RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_PK
                             ? find_table(trigger->tgconstrrelid)
                             : nullptr;
    return table != nullptr && !table->is_reference;
}

// True for one that may be deferred on UPDATE, but never on DELETE.
bool restricts_delete_alone(const Trigger *trigger)
{
    if (trigger->tgfoid != F_RI_FKEY_RESTRICT_DEL)
        return false;
    HeapTuple tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(trigger->tgconstraint));
    if (!HeapTupleIsValid(tuple))
        return false;
    const FormData_pg_constraint *form = (Form_pg_constraint)GETSTRUCT(tuple);
    bool found = form->condeferrable && form->confupdtype == FKCONSTR_ACTION_NOACTION;
    ReleaseSysCache(tuple);
    return found;
}

void survey_reference(Relation relation, const Trigger *trigger, MovePlan *move)
{
    move->refers_to_itself |=
        topmost_table(trigger->tgconstrrelid) == topmost_table(RelationGetRelid(relation));
    move->is_referred_to |= acts_for_foreign_key(trigger) || restricts_delete_alone(trigger);
}

void survey_table(Relation relation, MovePlan *move)
{
    const TriggerDesc *triggers = relation->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++) {
        const Trigger *trigger = &triggers->triggers[i];
        if (is_referred_to_by(trigger))
            survey_reference(relation, trigger, move);
    }
    move->fires |=
        find_user_trigger(relation, 0, TRIGGER_TYPE_UPDATE | insert_or_delete, 0) != nullptr;
    move->fires_elsewhere |=
        find_user_trigger(relation, TRIGGER_TYPE_ROW, insert_or_delete, 0) != nullptr;
    move->may_stay |= find_user_trigger(relation, TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE,
                                        insert_or_delete, 0) != nullptr;
}

void survey_triggers(const Maker *maker, MovePlan *move)
{
    move->nattributes = RelationGetDescr(maker->relation)->natts;
    move->shows_earlier =
        before_row_trigger_sees_earlier(RelationGetRelid(maker->relation), TRIGGER_TYPE_UPDATE);
    ListCell *cell;
    foreach (cell,
             find_all_inheritors(RelationGetRelid(maker->relation), AccessShareLock, nullptr)) {
        Relation relation = table_open(lfirst_oid(cell), NoLock);
        survey_table(relation, move);
        table_close(relation, NoLock);
    }
}

// ---- columns of the source ---------------------------------------------------------------------

List *live_attributes(Relation relation)
{
    List *attributes = NIL;
    TupleDesc columns = RelationGetDescr(relation);
    for (int i = 0; i < columns->natts; i++)
        if (!TupleDescAttr(columns, i)->attisdropped &&
            TupleDescAttr(columns, i)->attgenerated == '\0')
            attributes = lappend_int(attributes, i + 1);
    return attributes;
}

int old_column(Maker *maker, AttrNumber attribute)
{
    return find_source_column(&maker->write.source,
                              seen_by_source(maker, (Expr *)target_var(maker, attribute)));
}

// The row as a new one with all its columns.
List *assign_all(Maker *maker, List *assignments)
{
    List *all = NIL;
    ListCell *cell;
    foreach (cell, live_attributes(maker->relation)) {
        AttrNumber attribute = lfirst_int(cell);
        int column = -1;
        ListCell *set;
        foreach (set, assignments)
            if (((Assignment *)lfirst(set))->attribute == attribute)
                column = ((Assignment *)lfirst(set))->column;
        if (column < 0)
            column = old_column(maker, attribute);
        all = lappend(all, assign(attribute, column));
    }
    return all;
}

int *make_columns(int n)
{
    int *columns = (int *)palloc(sizeof(int) * n);
    for (int i = 0; i < n; i++)
        columns[i] = -1;
    return columns;
}

// Adds columns for the row as triggers leave it, and returns them as assignments.
List *add_fired_columns(Maker *maker, ModifyAction *action, List *all)
{
    TupleDesc columns = RelationGetDescr(maker->relation);
    List *fired = NIL;
    ListCell *cell;
    action->old_columns = make_columns(columns->natts);
    action->new_columns = make_columns(columns->natts);
    action->fired_columns = make_columns(columns->natts);
    for (int i = 0; i < columns->natts; i++)
        if (!TupleDescAttr(columns, i)->attisdropped)
            action->old_columns[i] = old_column(maker, i + 1);
    foreach (cell, all) {
        const Assignment *set = (const Assignment *)lfirst(cell);
        Var *var = target_var(maker, set->attribute);
        int32 typmod = var->vartypmod; // a domain may not take NULL
        Oid type = getBaseTypeAndTypmod(var->vartype, &typmod);
        int column = add_column(maker, (Expr *)makeNullConst(type, typmod, var->varcollid));
        action->new_columns[set->attribute - 1] = set->column;
        action->fired_columns[set->attribute - 1] = column;
        fired = lappend(fired, assign(set->attribute, column));
    }
    return fired;
}

void plan_firing(Maker *maker)
{
    MovePlan *move = &maker->plan->move;
    const RangeTblEntry *target = rt_fetch(maker->write.target, maker->write.query->rtable);
    move->updated = updated_columns(target);
    if (maker->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE && move->table_column < 0)
        move->table_column = add_column(maker, seen_by_source(maker, (Expr *)partition_var(maker)));
}

} // namespace

void make_move(Maker *maker, ModifyAction *action, List *assignments)
{
    ModifyPlan *plan = maker->plan;
    MovePlan *move = &plan->move;
    List *all = assign_all(maker, assignments);
    set_key(maker, action, all);
    plan->nplace = 1 + list_length(maker->write.identity);
    if (move->nattributes == 0)
        survey_triggers(maker, move);
    move->may_vanish |= maker->kept != nullptr;
    // So the router knows what BEFORE triggers leave, by which a row must not leave its partition.
    move->fires |= maker->conflict != nullptr && maker->conflict->may_leave_partition;
    if (move->fires || move->is_referred_to) {
        plan_firing(maker);
        all = add_fired_columns(maker, action, all);
        ModifyAction fired = {};
        set_key(maker, &fired, all);
        action->fired_key = fired.key;
        action->change = add_statement(maker, build_batch_update(&maker->write, all, true));
    }
    action->remove = add_statement(maker, build_batch_delete(&maker->write, false));
    action->place = add_statement(maker, build_batch_insert(&maker->write, all, true));
    if (maker->write.refusal != nullptr)
        return;
    BatchStatement *remove = (BatchStatement *)list_nth(maker->statements, action->remove);
    BatchStatement *place = (BatchStatement *)list_nth(maker->statements, action->place);
    if (move->is_referred_to || move->refers_to_itself)
        remove->max_rows = PG_INT32_MAX;
    if (move->refers_to_itself) {
        place->max_rows = PG_INT32_MAX;
        ((BatchStatement *)list_nth(maker->statements, action->statement))->max_rows = PG_INT32_MAX;
        if (action->change >= 0)
            ((BatchStatement *)list_nth(maker->statements, action->change))->max_rows =
                PG_INT32_MAX;
    }
    if (maker->write.is_one_row)
        place->max_rows = 1;
}

} // namespace shardwise
