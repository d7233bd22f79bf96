#include "executor/check_options.hpp"

#include "pg/violation_detail.hpp"
#include "planner/row_checks.hpp"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace shardwise
{

// The row in a message: the outermost braces around an array's text.
static ArrayType *read_row_text(const char *message)
{
    const char *start = strchr(message, '{');
    const char *end = strrchr(message, '}');
    Oid function, io_param;
    if (start == nullptr || end == nullptr)
        return nullptr;
    getTypeInputInfo(TEXTARRAYOID, &function, &io_param);
    char *text = pnstrdup(start, end - start + 1);
    return DatumGetArrayTypeP(OidInputFunctionCall(function, text, io_param, -1));
}

// The row in the words of "Failing row contains (...)", long values cut as PostgreSQL cuts them.
static char *describe_row(const Datum *values, const bool *nulls, int n)
{
    constexpr int longest = 64;
    StringInfoData description;

    initStringInfo(&description);
    for (int i = 0; i < n; i++) {
        char *value = nulls[i] ? pstrdup("null") : TextDatumGetCString(values[i]);
        int length = strlen(value);
        int shown = length <= longest ? length : pg_mbcliplen(value, length, longest);
        appendStringInfo(&description, "%s%.*s%s", i > 0 ? ", " : "", shown, value,
                         shown < length ? "..." : "");
    }
    return description.data;
}

[[noreturn]] static void raise_view_violation(const WithCheckOption *check, const Datum *values,
                                              const bool *nulls, int n)
{
    Oid table = DatumGetObjectId(castNode(Const, check->qual)->constvalue);
    bool is_shown = n > 0 && may_see_rows(table);
    ereport(
        ERROR,
        (errcode(ERRCODE_WITH_CHECK_OPTION_VIOLATION),
         errmsg("new row violates check option for view \"%s\"", check->relname),
         is_shown ? errdetail("Failing row contains (%s).", describe_row(values, nulls, n)) : 0));
    pg_unreachable();
}

[[noreturn]] static void raise_view_violation(const WithCheckOption *check, ArrayType *row)
{
    Datum *values = nullptr;
    bool *nulls = nullptr;
    int n = 0;
    if (row != nullptr)
        deconstruct_array(row, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
    raise_view_violation(check, values, nulls, n);
}

[[noreturn]] static void raise_policy_violation(const WithCheckOption *check)
{
    if (check->kind == view_conflict_check)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("conflicting row is not visible through view \"%s\"", check->relname)));
    bool is_old =
        check->kind == WCO_RLS_MERGE_UPDATE_CHECK || check->kind == WCO_RLS_MERGE_DELETE_CHECK;
    const char *row = is_old ? "target" : "new";
    const char *expression =
        is_old || check->kind == WCO_RLS_CONFLICT_CHECK ? " (USING expression)" : "";
    if (check->polname != nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                 errmsg("%s row violates row-level security policy \"%s\"%s for table \"%s\"", row,
                        check->polname, expression, check->relname)));
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("%s row violates row-level security policy%s for table \"%s\"", row,
                           expression, check->relname)));
    pg_unreachable();
}

void raise_second_change(const char *command)
{
    bool is_merge = strcmp(command, "MERGE") == 0;
    ereport(ERROR,
            (errcode(ERRCODE_CARDINALITY_VIOLATION),
             errmsg("%s command cannot affect row a second time", command),
             is_merge ? errhint("Ensure that not more than one source row matches any one target "
                                "row.")
                      : errhint("Ensure that no rows proposed for insertion within the same "
                                "command have duplicate constrained values.")));
    pg_unreachable();
}

void raise_other_partition()
{
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("invalid ON UPDATE specification"),
             errdetail("The result tuple would appear in a different partition than the "
                       "original tuple.")));
    pg_unreachable();
}

void refuse_second_key(const char *command)
{
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("%s cannot change the shard key of rows that the same command proposes again",
                    command),
             errhint("Ensure that no rows proposed for insertion within the same command have "
                     "duplicate constrained values.")));
    pg_unreachable();
}

void raise_violation(const WithCheckOption *check, const TupleTableSlot *row, const List *columns)
{
    if (check->kind == second_change_check)
        raise_second_change("ON CONFLICT DO UPDATE");
    if (check->kind != WCO_VIEW_CHECK)
        raise_policy_violation(check);
    int n = list_length(columns);
    Datum *values = (Datum *)palloc0(sizeof(Datum) * (n + 1));
    bool *nulls = (bool *)palloc0(sizeof(bool) * (n + 1));
    ListCell *cell;
    foreach (cell, columns) {
        int i = foreach_current_index(cell);
        int column = lfirst_int(cell);
        Oid function;
        bool is_varlena;
        nulls[i] = row->tts_isnull[column];
        getTypeOutputInfo(TupleDescAttr(row->tts_tupleDescriptor, column)->atttypid, &function,
                          &is_varlena);
        if (!nulls[i])
            values[i] =
                CStringGetTextDatum(OidOutputFunctionCall(function, row->tts_values[column]));
    }
    raise_view_violation(check, values, nulls, n);
}

void raise_row_check(const void *argument, int sqlstate, const char *message)
{
    const Route *route = (const Route *)argument;
    const char *marker = strstr(message, row_check_marker);
    if (sqlstate != ERRCODE_INVALID_TEXT_REPRESENTATION || marker == nullptr)
        return;
    marker += strlen(row_check_marker);
    int number = atoi(marker);
    if (!isdigit((unsigned char)*marker) || number >= list_length(route->checks))
        return;
    const WithCheckOption *check = (const WithCheckOption *)list_nth(route->checks, number);
    if (check->kind == WCO_VIEW_CHECK)
        raise_view_violation(check, read_row_text(marker));
    if (check->kind == second_change_check)
        raise_second_change("ON CONFLICT DO UPDATE");
    raise_policy_violation(check);
}

} // namespace shardwise
