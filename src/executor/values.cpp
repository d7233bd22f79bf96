#include "executor/values.hpp"

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

bool is_written_in_binary(Oid type)
{
    switch (type) {
    case BOOLOID:
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case FLOAT4OID:
    case FLOAT8OID:
    case DATEOID:
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case UUIDOID:
    case BYTEAOID:
    case TEXTOID:
    case VARCHAROID:
        return true;
    default:
        return false;
    }
}

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
    } else if (one->type == TEXTOID || one->type == VARCHAROID || one->type == BYTEAOID) {
        struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);
        writer->values[i] = VARDATA_ANY(bytes);
        writer->lengths[i] = VARSIZE_ANY_EXHDR(bytes);
    } else {
        writer->lengths[i] = write_fixed(one->type, value, writer->fixed[i]);
        writer->values[i] = writer->fixed[i];
    }
}

} // namespace

ParameterWriter *make_parameter_writer(int n, const Oid *types)
{
    ParameterWriter *writer = (ParameterWriter *)palloc0(sizeof(ParameterWriter));
    writer->n = n;
    if (n == 0)
        return writer;
    writer->writers = (ValueWriter *)palloc0(sizeof(ValueWriter) * n);
    writer->values = (const char **)palloc0(sizeof(char *) * n);
    writer->lengths = (int *)palloc0(sizeof(int) * n);
    writer->formats = (int *)palloc0(sizeof(int) * n);
    writer->fixed = (char(*)[16])palloc(16 * n);
    for (int i = 0; i < n; i++) {
        ValueWriter *one = &writer->writers[i];
        Oid output;
        bool is_varlena;
        one->type = types[i];
        one->is_binary = is_written_in_binary(types[i]);
        if (one->is_binary)
            continue;
        getTypeOutputInfo(types[i], &output, &is_varlena);
        fmgr_info(output, &one->output);
    }
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

} // namespace shardwise
