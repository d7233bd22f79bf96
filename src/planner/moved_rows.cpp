// UPDATE of the key: rows that belong to another shard after it.
#include "pg/triggers.hpp"
#include "planner/modify_maker.hpp"

extern "C" {
#include "access/sysattr.h"
#include "access/transam.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "utils/relcache.h"
}

namespace shardwise
{

namespace
{

// ---- why rows stay -----------------------------------------------------------------------------

const Trigger *find_trigger(Relation relation, bool (*is_meant)(const Trigger *))
{
    const TriggerDesc *triggers = relation->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++)
        if (is_meant(&triggers->triggers[i]))
            return &triggers->triggers[i];
    return nullptr;
}

bool acts_on_update(const Trigger *trigger)
{
    return !trigger->tgisinternal && TRIGGER_FOR_UPDATE(trigger->tgtype);
}

bool acts_on_insert_or_delete(const Trigger *trigger)
{
    return !trigger->tgisinternal &&
           (TRIGGER_FOR_INSERT(trigger->tgtype) || TRIGGER_FOR_DELETE(trigger->tgtype));
}

// What it writes would be on the shard that the row leaves, or it looks at the row when it is gone.
bool acts_elsewhere(const Trigger *trigger)
{
    return acts_on_update(trigger) &&
           (trigger->tgdeferrable || func_volatile(trigger->tgfoid) == PROVOLATILE_VOLATILE) &&
           trigger->tgfoid >= FirstNormalObjectId;
}

bool checks_references(const Trigger *trigger)
{
    return RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_PK;
}

bool refers_inside_keyspace(Relation relation)
{
    ListCell *cell;
    foreach (cell, RelationGetFKeyList(relation)) {
        const Table *referenced = find_table(((ForeignKeyCacheInfo *)lfirst(cell))->confrelid);
        if (referenced == nullptr || !referenced->is_reference)
            return true;
    }
    return false;
}

// Why a row cannot be updated on the shard that it leaves, for the sake of the triggers.
const char *find_reason_not_to_fire(const Maker *maker)
{
    Relation relation = maker->relation;
    const char *name = find_trigger(relation, acts_on_update)->tgname;
    if (maker->plan->command != CMD_UPDATE)
        return psprintf("Trigger \"%s\" acts on UPDATE.", name);
    if (relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
        return psprintf("Trigger \"%s\" acts on UPDATE of a partitioned table.", name);
    if (const Trigger *other = find_trigger(relation, acts_on_insert_or_delete))
        return psprintf("Trigger \"%s\" acts on UPDATE, and trigger \"%s\" on INSERT or DELETE.",
                        name, other->tgname);
    if (const Trigger *writer = find_trigger(relation, acts_elsewhere))
        return writer->tgdeferrable
                   ? psprintf("Trigger \"%s\" acts on UPDATE, and is deferrable.", writer->tgname)
                   : psprintf(
                         "Trigger \"%s\" acts on UPDATE, and its function is VOLATILE: it might "
                         "write rows, which belong to another shard. One that writes none can "
                         "be STABLE.",
                         writer->tgname);
    if (refers_inside_keyspace(relation) || find_trigger(relation, checks_references) != nullptr)
        return psprintf("Trigger \"%s\" acts on UPDATE, and the table has foreign keys.", name);
    return nullptr;
}

// What would act on a deleted and an inserted row, though it was updated.
const char *find_reason_to_stay(const Maker *maker)
{
    if (find_trigger(maker->relation, acts_for_foreign_key) != nullptr)
        return "A foreign key that refers to the table acts on DELETE or UPDATE.";
    if (find_trigger(maker->relation, acts_on_update) != nullptr)
        return find_reason_not_to_fire(maker);
    return nullptr;
}

// ---- statements --------------------------------------------------------------------------------

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

// The UPDATE on the row's own shard, and columns of the source for the row that it returns. Returns
// them as assignments; the ctid is behind them.
List *make_fired_update(Maker *maker, List *assignments)
{
    ModifyPlan *plan = maker->plan;
    BatchWrite *write = &maker->write;
    List *attributes =
        lappend_int(live_attributes(maker->relation), SelfItemPointerAttributeNumber);
    Query *sent = build_batch_update(write, assignments, false);
    List *fired = NIL;
    ListCell *cell;
    plan->first_fired = list_length(write->source.columns);
    plan->nfired = list_length(attributes);
    foreach (cell, attributes) {
        Var *var = target_var(maker, lfirst_int(cell));
        int32 typmod = var->vartypmod; // a domain may not take NULL
        Oid type = getBaseTypeAndTypmod(var->vartype, &typmod);
        Node *empty = (Node *)makeNullConst(type, typmod, var->varcollid);
        fired = lappend(fired, assign(var->varattno, add_column(maker, (Expr *)empty)));
        var->varno = var->varnosyn = sent->resultRelation;
        int number = list_length(fired);
        sent->returningList =
            lappend(sent->returningList,
                    makeTargetEntry((Expr *)var, number, psprintf("c%d", number), false));
    }
    BatchStatement *statement = (BatchStatement *)palloc0(sizeof(BatchStatement));
    Projection projection;
    if (compile_batch(write, sent, statement, &maker->values, &projection)) {
        statement->max_rows = 1;
        plan->fire = list_length(maker->statements);
        maker->statements = lappend(maker->statements, statement);
    }
    return fired;
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
            column = find_source_column(
                &maker->write.source, seen_by_source(maker, (Expr *)target_var(maker, attribute)));
        all = lappend(all, assign(attribute, column));
    }
    return all;
}

} // namespace

void make_move(Maker *maker, ModifyAction *action, List *assignments)
{
    ModifyPlan *plan = maker->plan;
    List *identity = maker->write.identity;
    List *all = assign_all(maker, assignments);
    set_key(maker, action, all);
    plan->nplace = 1 + list_length(identity);
    plan->stays = find_reason_to_stay(maker);
    bool fires = plan->stays == nullptr && find_trigger(maker->relation, acts_on_update) != nullptr;
    if (fires) {
        ModifyAction moved = {};
        all = make_fired_update(maker, assignments);
        maker->write.identity = list_make1(llast(all));
        all = list_truncate(all, list_length(all) - 1);
        set_key(maker, &moved, all);
        plan->fired_key = moved.key;
    }
    action->remove = add_statement(maker, build_batch_delete(&maker->write, false));
    action->place = add_statement(maker, build_batch_insert(&maker->write, all, true));
    // RETURNING may want columns of the source, which an INSERT shows for one row only.
    if (maker->write.refusal == nullptr && (fires || maker->write.query->returningList != NIL))
        ((BatchStatement *)llast(maker->statements))->max_rows = 1;
    maker->write.identity = identity;
}

} // namespace shardwise
