#include "executor/bulk_rows.hpp"
#include "executor/wire.hpp"

extern "C" {
#include "port/pg_bswap.h"
#include "utils/uuid.h"
}

namespace shardwise
{

namespace
{

enum class FieldKind : uint8 {
    Bool,
    Int2,
    Int4,
    Int8,
    Uuid,
    Bytes, // text and the like: what comes is what is stored
    Numeric,
    Other // by the type's receive function
};

struct Field {
    FieldKind kind;
    Oid io_param;
    int32 typmod;
    FmgrInfo receive;
};

FieldKind kind_of(Oid type)
{
    switch (type) {
    case BOOLOID:
        return FieldKind::Bool;
    case INT2OID:
        return FieldKind::Int2;
    case INT4OID:
    case DATEOID:
    case FLOAT4OID: // a float's Datum holds its bits
        return FieldKind::Int4;
    case INT8OID:
    case FLOAT8OID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case TIMEOID:
        return FieldKind::Int8;
    case UUIDOID:
        return FieldKind::Uuid;
    case TEXTOID: // the connection's encoding is the database's
    case VARCHAROID:
    case BPCHAROID:
    case BYTEAOID:
        return FieldKind::Bytes;
    case NUMERICOID:
        return FieldKind::Numeric;
    default:
        return FieldKind::Other;
    }
}

[[noreturn]] void raise_malformed()
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                    errmsg("incorrect binary data format in a shard's result")));
}

void write_native_2(char *bytes, uint16 value)
{
    memcpy(bytes, &value, sizeof(value));
}

// A short value needs a header of one byte, for which there is room before it: its length was
// there.
Datum read_bytes(char *bytes, int length, bool *allocated)
{
    if (length + VARHDRSZ_SHORT <= VARATT_SHORT_MAX) {
        SET_VARSIZE_SHORT(bytes - VARHDRSZ_SHORT, length + VARHDRSZ_SHORT);
        return PointerGetDatum(bytes - VARHDRSZ_SHORT);
    }
    *allocated = true;
    return PointerGetDatum(cstring_to_text_with_len(bytes, length));
}

Datum receive(Field *field, char *bytes, int length, bool *allocated)
{
    StringInfoData buffer = {};
    buffer.data = bytes;
    buffer.len = buffer.maxlen = length;
    // Receive functions may count on the NUL that ends a message; the next field begins there.
    char next = bytes[length];
    bytes[length] = '\0';
    Datum value = ReceiveFunctionCall(&field->receive, &buffer, field->io_param, field->typmod);
    bytes[length] = next;
    if (buffer.cursor != buffer.len)
        raise_malformed();
    *allocated = true;
    return value;
}

// A numeric that fits PostgreSQL's short form on disk (utils/adt/numeric.c) is rewritten to it
// where it stands: the header of two bytes goes before the digits, the varlena header before that.
Datum read_numeric(Field *field, char *bytes, int length, bool *allocated)
{
    constexpr uint16 negative = 0x4000;
    constexpr uint16 short_form = 0x8000, short_negative = 0x2000, negative_weight = 0x0040;
    constexpr int wire_header = 8, disk_header = 2;
    if (length < wire_header)
        raise_malformed();
    int digits = read_2(bytes);
    int16 weight = (int16)read_2(bytes + 2);
    uint16 sign = read_2(bytes + 4);
    uint16 scale = read_2(bytes + 6);
    int size = VARHDRSZ_SHORT + disk_header + 2 * digits;
    char *first = bytes + wire_header;
    bool fits = length == wire_header + 2 * digits && digits > 0 && scale <= 0x3f &&
                weight >= -64 && weight <= 63 && (sign == 0 || sign == negative) &&
                size <= VARATT_SHORT_MAX && read_2(first) != 0 &&
                read_2(first + 2 * (digits - 1)) != 0;
    if (!fits)
        return receive(field, bytes, length, allocated);
    for (int i = 0; i < digits; i++)
        write_native_2(first + 2 * i, read_2(first + 2 * i));
    uint16 header = short_form | (sign == negative ? short_negative : 0) | (scale << 7) |
                    (weight < 0 ? negative_weight : 0) | (weight & 0x3f);
    write_native_2(first - disk_header, header);
    char *start = first - disk_header - VARHDRSZ_SHORT;
    SET_VARSIZE_SHORT(start, size);
    return PointerGetDatum(start);
}

void expect_length(int length, int expected)
{
    if (unlikely(length != expected))
        raise_malformed();
}

Datum read_field(Field *field, char *bytes, int length, bool *allocated)
{
    switch (field->kind) {
    case FieldKind::Bool:
        expect_length(length, 1);
        return BoolGetDatum(bytes[0] != 0);
    case FieldKind::Int2:
        expect_length(length, 2);
        return Int16GetDatum((int16)read_2(bytes));
    case FieldKind::Int4:
        expect_length(length, 4);
        return Int32GetDatum((int32)read_4(bytes));
    case FieldKind::Int8:
        expect_length(length, 8);
        return Int64GetDatum((int64)read_8(bytes));
    case FieldKind::Uuid:
        expect_length(length, UUID_LEN);
        return PointerGetDatum(bytes);
    case FieldKind::Bytes:
        return read_bytes(bytes, length, allocated);
    case FieldKind::Numeric:
        return read_numeric(field, bytes, length, allocated);
    default:
        return receive(field, bytes, length, allocated);
    }
}

} // namespace

struct BulkReader {
    int n;
    Field *fields;
};

BulkReader *make_bulk_reader(TupleDesc columns)
{
    BulkReader *reader = (BulkReader *)palloc0(sizeof(BulkReader));
    reader->n = columns->natts;
    reader->fields = (Field *)palloc0(sizeof(Field) * (columns->natts + 1));
    for (int i = 0; i < columns->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(columns, i);
        Field *field = &reader->fields[i];
        Oid function;
        field->kind = kind_of(attribute->atttypid);
        field->typmod = attribute->atttypmod;
        getTypeBinaryInputInfo(attribute->atttypid, &function, &field->io_param);
        fmgr_info(function, &field->receive);
    }
    return reader;
}

bool read_bulk_row(BulkReader *reader, char *fields, int length, Datum *values, bool *nulls)
{
    constexpr int length_bytes = 4;
    bool allocated = false;
    char *end = fields + length;
    for (int i = 0; i < reader->n; i++) {
        if (unlikely(end - fields < length_bytes))
            ereport(ERROR,
                    (errcode(ERRCODE_DATATYPE_MISMATCH),
                     errmsg("a shard returned %d columns instead of %d", i, reader->n),
                     errhint("Compare the table's definition on the router and the shard.")));
        int field_length = (int)read_4(fields);
        fields += length_bytes;
        nulls[i] = field_length < 0;
        values[i] = 0;
        if (field_length < 0)
            continue;
        if (unlikely(field_length > end - fields))
            raise_malformed();
        values[i] = read_field(&reader->fields[i], fields, field_length, &allocated);
        fields += field_length;
    }
    return allocated;
}

} // namespace shardwise
