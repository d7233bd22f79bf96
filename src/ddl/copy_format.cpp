#include "pg/pg.hpp"

#include "ddl/copy_format.hpp"
#include "pg/types.hpp"

extern "C" {
#include "executor/tuptable.h"
#include "libpq/pqformat.h"
}

namespace shardwise
{

struct RowFormat {
    bool binary;
    int ncolumns;
    int *columns; // attribute indexes
    FmgrInfo *functions;
};

static bool travels(Form_pg_attribute attribute)
{
    return !attribute->attisdropped && !attribute->attgenerated;
}

bool row_is_portable_in_binary(Relation rel)
{
    TupleDesc desc = RelationGetDescr(rel);
    for (int i = 0; i < desc->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(desc, i);
        if (travels(attribute) && !is_portable_in_binary(attribute->atttypid))
            return false;
    }
    return true;
}

RowFormat *prepare_row_format(Relation rel, bool binary)
{
    TupleDesc desc = RelationGetDescr(rel);
    RowFormat *format = static_cast<RowFormat *>(palloc0(sizeof(RowFormat)));
    format->binary = binary;
    format->columns = static_cast<int *>(palloc0((desc->natts + 1) * sizeof(int)));
    format->functions = static_cast<FmgrInfo *>(palloc0((desc->natts + 1) * sizeof(FmgrInfo)));
    for (int i = 0; i < desc->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(desc, i);
        if (!travels(attribute))
            continue;
        Oid function;
        bool is_varlena;
        if (binary)
            getTypeBinaryOutputInfo(attribute->atttypid, &function, &is_varlena);
        else
            getTypeOutputInfo(attribute->atttypid, &function, &is_varlena);
        format->columns[format->ncolumns] = i;
        fmgr_info(function, &format->functions[format->ncolumns]);
        format->ncolumns++;
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

static void encode_text(RowFormat *format, TupleTableSlot *slot, StringInfo row)
{
    for (int i = 0; i < format->ncolumns; i++) {
        int column = format->columns[i];
        if (i > 0)
            appendStringInfoCharMacro(row, '\t');
        if (slot->tts_isnull[column])
            appendBinaryStringInfoNT(row, "\\N", 2);
        else
            append_escaped(row,
                           OutputFunctionCall(&format->functions[i], slot->tts_values[column]));
    }
    appendStringInfoCharMacro(row, '\n');
}

static void encode_binary(RowFormat *format, TupleTableSlot *slot, StringInfo row)
{
    pq_sendint16(row, format->ncolumns);
    for (int i = 0; i < format->ncolumns; i++) {
        int column = format->columns[i];
        if (slot->tts_isnull[column]) {
            pq_sendint32(row, -1);
            continue;
        }
        bytea *value = SendFunctionCall(&format->functions[i], slot->tts_values[column]);
        pq_sendint32(row, VARSIZE(value) - VARHDRSZ);
        appendBinaryStringInfoNT(row, VARDATA(value), VARSIZE(value) - VARHDRSZ);
    }
}

StringInfo encode_row(RowFormat *format, TupleTableSlot *slot)
{
    StringInfo row = makeStringInfo();
    if (format->binary)
        encode_binary(format, slot, row);
    else
        encode_text(format, slot, row);
    return row;
}

void append_binary_header(StringInfo buffer)
{
    appendBinaryStringInfo(buffer, "PGCOPY\n\377\r\n\0", 11);
    pq_sendint32(buffer, 0); // flags
    pq_sendint32(buffer, 0); // length of the header's extension
}

void append_binary_trailer(StringInfo buffer)
{
    pq_sendint16(buffer, -1);
}

} // namespace shardwise
