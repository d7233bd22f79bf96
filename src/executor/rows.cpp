#include "executor/rows.hpp"
#include "executor/wire.hpp"

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

struct ColumnReader {
    Oid type;
    int32 typmod;
    bool is_decoded; // by read_decoded, without the type's functions
    FmgrInfo input;  // receive function of a binary column, input function of a text column
    Oid io_param;
};

} // namespace

struct RowReader {
    int n;
    bool binary;
    ColumnReader *columns;
};

namespace
{

// Length of the binary form of types that are read here; -1 for varying, 0 for all others.
int decoded_length(Oid type)
{
    switch (type) {
    case BOOLOID:
        return 1;
    case INT2OID:
        return 2;
    case INT4OID:
    case DATEOID:
    case FLOAT4OID:
        return 4;
    case INT8OID:
    case FLOAT8OID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case TIMEOID:
        return 8;
    case UUIDOID:
        return UUID_LEN;
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case BYTEAOID:
        return -1;
    default:
        return 0;
    }
}

Datum read_decoded(Oid type, const char *bytes, int length)
{
    switch (type) {
    case BOOLOID:
        return BoolGetDatum(bytes[0] != 0);
    case INT2OID: {
        uint16 value;
        memcpy(&value, bytes, sizeof(value));
        return Int16GetDatum((int16)pg_ntoh16(value));
    }
    case INT4OID:
    case DATEOID:
    case FLOAT4OID: // a float's Datum holds its bits
        return Int32GetDatum((int32)read_4(bytes));
    case UUIDOID: {
        pg_uuid_t *uuid = (pg_uuid_t *)palloc(sizeof(pg_uuid_t));
        memcpy(uuid->data, bytes, UUID_LEN);
        return UUIDPGetDatum(uuid);
    }
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case BYTEAOID:
        // The connection's encoding is the database's, so the bytes are fine as they are.
        return PointerGetDatum(cstring_to_text_with_len(bytes, length));
    default:
        return Int64GetDatum((int64)read_8(bytes));
    }
}

Datum read_binary(ColumnReader *column, const char *bytes, int length)
{
    if (column->is_decoded) {
        int expected = decoded_length(column->type);
        if (expected > 0 && length != expected)
            ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                            errmsg("incorrect binary data format in a shard's result")));
        return read_decoded(column->type, bytes, length);
    }
    StringInfoData buffer = {};
    buffer.data = (char *)bytes;
    buffer.len = buffer.maxlen = length;
    Datum value = ReceiveFunctionCall(&column->input, &buffer, column->io_param, column->typmod);
    if (buffer.cursor != buffer.len)
        ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                        errmsg("incorrect binary data format in a shard's result")));
    return value;
}

} // namespace

RowReader *make_row_reader(TupleDesc columns, bool binary)
{
    RowReader *reader = (RowReader *)palloc0(sizeof(RowReader));
    reader->n = columns->natts;
    reader->binary = binary;
    reader->columns = (ColumnReader *)palloc0(sizeof(ColumnReader) * (columns->natts + 1));
    for (int i = 0; i < columns->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(columns, i);
        ColumnReader *column = &reader->columns[i];
        Oid function;
        column->type = attribute->atttypid;
        column->typmod = attribute->atttypmod;
        column->is_decoded = binary && decoded_length(column->type) != 0;
        if (column->is_decoded)
            continue;
        if (binary)
            getTypeBinaryInputInfo(column->type, &function, &column->io_param);
        else
            getTypeInputInfo(column->type, &function, &column->io_param);
        fmgr_info(function, &column->input);
    }
    return reader;
}

void read_row(RowReader *reader, const PGresult *result, int row, Datum *values, bool *nulls)
{
    if (PQnfields(result) < reader->n)
        ereport(ERROR,
                (errcode(ERRCODE_DATATYPE_MISMATCH),
                 errmsg("a shard returned %d columns instead of %d", PQnfields(result), reader->n),
                 errhint("Compare the table's definition on the router and the shard.")));
    for (int i = 0; i < reader->n; i++) {
        ColumnReader *column = &reader->columns[i];
        nulls[i] = PQgetisnull(result, row, i) != 0;
        if (nulls[i]) {
            values[i] = (Datum)0;
            continue;
        }
        const char *bytes = PQgetvalue(result, row, i);
        if (reader->binary)
            values[i] = read_binary(column, bytes, PQgetlength(result, row, i));
        else
            values[i] =
                InputFunctionCall(&column->input, (char *)bytes, column->io_param, column->typmod);
    }
}

} // namespace shardwise
