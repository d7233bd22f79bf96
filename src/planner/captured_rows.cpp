#include "planner/captured_rows.hpp"

#include "pg/query_tree.hpp"
#include "planner/modify_maker.hpp"

extern "C" {
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

// JSON of one row a line: it has no line breaks of its own.
constexpr const char *setting = "shardwise_row.proposed";

Expr *set_setting(Expr *value)
{
    return make_call(F_SET_CONFIG, TEXTOID,
                     list_make3(make_text(setting), value, makeBoolConst(true, false)));
}

// (SELECT set_config(setting, '', true)) = '', which PostgreSQL evaluates once, ahead of the first
// row.
Node *forget_rows()
{
    Query *select = makeNode(Query);
    select->commandType = CMD_SELECT;
    select->querySource = QSRC_ORIGINAL;
    select->jointree = makeFromExpr(NIL, nullptr);
    add_output(select, set_setting(make_text("")), "forgotten");
    SubLink *link = makeNode(SubLink);
    link->subLinkType = EXPR_SUBLINK;
    link->subselect = (Node *)select;
    link->location = -1;
    return (Node *)make_call(F_TEXTEQ, BOOLOID, list_make2(link, make_text("")));
}

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

char *cast_to_column(int number, Form_pg_attribute column)
{
    return psprintf("(noted.line::pg_catalog.json OPERATOR(pg_catalog.->>) %d)::%s", number,
                    format_type_extended(column->atttypid, column->atttypmod,
                                         FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
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

void capture_proposed(Query *insert)
{
    OnConflictExpr *conflict = insert->onConflict;
    Expr *row = make_call(F_ARRAY_TO_JSON_ANYARRAY, JSONOID,
                          list_make1(columns_as_text(target_of(insert), conflict->exclRelIndex)));
    Expr *before = make_call(F_CURRENT_SETTING_TEXT, TEXTOID, list_make1(make_text(setting)));
    Expr *line =
        make_call(F_TEXTCAT, TEXTOID, list_make2(cast_by_text(row, TEXTOID), make_text("\n")));
    NullTest *test = makeNode(NullTest);
    test->arg = set_setting(make_call(F_TEXTCAT, TEXTOID, list_make2(before, line)));
    test->nulltesttype = IS_NULL; // it never is
    test->location = -1;
    conflict->onConflictWhere = (Node *)test;

    Query *source = rt_fetch(find_insert_source(insert), insert->rtable)->subquery;
    source->jointree->quals =
        source->jointree->quals == nullptr
            ? forget_rows()
            : make_conjunction(list_make2(forget_rows(), source->jointree->quals));
    source->hasSubLinks = true;
}

char *select_captured(const Query *insert, const char *sql, int n)
{
    StringInfoData names, proposed;
    initStringInfo(&names);
    initStringInfo(&proposed);
    for (int i = 1; i < n; i++)
        appendStringInfo(&names, "c%d, ", i);
    Relation relation = table_open(target_of(insert), AccessShareLock);
    TupleDesc columns = RelationGetDescr(relation);
    int number = 0;
    for (int i = 0; i < columns->natts; i++)
        if (!TupleDescAttr(columns, i)->attisdropped)
            appendStringInfo(&proposed, "%s, ",
                             cast_to_column(number++, TupleDescAttr(columns, i)));
    table_close(relation, NoLock);
    StringInfoData nothing;
    initStringInfo(&nothing);
    for (int i = number + 1; i < n; i++)
        appendStringInfoString(&nothing, "NULL, ");
    // The count is known when the INSERT has run to its end.
    return psprintf(
        "WITH written(%sinserted) AS (%s) SELECT %sinserted FROM written UNION ALL "
        "SELECT %s%sfalse FROM (SELECT pg_catalog.count(*) FROM written) AS all_rows(n), "
        "LATERAL pg_catalog.string_to_table(CASE WHEN all_rows.n >= 0 THEN "
        "pg_catalog.current_setting('%s') END, E'\\n') AS noted(line) "
        "WHERE noted.line <> ''",
        names.data, sql, names.data, nothing.data, proposed.data, setting);
}

} // namespace shardwise
