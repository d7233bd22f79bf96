#include "planner/conflict_update.hpp"

extern "C" {
#include "utils/relcache.h"
}

namespace shardwise
{

namespace
{

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

} // namespace

bool does_nothing(const Query *query)
{
    return query->onConflict != nullptr && query->onConflict->action == ONCONFLICT_NOTHING;
}

bool does_update(const Query *query)
{
    return query->onConflict != nullptr && query->onConflict->action == ONCONFLICT_UPDATE;
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

} // namespace shardwise
