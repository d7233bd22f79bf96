#include "ddl/trigger_definition.hpp"

#include "pg/triggers.hpp"

extern "C" {
#include "catalog/pg_trigger.h"
}

namespace shardwise
{

// What is in quotes is skipped. The parts: up to WHEN, its condition, EXECUTE and on.
static const char *const parts = R"re(^((?:[^"']|"[^"]*"|'[^']*')*? FOR EACH (?:ROW|STATEMENT) ))re"
                                 R"re((?:WHEN \(((?:[^"']|"[^"]*"|'[^']*')*?)\) )?)re"
                                 R"re((EXECUTE FUNCTION .*)$)re";

char *shard_trigger_definition()
{
    constexpr int events = TRIGGER_TYPE_INSERT | TRIGGER_TYPE_DELETE | TRIGGER_TYPE_UPDATE;
    constexpr int before = TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT;
    const char *value =
        psprintf("current_setting(%s::text, true)", quote_literal_cstr(trigger_silence_setting));
    // What a foreign key does to other rows, within its own trigger, is not silent.
    const char *inside = "(pg_trigger_depth() > 0)";
    const char *for_row = psprintf("(%s OR (%s IS DISTINCT FROM %s::text))", inside, value,
                                   quote_literal_cstr(trigger_silence_all));
    const char *for_new_row = psprintf(
        "(%s OR (COALESCE(%s, ''::text) <> ALL (ARRAY[%s::text, %s::text])))", inside, value,
        quote_literal_cstr(trigger_silence_all), quote_literal_cstr(trigger_silence_before_insert));
    const char *for_statement =
        psprintf("(%s OR (COALESCE(%s, ''::text) = ANY (ARRAY[''::text, %s::text])))", inside,
                 value, quote_literal_cstr(trigger_silence_before_insert));
    return psprintf(R"(
(SELECT CASE WHEN t.tgtype & %d = 0 OR t.tgtype & %d <> 0 THEN pg_get_triggerdef(t.oid)
    WHEN d[2] IS NULL THEN format('%%sWHEN (%%s) %%s', d[1], own, d[3])
    ELSE format('%%sWHEN ((%%s AND %%s)) %%s', d[1], own, d[2], d[3]) END
FROM regexp_match(pg_get_triggerdef(t.oid), %s) d,
    (VALUES (CASE WHEN t.tgtype & %d = %d THEN %s WHEN t.tgtype & %d <> 0 THEN %s ELSE %s END)) v(own)))",
                    events, TRIGGER_TYPE_INSTEAD, quote_literal_cstr(parts), before, before,
                    quote_literal_cstr(for_new_row), TRIGGER_TYPE_ROW, quote_literal_cstr(for_row),
                    quote_literal_cstr(for_statement));
}

} // namespace shardwise
