// Aggregates of the extension that put the shards' arrays and JSON values together: merge_arrays(),
// merge_json(), merge_jsonb(). Each takes what one of PostgreSQL's aggregates has made, and makes
// what it would have made of all the values.
#include "pg/pg.hpp"

extern "C" {
#include "utils/jsonb.h"
}

namespace shardwise
{

namespace
{

MemoryContext aggregate_context(FunctionCallInfo fcinfo)
{
    MemoryContext context;
    if (AggCheckCallContext(fcinfo, &context) == 0)
        elog(ERROR, "aggregate function called in non-aggregate context");
    return context;
}

// A shard without a row adds nothing.
Datum same_state(FunctionCallInfo fcinfo)
{
    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    return PG_GETARG_DATUM(0);
}

// A value of the second argument that outlives the call.
struct varlena *keep_argument(FunctionCallInfo fcinfo, MemoryContext context)
{
    MemoryContext caller = MemoryContextSwitchTo(context);
    struct varlena *kept = PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(1));
    MemoryContextSwitchTo(caller);
    return kept;
}

// ---- json --------------------------------------------------------------------------------------

// What stands between the brackets of the shards' values, and the brackets.
struct JsonText {
    StringInfoData body;
    bool is_object;
};

// "[1, 2]" has its first element at 1, "{ "a" : 1 }" its first key at 2.
constexpr int array_bracket = 1;
constexpr int object_bracket = 2;

// The aggregates are callable by everyone, with values of any form.
void refuse_part(const char *type)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("value is not what an aggregate of PostgreSQL for %s has made", type)));
}

void check_json(const JsonText *text, const char *part, int length)
{
    bool fits = text->is_object
                    ? length >= 2 * object_bracket && strncmp(part, "{ ", 2) == 0 &&
                          strncmp(part + length - 2, " }", 2) == 0
                    : length >= 2 * array_bracket && part[0] == '[' && part[length - 1] == ']';
    if (!fits)
        refuse_part("json");
}

void append_json(JsonText *text, const char *part, int length, bool starts_lines)
{
    int bracket = text->is_object ? object_bracket : array_bracket;
    const char *body = part + bracket;
    check_json(text, part, length);
    if (text->body.len > 0) {
        appendStringInfoString(&text->body, ", ");
        if (starts_lines && (*body == '[' || *body == '{')) // and no null
            appendStringInfoString(&text->body, "\n ");
    }
    appendBinaryStringInfo(&text->body, body, length - 2 * bracket);
}

// ---- jsonb -------------------------------------------------------------------------------------

struct JsonbBuild {
    JsonbParseState *state;
    bool is_object;
};

// Adds the members of an array or object; `part` must live as long as the build.
void append_jsonb(JsonbBuild *build, Jsonb *part)
{
    if (JB_ROOT_IS_SCALAR(part) || JB_ROOT_IS_OBJECT(part) != build->is_object)
        refuse_part("jsonb");
    JsonbIterator *iterator = JsonbIteratorInit(&part->root);
    JsonbValue value;
    JsonbIteratorToken token = JsonbIteratorNext(&iterator, &value, true); // the outer bracket
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
        if (token == WJB_ELEM || token == WJB_KEY || token == WJB_VALUE)
            pushJsonbValue(&build->state, token, &value);
}

} // namespace

} // namespace shardwise

using namespace shardwise;

// (internal, anyarray) -> internal
SHARDWISE_FUNCTION(shardwise_append_array)
{
    MemoryContext context = aggregate_context(fcinfo);
    ArrayBuildState *state = PG_ARGISNULL(0) ? nullptr : (ArrayBuildState *)PG_GETARG_POINTER(0);
    if (PG_ARGISNULL(1))
        return same_state(fcinfo);

    ArrayType *part = PG_GETARG_ARRAYTYPE_P(1);
    Oid type = ARR_ELEMTYPE(part);
    if (state == nullptr)
        state = initArrayResult(type, context, false);
    ArrayIterator iterator = array_create_iterator(part, 0, nullptr);
    Datum value;
    bool is_null;
    while (array_iterate(iterator, &value, &is_null))
        accumArrayResult(state, value, is_null, type, context);
    PG_RETURN_POINTER(state);
}

// (internal, anyarray) -> anyarray
SHARDWISE_FUNCTION(shardwise_finish_array)
{
    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    PG_RETURN_DATUM(makeArrayResult((ArrayBuildState *)PG_GETARG_POINTER(0), CurrentMemoryContext));
}

// (internal, json, starts_lines boolean) -> internal
SHARDWISE_FUNCTION(shardwise_append_json)
{
    MemoryContext context = aggregate_context(fcinfo);
    JsonText *text = PG_ARGISNULL(0) ? nullptr : (JsonText *)PG_GETARG_POINTER(0);
    if (PG_ARGISNULL(1))
        return same_state(fcinfo);

    struct varlena *part = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(1));
    const char *bytes = VARDATA_ANY(part);
    if (text == nullptr) {
        MemoryContext caller = MemoryContextSwitchTo(context);
        text = (JsonText *)palloc(sizeof(JsonText));
        initStringInfo(&text->body);
        text->is_object = VARSIZE_ANY_EXHDR(part) > 0 && *bytes == '{';
        MemoryContextSwitchTo(caller);
    }
    append_json(text, bytes, (int)VARSIZE_ANY_EXHDR(part), !PG_ARGISNULL(2) && PG_GETARG_BOOL(2));
    PG_RETURN_POINTER(text);
}

// (internal) -> json
SHARDWISE_FUNCTION(shardwise_finish_json)
{
    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    const JsonText *text = (const JsonText *)PG_GETARG_POINTER(0);
    StringInfoData json;
    initStringInfo(&json);
    appendStringInfoString(&json, text->is_object ? "{ " : "[");
    appendBinaryStringInfo(&json, text->body.data, text->body.len);
    appendStringInfoString(&json, text->is_object ? " }" : "]");
    PG_RETURN_TEXT_P(cstring_to_text_with_len(json.data, json.len));
}

// (internal, jsonb) -> internal
SHARDWISE_FUNCTION(shardwise_append_jsonb)
{
    MemoryContext context = aggregate_context(fcinfo);
    JsonbBuild *build = PG_ARGISNULL(0) ? nullptr : (JsonbBuild *)PG_GETARG_POINTER(0);
    if (PG_ARGISNULL(1))
        return same_state(fcinfo);

    Jsonb *part = (Jsonb *)keep_argument(fcinfo, context);
    MemoryContext caller = MemoryContextSwitchTo(context);
    if (build == nullptr) {
        build = (JsonbBuild *)palloc0(sizeof(JsonbBuild));
        build->is_object = JB_ROOT_IS_OBJECT(part);
        pushJsonbValue(&build->state, build->is_object ? WJB_BEGIN_OBJECT : WJB_BEGIN_ARRAY,
                       nullptr);
    }
    append_jsonb(build, part);
    MemoryContextSwitchTo(caller);
    PG_RETURN_POINTER(build);
}

// (internal) -> jsonb; changes the state. Of equal keys the last one stays.
SHARDWISE_FUNCTION(shardwise_finish_jsonb)
{
    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    JsonbBuild *build = (JsonbBuild *)PG_GETARG_POINTER(0);
    JsonbValue *value =
        pushJsonbValue(&build->state, build->is_object ? WJB_END_OBJECT : WJB_END_ARRAY, nullptr);
    PG_RETURN_JSONB_P(JsonbValueToJsonb(value));
}
