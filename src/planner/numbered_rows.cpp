#include "planner/numbered_rows.hpp"

#include "pg/names.hpp"
#include "pg/query_tree.hpp"
#include "planner/router_plan.hpp"

extern "C" {
#include "access/genam.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/typcache.h"
}

namespace shardwise
{

namespace
{

// The function whose result tells a column's values apart where extra_float_digits, which the
// user sets, may take digits away from their text; InvalidOid where the text does.
Oid exact_function(Oid type)
{
    type = getBaseType(type);
    if (Oid element = get_element_type(type); OidIsValid(element))
        return OidIsValid(exact_function(element)) ? (Oid)F_ARRAY_SEND : InvalidOid;
    switch (type) {
    case FLOAT4OID:
    case FLOAT8OID:
    case POINTOID:
    case LSEGOID:
    case PATHOID:
    case BOXOID:
    case POLYGONOID:
    case LINEOID:
    case CIRCLEOID: {
        Oid send;
        bool is_varlena;
        getTypeBinaryOutputInfo(type, &send, &is_varlena);
        return send;
    }
    default:
        return InvalidOid;
    }
}

Expr *make_column_text(Form_pg_attribute column, int varno)
{
    Expr *var = (Expr *)makeVar(varno, column->attnum, column->atttypid, column->atttypmod,
                                column->attcollation, 0);
    Oid function = exact_function(column->atttypid);
    return function == InvalidOid
               ? var
               : (Expr *)makeFuncExpr(function, BYTEAOID, list_make1(var), InvalidOid, InvalidOid,
                                      COERCE_EXPLICIT_CALL);
}

// A row's columns as text, exactly.
Expr *make_row_text(Relation relation, int varno)
{
    TupleDesc columns = RelationGetDescr(relation);
    RowExpr *row = makeNode(RowExpr);
    row->row_typeid = RECORDOID;
    row->row_format = COERCE_EXPLICIT_CALL;
    row->location = -1;
    for (int i = 0; i < columns->natts; i++) {
        if (TupleDescAttr(columns, i)->attisdropped)
            continue;
        row->args = lappend(row->args, make_column_text(TupleDescAttr(columns, i), varno));
        row->colnames = lappend(row->colnames, makeString(psprintf("f%d", i + 1)));
    }
    return cast_by_text((Expr *)row, TEXTOID);
}

// The same for a shard.
char *row_text_sql(Relation relation)
{
    TupleDesc columns = RelationGetDescr(relation);
    StringInfoData sql;
    const char *separator = "ROW(";
    initStringInfo(&sql);
    for (int i = 0; i < columns->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(columns, i);
        if (column->attisdropped)
            continue;
        const char *name = quote_identifier(NameStr(column->attname));
        Oid function = exact_function(column->atttypid);
        if (OidIsValid(function))
            appendStringInfo(&sql, "%spg_catalog.%s(t.%s)", separator, get_func_name(function),
                             name);
        else
            appendStringInfo(&sql, "%st.%s", separator, name);
        separator = ", ";
    }
    appendStringInfoString(&sql, sql.len == 0 ? "ROW()" : ")");
    appendStringInfoString(&sql, "::pg_catalog.text");
    return sql.data;
}

SortGroupClause *sort_by(TargetEntry *entry, Index number)
{
    TypeCacheEntry *type =
        lookup_type_cache(exprType((Node *)entry->expr), TYPECACHE_EQ_OPR | TYPECACHE_LT_OPR);
    SortGroupClause *key = makeNode(SortGroupClause);
    entry->ressortgroupref = key->tleSortGroupRef = number;
    key->eqop = type->eq_opr;
    key->sortop = type->lt_opr;
    key->hashable = true;
    return key;
}

// In the order of their places, which stays the same until the first of them is written.
WindowFunc *number_equal_rows(Query *select, TargetEntry *text, TargetEntry *place)
{
    WindowClause *window = makeNode(WindowClause);
    window->partitionClause = list_make1(sort_by(text, 1));
    window->orderClause = list_make1(sort_by(place, 2));
    window->frameOptions = FRAMEOPTION_DEFAULTS;
    window->winref = 1;
    WindowFunc *number = makeNode(WindowFunc);
    number->winfnoid = F_ROW_NUMBER;
    number->wintype = INT8OID;
    number->winref = 1;
    number->location = -1;
    select->windowClause = list_make1(window);
    select->hasWindowFuncs = true;
    return number;
}

// The columns of a unique index, if each of them is always known and all rows are in it.
Bitmapset *find_columns_of_key(Relation relation, Relation index)
{
    const FormData_pg_index *form = index->rd_index;
    if (!form->indisunique || !form->indimmediate || !form->indisvalid ||
        RelationGetIndexPredicate(index) != NIL)
        return nullptr;
    Bitmapset *columns = nullptr;
    for (int i = 0; i < form->indnkeyatts; i++) {
        AttrNumber attribute = form->indkey.values[i];
        if (attribute <= 0 || !TupleDescAttr(RelationGetDescr(relation), attribute - 1)->attnotnull)
            return nullptr;
        columns = bms_add_member(columns, attribute - FirstLowInvalidHeapAttributeNumber);
    }
    return columns;
}

} // namespace

Bitmapset *find_row_key(Relation relation)
{
    Bitmapset *found = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY);
    ListCell *cell;
    foreach (cell, RelationGetIndexList(relation)) {
        if (found != nullptr)
            break;
        Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        found = find_columns_of_key(relation, index);
        index_close(index, NoLock);
    }
    return found;
}

Query *number_rows_of(Query *rows, Relation relation, int place)
{
    add_output(rows, make_row_text(relation, 1), "text");
    Query *select = make_select_from(make_subquery_entry(rows, "rows"), nullptr);
    ListCell *cell;
    foreach (cell, rows->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        add_output(select, (Expr *)makeVarFromTargetEntry(1, entry), entry->resname);
    }
    WindowFunc *number = number_equal_rows(select, (TargetEntry *)llast(select->targetList),
                                           (TargetEntry *)list_nth(select->targetList, place - 1));
    add_output(select, (Expr *)number, "number");
    add_output(select, (Expr *)makeNullConst(TIDARRAYOID, -1, InvalidOid), "places");
    add_output(select, (Expr *)makeNullConst(OIDARRAYOID, -1, InvalidOid), "tables");
    return select;
}

void put_copies_above(PlannedStmt *plan, Oid relid, const CopyColumns &columns)
{
    Relation relation = table_open(relid, NoLock);
    char *text = row_text_sql(relation);
    table_close(relation, NoLock);
    char *sql = psprintf(
        "SELECT s.position, t.place, t.\"table\" FROM ROWS FROM (pg_catalog.unnest($1), "
        "pg_catalog.unnest($2)) WITH ORDINALITY AS s(text, number, position) JOIN (SELECT t.ctid "
        "AS place, t.tableoid AS \"table\", %s AS text, pg_catalog.row_number() OVER (PARTITION BY "
        "%s ORDER BY t.ctid) AS number FROM %s AS t WHERE %s OPERATOR(pg_catalog.=) ANY ($1)) AS t "
        "ON t.text OPERATOR(pg_catalog.=) s.text AND t.number OPERATOR(pg_catalog.=) s.number",
        text, text, qualified_table_name(relid), text);
    List *numbers = list_make4_int(columns.shard, columns.place, columns.table, columns.text);
    numbers = lappend_int(numbers, columns.number);
    numbers = lappend_int(numbers, columns.places);
    numbers = lappend_int(numbers, columns.tables);
    CustomScan *scan = put_node_on_top(plan, copies_name);
    scan->custom_private = list_make3(makeInteger((int)relid), makeString(sql), numbers);
}

CopyColumns read_copy_columns(const List *numbers)
{
    return {list_nth_int(numbers, 0), list_nth_int(numbers, 1), list_nth_int(numbers, 2),
            list_nth_int(numbers, 3), list_nth_int(numbers, 4), list_nth_int(numbers, 5),
            list_nth_int(numbers, 6)};
}

} // namespace shardwise
