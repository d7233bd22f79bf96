#include "executor/values.hpp"

#include "pg/types.hpp"

extern "C" {
#include "port/pg_bswap.h"
#include "utils/date.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
}

namespace shardwise
{

namespace
{

void write_2(char *out, uint16 value)
{
    value = pg_hton16(value);
    memcpy(out, &value, sizeof(value));
}

void write_4(char *out, uint32 value)
{
    value = pg_hton32(value);
    memcpy(out, &value, sizeof(value));
}

void write_8(char *out, uint64 value)
{
    value = pg_hton64(value);
    memcpy(out, &value, sizeof(value));
}

bool is_varying(Oid type)
{
    return type == TEXTOID || type == VARCHAROID || type == BYTEAOID;
}

// Writes a value of a fixed size; returns the size.
int write_fixed(Oid type, Datum value, char *out)
{
    switch (type) {
    case BOOLOID:
        out[0] = DatumGetBool(value);
        return 1;
    case INT2OID:
        write_2(out, (uint16)DatumGetInt16(value));
        return 2;
    case INT4OID:
    case DATEOID:
    case FLOAT4OID: // a float's Datum holds its bits
        write_4(out, (uint32)DatumGetInt32(value));
        return 4;
    case UUIDOID:
        memcpy(out, DatumGetUUIDP(value)->data, UUID_LEN);
        return UUID_LEN;
    default:
        write_8(out, (uint64)DatumGetInt64(value));
        return 8;
    }
}

void write_value(ParameterWriter *writer, int i, Datum value)
{
    ValueWriter *one = &writer->writers[i];
    writer->formats[i] = one->is_binary ? 1 : 0;
    if (!one->is_binary) {
        writer->values[i] = OutputFunctionCall(&one->output, value);
        writer->lengths[i] = 0;
    } else if (is_varying(one->type)) {
        struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);
        writer->values[i] = VARDATA_ANY(bytes);
        writer->lengths[i] = VARSIZE_ANY_EXHDR(bytes);
    } else {
        writer->lengths[i] = write_fixed(one->type, value, writer->fixed[i]);
        writer->values[i] = writer->fixed[i];
    }
}

void init_writer(ValueWriter *writer, Oid type)
{
    Oid output;
    bool is_varlena;
    writer->type = type;
    writer->is_binary = has_plain_binary_form(type);
    if (writer->is_binary)
        return;
    getTypeOutputInfo(type, &output, &is_varlena);
    fmgr_info(output, &writer->output);
}

void append_4(StringInfo bytes, uint32 value)
{
    value = pg_hton32(value);
    appendBinaryStringInfo(bytes, (const char *)&value, sizeof(value));
}

void append_counted(StringInfo bytes, const char *data, int length)
{
    append_4(bytes, (uint32)length);
    appendBinaryStringInfo(bytes, data, length);
}

} // namespace

ParameterWriter *make_parameter_writer(int n, const Oid *types)
{
    // Of one piece, since each execution makes one.
    struct Parameter {
        ValueWriter writer;
        const char *value;
        char fixed[16];
        int length;
        int format;
    };
    char *room = (char *)palloc0(sizeof(ParameterWriter) + sizeof(Parameter) * n);
    ParameterWriter *writer = (ParameterWriter *)room;
    writer->n = n;
    writer->writers = (ValueWriter *)(room + sizeof(ParameterWriter));
    writer->values = (const char **)(writer->writers + n);
    writer->fixed = (char(*)[16])(writer->values + n);
    writer->lengths = (int *)(writer->fixed + n);
    writer->formats = writer->lengths + n;
    for (int i = 0; i < n; i++)
        init_writer(&writer->writers[i], types[i]);
    return writer;
}

RemoteValues write_parameters(ParameterWriter *writer, const Datum *values, const bool *nulls)
{
    for (int i = 0; i < writer->n; i++) {
        if (nulls[i]) {
            writer->values[i] = nullptr;
            writer->formats[i] = 0;
            continue;
        }
        write_value(writer, i, values[i]);
    }
    return {writer->values, writer->lengths, writer->formats};
}

// Dimensions, flags, element type, length, lower bound: see array_send().
static constexpr int array_header = 20;

void init_array_writer(ArrayWriter *writer, Oid type)
{
    *writer = ArrayWriter{};
    init_writer(&writer->element, type);
    initStringInfo(&writer->bytes);
    clear_array(writer);
}

void clear_array(ArrayWriter *writer)
{
    writer->n = 0;
    writer->has_nulls = false;
    resetStringInfo(&writer->bytes);
    appendStringInfoSpaces(&writer->bytes, array_header);
}

void append_element(ArrayWriter *writer, Datum value, bool is_null)
{
    const ValueWriter *element = &writer->element;
    writer->n++;
    if (is_null) {
        writer->has_nulls = true;
        append_4(&writer->bytes, (uint32)-1);
    } else if (!element->is_binary) {
        char *text = OutputFunctionCall(&writer->element.output, value);
        append_counted(&writer->bytes, text, (int)strlen(text));
    } else if (is_varying(element->type)) {
        struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);
        append_counted(&writer->bytes, VARDATA_ANY(bytes), (int)VARSIZE_ANY_EXHDR(bytes));
    } else {
        char fixed[16];
        append_counted(&writer->bytes, fixed, write_fixed(element->type, value, fixed));
    }
}

void finish_array(ArrayWriter *writer)
{
    char *header = writer->bytes.data;
    write_4(header, 1);
    write_4(header + 4, writer->has_nulls ? 1 : 0);
    write_4(header + 8, writer->element.is_binary ? writer->element.type : TEXTOID);
    write_4(header + 12, (uint32)writer->n);
    write_4(header + 16, 1);
}

} // namespace shardwise
