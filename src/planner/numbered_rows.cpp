#include "planner/numbered_rows.hpp"

#include "pg/query_tree.hpp"

extern "C" {
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

// Of floating-point numbers, what extra_float_digits cannot take away.
Expr *make_column_text(Form_pg_attribute column, int varno)
{
    Expr *var = (Expr *)makeVar(varno, column->attnum, column->atttypid, column->atttypmod,
                                column->attcollation, 0);
    Oid function = column->atttypid == FLOAT4OID   ? F_FLOAT4SEND
                   : column->atttypid == FLOAT8OID ? F_FLOAT8SEND
                                                   : InvalidOid;
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

void add_row_number(Query *select, Expr *text)
{
    add_output(select, text, "row");
    ((TargetEntry *)llast(select->targetList))->ressortgroupref = 1;
    TypeCacheEntry *type = lookup_type_cache(TEXTOID, TYPECACHE_EQ_OPR | TYPECACHE_LT_OPR);
    SortGroupClause *key = makeNode(SortGroupClause);
    key->tleSortGroupRef = 1;
    key->eqop = type->eq_opr;
    key->sortop = type->lt_opr;
    key->hashable = true;
    WindowClause *window = makeNode(WindowClause);
    window->partitionClause = list_make1(key);
    window->frameOptions = FRAMEOPTION_DEFAULTS;
    window->winref = 1;
    WindowFunc *number = makeNode(WindowFunc);
    number->winfnoid = F_ROW_NUMBER;
    number->wintype = INT8OID;
    number->winref = 1;
    number->location = -1;
    select->windowClause = list_make1(window);
    select->hasWindowFuncs = true;
    add_output(select, (Expr *)number, "number");
}

} // namespace

RangeTblEntry *make_numbered_entry(const RangeTblEntry *table)
{
    RangeTblEntry *inner = copy_node(table);
    inner->alias = nullptr;
    inner->securityQuals = NIL;
    inner->inFromCl = true;
    Query *select = make_select_from(inner, nullptr);
    AttrNumber ctid = SelfItemPointerAttributeNumber;
    add_output(select, (Expr *)makeVar(1, ctid, TIDOID, -1, InvalidOid, 0), "place");
    Relation relation = table_open(table->relid, NoLock);
    add_row_number(select, make_row_text(relation, 1));
    table_close(relation, NoLock);
    return make_subquery_entry(select, "numbered");
}

Query *number_rows_of(Query *rows, Oid relid)
{
    Relation relation = table_open(relid, NoLock);
    add_output(rows, make_row_text(relation, 1), "text");
    table_close(relation, NoLock);
    Query *select = make_select_from(make_subquery_entry(rows, "rows"), nullptr);
    ListCell *cell;
    foreach (cell, rows->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        Expr *var = (Expr *)makeVarFromTargetEntry(1, entry);
        if (entry == llast(rows->targetList))
            add_row_number(select, var);
        else
            add_output(select, var, entry->resname);
    }
    return select;
}

} // namespace shardwise
