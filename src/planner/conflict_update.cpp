#include "planner/conflict_update.hpp"

#include "planner/arbiter.hpp"

extern "C" {
#include "access/genam.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "parser/parsetree.h"
#include "utils/relcache.h"
}

namespace shardwise
{

namespace
{

// The indexes that a new row may be in conflict with, as DO NOTHING without a target sees them.
List *find_conflict_indexes(Relation relation)
{
    List *found = NIL;
    ListCell *cell;
    foreach (cell, RelationGetIndexList(relation)) {
        Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        Form_pg_index form = index->rd_index;
        if (form->indisready && (form->indisunique || form->indisexclusion))
            found = lappend_oid(found, lfirst_oid(cell));
        index_close(index, NoLock);
    }
    return found;
}

// True if a partition has more indexes than its parent has made there.
bool partitions_have_more(Relation relation, int count)
{
    ListCell *cell;
    if (relation->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
        return false;
    foreach (cell, find_all_inheritors(RelationGetRelid(relation), AccessShareLock, nullptr)) {
        Relation partition = table_open(lfirst_oid(cell), NoLock);
        bool has_more = list_length(find_conflict_indexes(partition)) > count;
        table_close(partition, NoLock);
        if (has_more)
            return true;
    }
    return false;
}

// (columns) WHERE predicate: by which the shard finds its index, whatever it is called there.
void name_index(OnConflictExpr *conflict, Relation relation, Oid index_id, int target)
{
    Relation index = index_open(index_id, AccessShareLock);
    ListCell *cell;
    conflict->arbiterElems = NIL;
    foreach (cell, index_columns(relation, index, target)) {
        InferenceElem *element = makeNode(InferenceElem);
        element->expr = (Node *)lfirst(cell);
        conflict->arbiterElems = lappend(conflict->arbiterElems, element);
    }
    conflict->arbiterWhere = index_predicate(index, target);
    index_close(index, NoLock);
}

bool is_exclusion(Oid constraint)
{
    Relation index = index_open(get_constraint_index(constraint), AccessShareLock);
    bool found = index->rd_index->indisexclusion;
    index_close(index, NoLock);
    return found;
}

bool is_named(const OnConflictExpr *conflict)
{
    return conflict->arbiterElems != NIL || OidIsValid(conflict->constraint);
}

bool all_are_unique(List *indexes)
{
    bool found = true;
    ListCell *cell;
    foreach (cell, indexes) {
        Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        found &= index->rd_index->indisunique && index->rd_index->indisvalid;
        index_close(index, NoLock);
    }
    return found;
}

// Says what the conflict is about, which DO NOTHING need not do. *has_any: there is such a thing.
char *name_target(OnConflictExpr *conflict, Relation relation, int target, bool *has_any)
{
    *has_any = true;
    if (OidIsValid(conflict->constraint) && is_exclusion(conflict->constraint))
        return pstrdup("An exclusion constraint is the target of ON CONFLICT.");
    if (is_named(conflict))
        return nullptr;
    List *indexes = find_conflict_indexes(relation);
    if (!all_are_unique(indexes))
        return pstrdup("ON CONFLICT has no target, and the table an exclusion constraint.");
    if (list_length(indexes) > 1 || partitions_have_more(relation, list_length(indexes)))
        return pstrdup("ON CONFLICT has no target, and the table several unique indexes.");
    *has_any = indexes != NIL;
    if (!*has_any)
        return nullptr;
    name_index(conflict, relation, linitial_oid(indexes), target);
    return nullptr;
}

// A column that SET may name; a key's would make the shard lock the row against references to it.
AttrNumber find_settable_column(Relation relation)
{
    Bitmapset *key = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_KEY);
    TupleDesc columns = RelationGetDescr(relation);
    AttrNumber found = InvalidAttrNumber;
    for (int i = 0; i < columns->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(columns, i);
        if (column->attisdropped || column->attgenerated != '\0' ||
            column->attidentity == ATTRIBUTE_IDENTITY_ALWAYS)
            continue;
        if (!bms_is_member(column->attnum - FirstLowInvalidHeapAttributeNumber, key))
            return column->attnum;
        if (found == InvalidAttrNumber)
            found = column->attnum;
    }
    return found;
}

int add_excluded_entry(Query *query)
{
    RangeTblEntry *target = rt_fetch(query->resultRelation, query->rtable);
    RangeTblEntry *excluded = makeNode(RangeTblEntry);
    excluded->rtekind = RTE_RELATION;
    excluded->relid = target->relid;
    excluded->relkind = RELKIND_COMPOSITE_TYPE; // as the parser marks it: no relation of its own
    excluded->rellockmode = RowExclusiveLock;
    excluded->alias = makeAlias("excluded", NIL);
    excluded->eref = makeAlias("excluded", (List *)copy_node(target->eref->colnames));
    query->rtable = lappend(query->rtable, excluded);
    return list_length(query->rtable);
}

char *rewrite(Query *query, Relation relation)
{
    const TriggerDesc *triggers = relation->trigdesc;
    OnConflictExpr *conflict = query->onConflict;
    bool has_any;
    char *refusal = name_target(conflict, relation, query->resultRelation, &has_any);
    if (refusal != nullptr || !has_any)
        return refusal;
    if (triggers != nullptr &&
        (triggers->trig_update_before_statement || triggers->trig_update_after_statement))
        return pstrdup("A trigger for statements acts on UPDATE.");
    conflict->exclRelIndex = add_excluded_entry(query);
    return update_nothing(query, relation);
}

} // namespace

bool does_nothing(const Query *query)
{
    return query->onConflict != nullptr && query->onConflict->action == ONCONFLICT_NOTHING;
}

bool does_update(const Query *query)
{
    return query->onConflict != nullptr && query->onConflict->action == ONCONFLICT_UPDATE;
}

List *find_indexes_to_try(Query *query)
{
    if (!does_nothing(query) || is_named(query->onConflict))
        return NIL;
    Relation relation =
        table_open(rt_fetch(query->resultRelation, query->rtable)->relid, AccessShareLock);
    List *indexes = find_conflict_indexes(relation);
    if (list_length(indexes) < 2 || !all_are_unique(indexes) ||
        partitions_have_more(relation, list_length(indexes)))
        indexes = NIL;
    table_close(relation, NoLock);
    return indexes;
}

void name_conflict_index(Query *query, Oid index)
{
    Relation relation =
        table_open(rt_fetch(query->resultRelation, query->rtable)->relid, AccessShareLock);
    name_index(query->onConflict, relation, index, query->resultRelation);
    table_close(relation, NoLock);
}

char *update_nothing(Query *query, Relation relation)
{
    OnConflictExpr *conflict = query->onConflict;
    AttrNumber attribute = find_settable_column(relation);
    if (attribute == InvalidAttrNumber)
        return pstrdup("No column of the table can be updated.");

    Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), attribute - 1);
    Var *itself = makeVar(query->resultRelation, attribute, column->atttypid, column->atttypmod,
                          column->attcollation, 0);
    conflict->action = ONCONFLICT_UPDATE;
    conflict->onConflictSet = list_make1(
        makeTargetEntry((Expr *)itself, attribute, pstrdup(NameStr(column->attname)), false));
    conflict->onConflictWhere = (Node *)makeBoolConst(false, false);
    return nullptr;
}

char *make_conflict_update(Query *query)
{
    Relation relation =
        table_open(rt_fetch(query->resultRelation, query->rtable)->relid, AccessShareLock);
    char *refusal = rewrite(query, relation);
    table_close(relation, NoLock);
    if (refusal != nullptr)
        refusal =
            psprintf("%s With ON CONFLICT DO NOTHING, row-level security could not check a row "
                     "that triggers may have changed.",
                     refusal);
    return refusal;
}

} // namespace shardwise
