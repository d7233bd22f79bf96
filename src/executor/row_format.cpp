#include "pg/pg.hpp"

#include "executor/row_format.hpp"
#include "pg/types.hpp"

extern "C" {
#include "libpq/pqformat.h"
#include "utils/datetime.h"
#include "utils/float.h"
}

namespace shardwise
{

struct RowFormat {
    bool binary;
    int ncolumns;
    int *attributes; // indexes
    FmgrInfo *functions;
};

List *copied_columns(Relation rel)
{
    List *columns = NIL;
    TupleDesc desc = RelationGetDescr(rel);
    for (int i = 0; i < desc->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(desc, i);
        if (!attribute->attisdropped && !attribute->attgenerated)
            columns = lappend_int(columns, attribute->attnum);
    }
    return columns;
}

char *column_names(Oid relid, const List *columns)
{
    StringInfoData names;
    initStringInfo(&names);
    ListCell *cell;
    foreach (cell, columns)
        appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
                         quote_identifier(get_attname(relid, lfirst_int(cell), false)));
    return names.data;
}

static Oid column_type(Relation rel, AttrNumber column)
{
    return TupleDescAttr(RelationGetDescr(rel), column - 1)->atttypid;
}

bool columns_are_portable_in_binary(Relation rel, const List *columns)
{
    ListCell *cell;
    foreach (cell, columns)
        if (!is_portable_in_binary(column_type(rel, lfirst_int(cell))))
            return false;
    return true;
}

RowFormat *prepare_row_format(Relation rel, const List *columns, bool binary)
{
    RowFormat *format = static_cast<RowFormat *>(palloc0(sizeof(RowFormat)));
    format->binary = binary;
    format->ncolumns = list_length(columns);
    format->attributes = static_cast<int *>(palloc0((format->ncolumns + 1) * sizeof(int)));
    format->functions = static_cast<FmgrInfo *>(palloc0((format->ncolumns + 1) * sizeof(FmgrInfo)));
    ListCell *cell;
    foreach (cell, columns) {
        int i = foreach_current_index(cell);
        Oid type = column_type(rel, lfirst_int(cell));
        Oid function;
        bool is_varlena;
        if (binary)
            getTypeBinaryOutputInfo(type, &function, &is_varlena);
        else
            getTypeOutputInfo(type, &function, &is_varlena);
        format->attributes[i] = lfirst_int(cell) - 1;
        fmgr_info(function, &format->functions[i]);
    }
    return format;
}

static void append_escaped(StringInfo buffer, const char *text)
{
    for (const char *c = text; *c; c++) {
        const char *escape = nullptr;
        switch (*c) {
        case '\\':
            escape = "\\\\";
            break;
        case '\t':
            escape = "\\t";
            break;
        case '\n':
            escape = "\\n";
            break;
        case '\r':
            escape = "\\r";
            break;
        case '\b':
            escape = "\\b";
            break;
        case '\f':
            escape = "\\f";
            break;
        case '\v':
            escape = "\\v";
            break;
        }
        if (escape != nullptr)
            appendBinaryStringInfoNT(buffer, escape, 2);
        else
            appendStringInfoCharMacro(buffer, *c);
    }
}

int use_exact_text()
{
    if (DateStyle == USE_ISO_DATES && IntervalStyle == INTSTYLE_POSTGRES && extra_float_digits > 0)
        return 0;
    int level = NewGUCNestLevel();
    const char *const settings[][2] = {
        {"datestyle", "ISO"}, {"intervalstyle", "postgres"}, {"extra_float_digits", "3"}};
    for (const auto &setting : settings)
        (void)set_config_option(setting[0], setting[1], PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                                true, 0, false);
    return level;
}

static void encode_text(RowFormat *format, const Datum *values, const bool *nulls,
                        bool by_attribute, StringInfo row)
{
    int level = use_exact_text();
    for (int i = 0; i < format->ncolumns; i++) {
        int at = by_attribute ? format->attributes[i] : i;
        if (i > 0)
            appendStringInfoCharMacro(row, '\t');
        if (nulls[at])
            appendBinaryStringInfoNT(row, "\\N", 2);
        else
            append_escaped(row, OutputFunctionCall(&format->functions[i], values[at]));
    }
    appendStringInfoCharMacro(row, '\n');
    if (level != 0)
        AtEOXact_GUC(true, level);
}

static void encode_binary(RowFormat *format, const Datum *values, const bool *nulls,
                          bool by_attribute, StringInfo row)
{
    pq_sendint16(row, format->ncolumns);
    for (int i = 0; i < format->ncolumns; i++) {
        int at = by_attribute ? format->attributes[i] : i;
        if (nulls[at]) {
            pq_sendint32(row, -1);
            continue;
        }
        bytea *value = SendFunctionCall(&format->functions[i], values[at]);
        pq_sendint32(row, VARSIZE(value) - VARHDRSZ);
        appendBinaryStringInfoNT(row, VARDATA(value), VARSIZE(value) - VARHDRSZ);
    }
}

void encode_row(RowFormat *format, const Datum *values, const bool *nulls, bool by_attribute,
                StringInfo row)
{
    if (format->binary)
        encode_binary(format, values, nulls, by_attribute, row);
    else
        encode_text(format, values, nulls, by_attribute, row);
}

void append_binary_header(StringInfo buffer)
{
    appendBinaryStringInfo(buffer, "PGCOPY\n\377\r\n\0", 11);
    pq_sendint32(buffer, 0); // flags
    pq_sendint32(buffer, 0); // length of the header's extension
}

} // namespace shardwise
