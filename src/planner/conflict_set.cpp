#include "planner/conflict_set.hpp"

#include "pg/triggers.hpp"
#include "planner/arbiter.hpp"

extern "C" {
#include "access/genam.h"
#include "access/sysattr.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "nodes/bitmapset.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
}

namespace shardwise
{

namespace
{

struct ConflictSet {
    const Query *insert;
    Relation relation, arbiter;
};

// True for SET column = column, or = EXCLUDED.column where the rows conflict because these are
// equal.
bool keeps_value(const ConflictSet *set, const TargetEntry *entry)
{
    const Query *insert = set->insert;
    const Var *var = (const Var *)entry->expr;
    if (!IsA(var, Var) || var->varattno != entry->resno)
        return false;
    if (var->varno != insert->onConflict->exclRelIndex)
        return var->varno == insert->resultRelation;
    return list_member(index_columns(set->relation, set->arbiter, insert->onConflict->exclRelIndex),
                       var);
}

// The columns that SET changes, in a table or its partition.
Bitmapset *set_columns(const ConflictSet *set, Relation relation)
{
    Bitmapset *columns = nullptr;
    ListCell *cell;
    foreach (cell, set->insert->onConflict->onConflictSet) {
        const TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (entry->resjunk || keeps_value(set, entry))
            continue;
        char *name = get_attname(RelationGetRelid(set->relation), entry->resno, false);
        columns = bms_add_member(columns, get_attnum(RelationGetRelid(relation), name) -
                                              FirstLowInvalidHeapAttributeNumber);
    }
    return columns;
}

// True if SET may change what an index of the table, or of its partition, has of a row.
bool changes_index(const ConflictSet *set, Relation relation, Relation index)
{
    constexpr int varno = 1;
    TupleDesc columns = RelationGetDescr(relation);
    Bitmapset *used = nullptr;
    pull_varattnos((Node *)index_columns(relation, index, varno), varno, &used);
    pull_varattnos(index_predicate(index, varno), varno, &used);
    for (int i = 0; i < columns->natts; i++)
        if (TupleDescAttr(columns, i)->attgenerated != '\0' &&
            bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, used))
            return true;
    return bms_overlap(used, set_columns(set, relation));
}

bool changes_unique_index(const ConflictSet *set, Relation relation)
{
    bool found = false;
    ListCell *cell;
    foreach (cell, RelationGetIndexList(relation)) {
        Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        found |= (index->rd_index->indisunique || index->rd_index->indisexclusion) &&
                 changes_index(set, relation, index);
        index_close(index, NoLock);
    }
    return found;
}

} // namespace

bool may_leave_partition(const Query *insert, Relation target, Relation arbiter)
{
    ConflictSet set = {insert, target, arbiter};
    bool found = target->rd_rel->relkind == RELKIND_PARTITIONED_TABLE &&
                 has_before_row_trigger(RelationGetRelid(target), TRIGGER_TYPE_UPDATE);
    ListCell *cell;
    foreach (cell, find_all_inheritors(RelationGetRelid(target), AccessShareLock, nullptr)) {
        Relation relation = table_open(lfirst_oid(cell), NoLock);
        bool is_used;
        found |= relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE &&
                 has_partition_attrs(relation, set_columns(&set, relation), &is_used);
        table_close(relation, NoLock);
    }
    return found;
}

bool may_make_room(const Query *insert, Relation target, Relation arbiter)
{
    ConflictSet set = {insert, target, arbiter};
    return changes_index(&set, target, arbiter) ||
           has_before_row_trigger(RelationGetRelid(target), TRIGGER_TYPE_UPDATE);
}

bool order_matters(const Query *insert, Relation target, Relation arbiter)
{
    ConflictSet set = {insert, target, arbiter};
    bool found = has_before_row_trigger(RelationGetRelid(target), TRIGGER_TYPE_UPDATE);
    ListCell *cell;
    foreach (cell, find_all_inheritors(RelationGetRelid(target), AccessShareLock, nullptr)) {
        Relation relation = table_open(lfirst_oid(cell), NoLock);
        found |= changes_unique_index(&set, relation);
        table_close(relation, NoLock);
    }
    return found;
}

} // namespace shardwise
