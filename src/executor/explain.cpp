#include "executor/explain_shards.hpp"
#include "executor/route_scan.hpp"

#include "pg/nesting.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "commands/defrem.h"
#include "commands/explain.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "optimizer/optimizer.h"
}

namespace shardwise
{

namespace
{

bool has_unknown_param(Node *node, void *context)
{
    ParamListInfo params = (ParamListInfo)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Param) && ((Param *)node)->paramkind != PARAM_EXTERN)
        return true;
    if (IsA(node, Param))
        return params == nullptr || ((Param *)node)->paramid > params->numParams;
    return expression_tree_walker(node, (bool (*)())has_unknown_param, context);
}

// Could EXPLAIN evaluate this value? Not a parameter without a value, and nothing with effects.
bool is_evaluable(Node *expr, EState *estate)
{
    return !has_unknown_param(expr, estate->es_param_list_info) &&
           !contain_volatile_functions(expr);
}

bool shards_are_known(RouteScanState *state, bool analyze)
{
    if (state->shards != NIL)
        return true;
    // Keys of a join's other side come when the plan runs; there may have been none.
    if (state->route->key_param > 0 && (state->route->npins > 0 || analyze))
        return false;
    if (state->route->npins == 0 && !goes_to_many(state->route))
        return false;
    List *exprs = ((CustomScan *)state->css.ss.ps.plan)->custom_exprs;
    ListCell *cell;
    foreach (cell, exprs)
        if (!is_evaluable((Node *)lfirst(cell), state->css.ss.ps.state))
            return false;
    resolve_shards(state);
    return true;
}

// What EXPLAIN was asked for, as far as the shard's EXPLAIN can do it too.
struct PlanOptions {
    bool analyze;
    bool verbose;
    bool costs;
    bool buffers;
    bool timing;
    bool summary;
    bool json;
};

PlanOptions options_of(const ExplainState *es, bool analyze)
{
    return {analyze,
            es->verbose,
            es->costs,
            es->buffers,
            es->timing,
            es->summary,
            es->format == EXPLAIN_FORMAT_JSON};
}

// The same from the statement, while it runs and its ExplainState is out of reach.
PlanOptions options_of(const ExplainStmt *statement)
{
    PlanOptions options = {true, false, true, false, true, true, false};
    ListCell *cell;
    foreach (cell, statement->options) {
        DefElem *option = (DefElem *)lfirst(cell);
        if (strcmp(option->defname, "verbose") == 0)
            options.verbose = defGetBoolean(option);
        else if (strcmp(option->defname, "costs") == 0)
            options.costs = defGetBoolean(option);
        else if (strcmp(option->defname, "buffers") == 0)
            options.buffers = defGetBoolean(option);
        else if (strcmp(option->defname, "timing") == 0)
            options.timing = defGetBoolean(option);
        else if (strcmp(option->defname, "summary") == 0)
            options.summary = defGetBoolean(option);
        else if (strcmp(option->defname, "format") == 0)
            options.json = pg_strcasecmp(defGetString(option), "json") == 0;
    }
    return options;
}

char *explain_command(const char *sql, const PlanOptions &options)
{
    auto word = [](bool on) { return on ? "on" : "off"; };
    return psprintf("EXPLAIN (ANALYZE %s, VERBOSE %s, COSTS %s, BUFFERS %s, SUMMARY %s%s, "
                    "FORMAT %s) %s",
                    word(options.analyze), word(options.verbose), word(options.costs),
                    word(options.buffers), word(options.summary),
                    options.analyze && !options.timing ? ", TIMING off" : "",
                    options.json ? "JSON" : "TEXT", sql);
}

// Runs EXPLAIN on the shard and returns its lines.
char *fetch_plan(RouteScanState *state, int32 shard, const PlanOptions &options)
{
    StringInfoData lines;
    const PGresult *result;
    int row;

    const char *sql = own_statement(state, shard).sql;
    RemoteQuery *query = send_to_shard(state, shard, explain_command(sql, options), 0, false);
    initStringInfo(&lines);
    while (next_row(query, &result, &row))
        appendStringInfo(&lines, "%s%s", lines.len > 0 ? "\n" : "", PQgetvalue(result, row, 0));
    end_query(query);
    return lines.data;
}

// Thousands of keys would hide the plan.
constexpr int longest_line_with_keys = 300;

void show_plan_text(const char *plan, bool has_keys, ExplainState *es)
{
    appendStringInfoSpaces(es->str, es->indent * 2);
    appendStringInfoString(es->str, "Remote Plan:\n");
    for (const char *line = plan; *line != '\0';) {
        const char *end = strchrnul(line, '\n');
        appendStringInfoSpaces(es->str, es->indent * 2 + 2);
        int length = (int)(end - line);
        bool is_cut = has_keys && length > longest_line_with_keys;
        if (is_cut)
            length = pg_mbcliplen(line, length, longest_line_with_keys);
        appendBinaryStringInfo(es->str, line, length);
        appendStringInfoString(es->str, is_cut ? "..." : "");
        appendStringInfoChar(es->str, '\n');
        line = *end == '\0' ? end : end + 1;
    }
}

void show_plan(RouteScanState *state, ExplainState *es)
{
    if (es->format == EXPLAIN_FORMAT_TEXT) {
        show_plan_text(state->remote_plan, state->route->key_param > 0, es);
        return;
    }
    if (es->format != EXPLAIN_FORMAT_JSON) {
        ExplainPropertyText("Remote Plan", state->remote_plan, es);
        return;
    }
    // The shard's JSON is an array; its elements go between the brackets of ours.
    const char *start = strchr(state->remote_plan, '[');
    const char *end = strrchr(state->remote_plan, ']');
    if (start == nullptr || end == nullptr)
        return;
    ExplainOpenGroup("Remote Plan", "Remote Plan", false, es);
    appendBinaryStringInfo(es->str, start + 1, (int)(end - start - 1));
    ExplainCloseGroup("Remote Plan", "Remote Plan", false, es);
}

void explain_lookup(const Lookup *lookup, ExplainState *es)
{
    ExplainPropertyInteger("Lookups", nullptr, lookups_sent(lookup), es);
    if (rows_kept(lookup) >= 0)
        ExplainPropertyInteger("Kept Rows", nullptr, rows_kept(lookup), es);
    if (keeps_rows_in_file(lookup))
        ExplainPropertyText("Storage", "Disk", es);
}

} // namespace

void explain_route(CustomScanState *node, List *, ExplainState *es)
{
    RouteScanState *state = (RouteScanState *)node;
    bool known = shards_are_known(state, es->analyze);

    explain_shards(state, known, es);
    if (es->analyze && state->lookup != nullptr)
        explain_lookup(state->lookup, es);
    // What locks or changes rows has run and must not run twice.
    // One shard's plan stands for all: they run the same statement.
    if (es->analyze && state->shards != NIL && state->remote_plan == nullptr &&
        explain_analyze_is_at_work())
        state->remote_plan =
            fetch_plan(state, linitial_int(state->shards), options_of(es, !state->route->writes));
    if (state->remote_plan != nullptr)
        show_plan(state, es);
}

bool runs_under_explain(const RouteScanState *state)
{
    return explain_analyze.statement != nullptr && executor_depth == 1 && utility_depth == 1 &&
           state->route->counts_rows;
}

void run_explained(RouteScanState *state)
{
    ListCell *cell;
    foreach (cell, state->shards) {
        char *plan = fetch_plan(state, lfirst_int(cell), options_of(explain_analyze.statement));
        if (foreach_current_index(cell) == 0)
            state->remote_plan = plan;
    }
}

} // namespace shardwise
