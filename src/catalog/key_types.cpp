#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/key_types.hpp"
#include "catalog/shard_map.hpp"
#include "pg/types.hpp"

extern "C" {
#include "parser/parse_coerce.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

// True if SQL can call the type's hash function with a value of the type. It cannot where the
// operator class borrows the function of another type, or one that takes "internal".
static bool hash_function_takes(Oid function, Oid type)
{
    Oid *argument_types;
    int count;
    get_func_signature(function, &argument_types, &count);
    return count == 2 && IsBinaryCoercible(getBaseType(type), argument_types[0]);
}

static Oid find_hash_function(Oid type)
{
    return lookup_type_cache(type, TYPECACHE_HASH_EXTENDED_PROC)->hash_extended_proc;
}

// Finds the function that SQL calls for a column's hash: the type's own, or that of arrays.
static Oid find_hash_function(Oid type, bool *in_array)
{
    Oid function = find_hash_function(type);
    *in_array = OidIsValid(function) && !hash_function_takes(function, type);
    if (!*in_array)
        return function;
    return OidIsValid(get_array_type(type)) ? F_HASH_ARRAY_EXTENDED : InvalidOid;
}

// True if values of the type have Oids in them, which differ from server to server: enums, names of
// objects, and arrays, ranges and rows of such.
static bool holds_oids(Oid type)
{
    type = getBaseType(type);
    if (is_registry_type(type) || type_is_enum(type))
        return true;
    if (type_is_range(type))
        return holds_oids(get_range_subtype(type));
    if (type_is_multirange(type))
        return holds_oids(get_multirange_range(type));
    if (OidIsValid(get_element_type(type)))
        return holds_oids(get_element_type(type));
    if (get_typtype(type) != TYPTYPE_COMPOSITE)
        return false;
    bool found = false;
    TupleDesc columns = lookup_rowtype_tupdesc(type, -1);
    for (int i = 0; i < columns->natts; i++)
        found |= !TupleDescAttr(columns, i)->attisdropped &&
                 holds_oids(TupleDescAttr(columns, i)->atttypid);
    ReleaseTupleDesc(columns);
    return found;
}

bool type_is_hashable(Oid type)
{
    bool in_array;
    return OidIsValid(find_hash_function(type, &in_array)) && !holds_oids(type);
}

static void raise_not_hashable(Oid type)
{
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                    errmsg("could not identify an extended hash function for type %s",
                           format_type_be(type))));
}

static void load_column_functions(Oid type, KeyColumnFunctions *functions, MemoryContext context)
{
    Oid hash = find_hash_function(type, &functions->hash_in_array);
    TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_EQ_OPR | TYPECACHE_CMP_PROC);
    if (OidIsValid(hash))
        fmgr_info_cxt(hash, &functions->hash, context);
    if (OidIsValid(entry->eq_opr))
        fmgr_info_cxt(get_opcode(entry->eq_opr), &functions->equal, context);
    if (OidIsValid(entry->cmp_proc))
        fmgr_info_cxt(entry->cmp_proc, &functions->compare, context);
    functions->length = entry->typlen;
    functions->by_value = entry->typbyval;
    functions->alignment = entry->typalign;
}

void load_key_functions(const Keyspace *keyspace, KeyFunctions *functions, MemoryContext context)
{
    memset(functions, 0, sizeof(*functions));
    functions->hashable = true;
    for (int i = 0; i < keyspace->nkeys; i++) {
        load_column_functions(keyspace->key_types[i], &functions->columns[i], context);
        if (!OidIsValid(functions->columns[i].hash.fn_oid))
            functions->hashable = false;
    }
}

static Datum hash_in_array(const KeyColumnFunctions *column, Oid type, Datum value, Datum seed)
{
    ArrayType *array =
        construct_array(&value, 1, type, column->length, column->by_value, column->alignment);
    Datum hash = FunctionCall2Coll(const_cast<FmgrInfo *>(&column->hash), InvalidOid,
                                   PointerGetDatum(array), seed);
    pfree(array);
    return hash;
}

int64 hash_key_with(const Keyspace *keyspace, const KeyFunctions *functions, const Datum *values)
{
    Datum hash = Int64GetDatum(0);
    for (int i = 0; i < keyspace->nkeys; i++) {
        const KeyColumnFunctions *column = &functions->columns[i];
        if (unlikely(!OidIsValid(column->hash.fn_oid)))
            raise_not_hashable(keyspace->key_types[i]);
        hash = column->hash_in_array
                   ? hash_in_array(column, keyspace->key_types[i], values[i], hash)
                   : FunctionCall2Coll(const_cast<FmgrInfo *>(&column->hash),
                                       keyspace->key_collations[i], values[i], hash);
    }
    return DatumGetInt64(hash);
}

int compare_keys_with(const Keyspace *keyspace, const KeyFunctions *functions, const Datum *a,
                      const Datum *b)
{
    return compare_prefixes(keyspace, functions, keyspace->nkeys, a, b);
}

int compare_prefixes(const Keyspace *keyspace, const KeyFunctions *functions, int n, const Datum *a,
                     const Datum *b)
{
    for (int i = 0; i < n; i++) {
        const KeyColumnFunctions *column = &functions->columns[i];
        if (unlikely(!OidIsValid(column->compare.fn_oid)))
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                            errmsg("could not identify a comparison function for type %s",
                                   format_type_be(keyspace->key_types[i]))));
        int32 order = DatumGetInt32(FunctionCall2Coll(const_cast<FmgrInfo *>(&column->compare),
                                                      keyspace->key_collations[i], a[i], b[i]));
        if (order != 0)
            return order;
    }
    return 0;
}

bool keys_are_equal(const Keyspace *keyspace, const KeyFunctions *functions, const Datum *a,
                    const Datum *b)
{
    for (int i = 0; i < keyspace->nkeys; i++) {
        const KeyColumnFunctions *column = &functions->columns[i];
        if (unlikely(!OidIsValid(column->equal.fn_oid)))
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                            errmsg("could not identify an equality operator for type %s",
                                   format_type_be(keyspace->key_types[i]))));
        if (!DatumGetBool(FunctionCall2Coll(const_cast<FmgrInfo *>(&column->equal),
                                            keyspace->key_collations[i], a[i], b[i])))
            return false;
    }
    return true;
}

// Gets the functions of a keyspace, looking them up where it has no map yet.
static const KeyFunctions *functions_of(const Keyspace *keyspace, KeyFunctions *scratch)
{
    if (likely(keyspace->map != nullptr))
        return &keyspace->map->functions;
    load_key_functions(keyspace, scratch, CurrentMemoryContext);
    return scratch;
}

int64 hash_key(const Keyspace *keyspace, const Datum *values)
{
    KeyFunctions scratch;
    return hash_key_with(keyspace, functions_of(keyspace, &scratch), values);
}

int compare_keys(const Keyspace *keyspace, const Datum *a, const Datum *b)
{
    KeyFunctions scratch;
    return compare_keys_with(keyspace, functions_of(keyspace, &scratch), a, b);
}

char *hash_expression_sql(const Keyspace *keyspace, const char *const *column_sqls)
{
    char *expression = pstrdup("0");
    for (int i = 0; i < keyspace->nkeys; i++) {
        bool in_array;
        Oid function = find_hash_function(keyspace->key_types[i], &in_array);
        if (!OidIsValid(function))
            raise_not_hashable(keyspace->key_types[i]);
        char *name = quote_qualified_identifier(
            get_namespace_name_or_temp(get_func_namespace(function)), get_func_name(function));
        expression = psprintf(in_array ? "%s(ARRAY[%s], %s)" : "%s(%s, %s)", name, column_sqls[i],
                              expression);
    }
    return expression;
}

} // namespace shardwise
