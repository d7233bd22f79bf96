#include "executor/explain_shards.hpp"

#include "pg/versions.hpp"

extern "C" {
#include "access/stratnum.h"
#include "commands/explain.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

const char *tier_name(Tier tier)
{
    switch (tier) {
    case Tier::FastPath:
        return "fast path";
    case Tier::SingleShard:
        return "single shard";
    case Tier::Scatter:
        return "scatter";
    default:
        return "pull";
    }
}

char *shard_names(List *shards)
{
    StringInfoData names;
    initStringInfo(&names);
    ListCell *cell;
    foreach (cell, shards)
        appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
                         NameStr(find_shard(lfirst_int(cell))->name));
    return names.data;
}

// ---- how rows are merged -----------------------------------------------------------------------

char *sort_column_name(const RouteScanState *state, int column)
{
    const CustomScan *scan = (const CustomScan *)state->css.ss.ps.plan;
    const TargetEntry *entry = (const TargetEntry *)list_nth(scan->custom_scan_tlist, column);
    const Var *var = (const Var *)entry->expr;
    if (entry->resname == nullptr && IsA(var, Var)) {
        RangeTblEntry *rte =
            (RangeTblEntry *)list_nth(state->css.ss.ps.state->es_range_table, var->varno - 1);
        return get_rte_attribute_name(rte, var->varattno);
    }
    return entry->resname != nullptr ? pstrdup(entry->resname) : psprintf("column %d", column + 1);
}

List *merge_keys(const RouteScanState *state)
{
    List *keys = NIL;
    for (int i = 0; i < state->route->nsort; i++) {
        const SortColumn *sort = &state->route->sort[i];
        bool descending = sorts_descending(sort->less_than);
        const char *nulls = sort->nulls_first == descending ? ""
                            : sort->nulls_first             ? " NULLS FIRST"
                                                            : " NULLS LAST";
        keys = lappend(keys, psprintf("%s%s%s", sort_column_name(state, sort->column),
                                      descending ? " DESC" : "", nulls));
    }
    return keys;
}

// ---- SQL ---------------------------------------------------------------------------------------

const char *text_for_shard(const RouteScanState *state, int32 shard)
{
    return statement_for_shard(state->route, shard, map_use(state)).sql;
}

List *shards_with_text(const RouteScanState *state, const char *sql)
{
    List *found = NIL;
    ListCell *cell;
    foreach (cell, state->shards)
        if (strcmp(text_for_shard(state, lfirst_int(cell)), sql) == 0)
            found = lappend_int(found, lfirst_int(cell));
    return found;
}

// Shards that hide ghost ranges get another text than the rest.
void show_sql(const RouteScanState *state, ExplainState *es)
{
    const Route *route = state->route;
    List *seen = NIL;
    ListCell *cell;
    if (state->shards == NIL || !goes_to_many(route)) {
        ExplainPropertyText("Remote SQL", route->sql, es);
        return;
    }
    foreach (cell, state->shards) {
        const char *sql = text_for_shard(state, lfirst_int(cell));
        if (list_member_int(seen, lfirst_int(cell)))
            continue;
        List *alike = shards_with_text(state, sql);
        bool all = list_length(alike) == list_length(state->shards);
        ExplainPropertyText(all ? "Remote SQL" : psprintf("Remote SQL on %s", shard_names(alike)),
                            sql, es);
        seen = list_concat(seen, alike);
    }
}

// ---- ANALYZE -----------------------------------------------------------------------------------

void show_measure_text(int32 shard, const QueryMeasure &measure, ExplainState *es)
{
    appendStringInfoSpaces(es->str, es->indent * 2);
    appendStringInfo(es->str, "On %s: rows=" UINT64_FORMAT " bytes=" UINT64_FORMAT,
                     NameStr(find_shard(shard)->name), measure.rows, measure.bytes);
    if (es->timing)
        appendStringInfo(es->str, " first=%.3f ms total=%.3f ms", measure.first_answer / 1000,
                         measure.total / 1000);
    appendStringInfoChar(es->str, '\n');
}

void show_measure_group(int32 shard, const QueryMeasure &measure, ExplainState *es)
{
    ExplainOpenGroup("Shard", nullptr, true, es);
    ExplainPropertyText("Shard", NameStr(find_shard(shard)->name), es);
    ExplainPropertyUInteger("Rows", nullptr, measure.rows, es);
    ExplainPropertyUInteger("Bytes", nullptr, measure.bytes, es);
    if (es->timing) {
        ExplainPropertyFloat("First Row Time", "ms", measure.first_answer / 1000, 3, es);
        ExplainPropertyFloat("Total Time", "ms", measure.total / 1000, 3, es);
    }
    ExplainCloseGroup("Shard", nullptr, true, es);
}

void show_measures(const RouteScanState *state, ExplainState *es)
{
    bool text = es->format == EXPLAIN_FORMAT_TEXT;
    ListCell *cell;
    if (state->query == nullptr && state->gather == nullptr)
        return;
    if (!text)
        ExplainOpenGroup("Shard Execution", "Shard Execution", false, es);
    foreach (cell, state->shards) {
        const RemoteQuery *query = state->gather != nullptr
                                       ? gathered_query(state->gather, foreach_current_index(cell))
                                       : state->query;
        if (text)
            show_measure_text(lfirst_int(cell), measure_query(query), es);
        else
            show_measure_group(lfirst_int(cell), measure_query(query), es);
    }
    if (!text)
        ExplainCloseGroup("Shard Execution", "Shard Execution", false, es);
}

// ---- shards ------------------------------------------------------------------------------------

List *pruned_shards(const RouteScanState *state)
{
    RoutedKeys none = {0, nullptr, nullptr, nullptr, map_use(state)};
    List *all = choose_shards(none, state->route->keyspace_id);
    return list_difference_int(all, state->shards);
}

void show_many_shards(const RouteScanState *state, ExplainState *es)
{
    ExplainPropertyText("Shards", shard_names(state->shards), es);
    if (state->route->keyspace_id != 0) {
        List *pruned = pruned_shards(state);
        if (pruned != NIL)
            ExplainPropertyText("Shards Pruned", shard_names(pruned), es);
    }
    if (list_length(state->shards) > 1 && state->route->nsort > 0)
        ExplainPropertyList("Merge Key", merge_keys(state), es);
}

} // namespace

void explain_shards(RouteScanState *state, bool known, ExplainState *es)
{
    const Route *route = state->route;
    ExplainPropertyText("Tier", tier_name(route->tier), es);
    if (known && goes_to_many(route))
        show_many_shards(state, es);
    else if (known)
        ExplainPropertyText("Shard", shard_names(state->shards), es);
    else
        ExplainPropertyText(goes_to_many(route) ? "Shards" : "Shard",
                            route->place_shard > 0                       ? "the cursor's"
                            : route->keyspace_id == 0                    ? "any"
                            : route->npins == 0 && route->key_param == 0 ? "all"
                                                                         : "decided by the key",
                            es);
    show_sql(state, es);
    if (es->analyze)
        show_measures(state, es);
}

} // namespace shardwise
