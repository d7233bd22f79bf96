#include "pg/types.hpp"

extern "C" {
#include "access/transam.h"
}

namespace shardwise
{

bool is_integer_type(Oid type)
{
    return type == INT2OID || type == INT4OID || type == INT8OID;
}

static int64 integer_value(Oid type, Datum value)
{
    switch (type) {
    case INT2OID:
        return DatumGetInt16(value);
    case INT4OID:
        return DatumGetInt32(value);
    default:
        return DatumGetInt64(value);
    }
}

bool convert_integer(Oid from, Oid to, Datum *value)
{
    int64 number = integer_value(from, *value);
    if (to == INT2OID) {
        *value = Int16GetDatum((int16)number);
        return number >= PG_INT16_MIN && number <= PG_INT16_MAX;
    }
    if (to == INT4OID) {
        *value = Int32GetDatum((int32)number);
        return number >= PG_INT32_MIN && number <= PG_INT32_MAX;
    }
    *value = Int64GetDatum(number);
    return true;
}

bool is_registry_type(Oid type)
{
    switch (type) {
    case REGPROCOID:
    case REGPROCEDUREOID:
    case REGOPEROID:
    case REGOPERATOROID:
    case REGCLASSOID:
    case REGTYPEOID:
    case REGROLEOID:
    case REGNAMESPACEOID:
    case REGCONFIGOID:
    case REGDICTIONARYOID:
    case REGCOLLATIONOID:
        return true;
    default:
        return false;
    }
}

bool is_portable_in_binary(Oid type)
{
    type = getBaseType(type);
    char kind = get_typtype(type);
    if (kind == TYPTYPE_ENUM)
        return true;
    bool is_builtin = type < FirstNormalObjectId;
    if (is_registry_type(type))
        return false;
    if (type == TSQUERYOID) // tsqueryrecv refuses what tsquerysend writes of an empty query
        return false;
    if (kind == TYPTYPE_RANGE || kind == TYPTYPE_MULTIRANGE)
        return is_builtin;
    if (kind != TYPTYPE_BASE)
        return false;
    Oid element = get_element_type(type);
    if (OidIsValid(element)) // the element's Oid is part of it
        return is_builtin && is_portable_in_binary(element);
    // Both directions must exist: some types can be read as text alone.
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
    if (!HeapTupleIsValid(tuple))
        return false;
    Form_pg_type form = (Form_pg_type)GETSTRUCT(tuple);
    bool portable = OidIsValid(form->typsend) && OidIsValid(form->typreceive);
    ReleaseSysCache(tuple);
    return portable;
}

bool has_plain_binary_form(Oid type)
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

} // namespace shardwise
