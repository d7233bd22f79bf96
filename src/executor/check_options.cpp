#include "executor/check_options.hpp"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace shardwise
{

static ArrayType *read_array(const Route *route, const PGresult *result, int row, int column)
{
    Oid function, io_param;
    char *value = PQgetvalue(result, row, column);
    if (!route->binary_results) {
        getTypeInputInfo(TEXTARRAYOID, &function, &io_param);
        return DatumGetArrayTypeP(OidInputFunctionCall(function, value, io_param, -1));
    }
    StringInfoData buffer = {};
    buffer.data = value;
    buffer.len = buffer.maxlen = PQgetlength(result, row, column);
    getTypeBinaryInputInfo(TEXTARRAYOID, &function, &io_param);
    return DatumGetArrayTypeP(OidReceiveFunctionCall(function, &buffer, io_param, -1));
}

// The row in the words of "Failing row contains (...)", long values cut as PostgreSQL cuts them.
static char *describe_row(ArrayType *array)
{
    constexpr int longest = 64;
    Datum *values;
    bool *nulls;
    int n;
    StringInfoData description;

    deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
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

[[noreturn]] static void raise_violation(const WithCheckOption *check, ArrayType *row)
{
    if (check->kind == WCO_VIEW_CHECK)
        ereport(ERROR, (errcode(ERRCODE_WITH_CHECK_OPTION_VIOLATION),
                        errmsg("new row violates check option for view \"%s\"", check->relname),
                        errdetail("Failing row contains (%s).", describe_row(row))));
    if (check->polname != nullptr)
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("new row violates row-level security policy \"%s\" for table \"%s\"",
                               check->polname, check->relname)));
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("new row violates row-level security policy for table \"%s\"",
                           check->relname)));
    pg_unreachable();
}

void verify_checks(const Route *route, const PGresult *result, int row)
{
    int column = route->ncolumns - list_length(route->checks);
    ListCell *cell;
    foreach (cell, route->checks) {
        if (!PQgetisnull(result, row, column))
            raise_violation((WithCheckOption *)lfirst(cell),
                            read_array(route, result, row, column));
        column++;
    }
}

} // namespace shardwise
