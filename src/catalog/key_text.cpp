// Keys as text, the way catalog rows hold them, and keys from function arguments.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/key_types.hpp"

extern "C" {
#include "parser/parse_coerce.h"
}

namespace shardwise
{

static constexpr struct {
    const char *name;
    const char *value;
} text_settings[] = {
    {"DateStyle", "ISO, YMD"},     {"IntervalStyle", "postgres"}, {"TimeZone", "UTC"},
    {"extra_float_digits", "3"},   {"bytea_output", "hex"},       {"lc_monetary", "C"},
    {"search_path", "pg_catalog"},
};

int use_text_settings()
{
    int nest_level = NewGUCNestLevel();
    for (const auto &setting : text_settings)
        set_config_option(setting.name, setting.value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                          true, 0, false);
    return nest_level;
}

ArrayType *key_to_text_array(const Keyspace *keyspace, const Datum *values)
{
    Datum texts[max_key_columns];
    int nest_level = use_text_settings();
    for (int i = 0; i < keyspace->nkeys; i++) {
        Oid output;
        bool is_varlena;
        getTypeOutputInfo(keyspace->key_types[i], &output, &is_varlena);
        texts[i] = CStringGetTextDatum(OidOutputFunctionCall(output, values[i]));
    }
    AtEOXact_GUC(true, nest_level);
    return construct_array(texts, keyspace->nkeys, TEXTOID, -1, false, TYPALIGN_INT);
}

static Datum read_value(Oid type, char *text)
{
    Oid input, io_parameter;
    getTypeInputInfo(type, &input, &io_parameter);
    return OidInputFunctionCall(input, text, io_parameter, -1);
}

void parse_key(const Keyspace *keyspace, ArrayType *array, Datum *values)
{
    Datum *texts;
    bool *nulls;
    int count;
    deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls, &count);
    if (count != keyspace->nkeys || array_contains_nulls(array))
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("a key of keyspace %d in the catalog has %d values, not %d",
                               keyspace->id, count, keyspace->nkeys)));
    for (int i = 0; i < count; i++)
        values[i] = read_value(keyspace->key_types[i], TextDatumGetCString(texts[i]));
}

void key_from_text_array(const Keyspace *keyspace, ArrayType *array, Datum *values)
{
    int nest_level = use_text_settings();
    parse_key(keyspace, array, values);
    AtEOXact_GUC(true, nest_level);
}

// Converts an argument to the type of a key column: as it is where the types share their form,
// otherwise through text, which refuses what the key's type cannot hold.
static Datum convert_value(Datum value, Oid from, Oid to)
{
    if (from == UNKNOWNOID)
        return read_value(to, DatumGetCString(value));
    if (to == getBaseType(to) && IsBinaryCoercible(from, to))
        return value;
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(from, &output, &is_varlena);
    return read_value(to, OidOutputFunctionCall(output, value));
}

bool key_from_arguments(FunctionCallInfo fcinfo, int first, const Keyspace *keyspace, Datum *values)
{
    Datum *arguments;
    bool *nulls;
    Oid *types;
    int count = extract_variadic_args(fcinfo, first, false, &arguments, &types, &nulls);
    if (count < 0)
        return false;
    if (count != keyspace->nkeys)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("wrong number of shard key values: %d", count),
                 errdetail_plural("The shard key has %d column.", "The shard key has %d columns.",
                                  keyspace->nkeys, keyspace->nkeys)));
    for (int i = 0; i < count; i++) {
        if (nulls[i])
            return false;
        values[i] = convert_value(arguments[i], types[i], keyspace->key_types[i]);
    }
    return true;
}

} // namespace shardwise
