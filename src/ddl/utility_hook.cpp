#include "ddl/utility_hook.hpp"

#include "catalog/catalog.hpp"
#include "ddl/copy_in.hpp"
#include "ddl/copy_out.hpp"
#include "ddl/ddl.hpp"
#include "ddl/forward.hpp"
#include "ddl/truncate.hpp"
#include "ddl/utility_targets.hpp"
#include "monitor/monitor.hpp"
#include "pg/nesting.hpp"

extern "C" {
#include "commands/defrem.h"
#include "tcop/utility.h"
}

namespace shardwise
{

namespace
{

ProcessUtility_hook_type previous_utility = nullptr;

int forward_depth = 0; // commands that are being forwarded

const ExplainStmt *as_explain_analyze(Node *statement)
{
    if (!IsA(statement, ExplainStmt))
        return nullptr;
    bool analyze = false;
    ListCell *cell;
    foreach (cell, ((ExplainStmt *)statement)->options) {
        DefElem *option = (DefElem *)lfirst(cell);
        if (strcmp(option->defname, "analyze") == 0)
            analyze = defGetBoolean(option);
    }
    return analyze ? (ExplainStmt *)statement : nullptr;
}

void run_instead(const UtilityCall &call, Node *statement)
{
    UtilityCall other = call;
    other.statement = copy_node(call.statement);
    other.statement->utilityStmt = statement;
    run_locally(other);
}

// False if a query does the work, which is counted as such.
bool run_on_target(const UtilityCall &call, Node *statement, Oid relid)
{
    if (IsA(statement, TruncateStmt)) {
        run_locally(call); // checks privileges and references, takes the lock
        truncate_on_shards((TruncateStmt *)statement);
    } else if (((CopyStmt *)statement)->is_from) {
        copy_in((CopyStmt *)statement, call.text, call.environment, call.completion);
    } else {
        CopyStmt *query = copy_table_out((CopyStmt *)statement, relid, call.completion);
        if (query != nullptr)
            run_instead(call, (Node *)query);
        return query == nullptr;
    }
    return true;
}

// Counts a command that went to shards among the queries.
void count_command(const UtilityCall &call, const instr_time &started)
{
    if (counted_shards() == 0)
        return;
    Query command = {T_Query};
    command.commandType = CMD_UTILITY;
    command.queryId = call.statement->queryId;
    command.utilityStmt = call.statement->utilityStmt;
    command.stmt_location = call.statement->stmt_location;
    command.stmt_len = call.statement->stmt_len;
    identify_query(&command, call.text);
    constexpr int no_tier = -1;
    count_query({(uint64)command.queryId, call.text, command.stmt_location, command.stmt_len,
                 no_tier, counted_shards(),
                 call.completion != nullptr ? call.completion->nprocessed : 0,
                 microseconds_since(started)});
}

// A foreign key of a local table is checked when rows go into that table, but the shards do not
// know of it when rows go from theirs.
void warn_of_one_sided_key(Node *statement)
{
    Oid referenced = find_referenced_table(statement);
    if (OidIsValid(referenced))
        ereport(WARNING,
                (errmsg("foreign key refers to distributed table \"%s\"", get_rel_name(referenced)),
                 errdetail("Changes of that table do not check the key until this table is "
                           "distributed with it."),
                 errhint("Call shardwise.distribute_table() with colocate_with.")));
}

// In a session that restores a dump: the table whose rows are loaded, if it was distributed before.
Oid find_loaded_table(Node *statement)
{
    if (!IsA(statement, CopyStmt) || !((CopyStmt *)statement)->is_from)
        return InvalidOid;
    return find_utility_target(statement);
}

bool forward(const UtilityCall &call)
{
    bool forwarded = false;
    run_nested(&forward_depth, [&] { forwarded = forward_ddl(call); });
    return forwarded;
}

// Runs what concerns shards although it names no one table; false: it does not.
bool take_over(const UtilityCall &call)
{
    const Node *statement = call.statement->utilityStmt;
    if (IsA(statement, CopyStmt) && ((const CopyStmt *)statement)->query != nullptr)
        return copy_query_out((const CopyStmt *)statement, call.text, call.environment,
                              call.completion);
    return forward(call);
}

void process(const UtilityCall &call)
{
    Node *statement = call.statement->utilityStmt;
    Oid target = InvalidOid;
    bool may_look = IsTransactionState() && !IsAbortedTransactionBlockState() && extension_exists();
    bool concerns_shards = may_look && !session_restores_dump();
    // The parts of a command that is forwarded as a whole.
    bool may_forward =
        concerns_shards && (forward_depth == 0 || call.context != PROCESS_UTILITY_SUBCOMMAND);
    if (concerns_shards) {
        target = find_utility_target(statement);
        if (!OidIsValid(target) && utility_depth == 0)
            warn_of_one_sided_key(statement);
    } else if (may_look) {
        target = find_loaded_table(statement);
    }

    bool counts = concerns_shards && utility_depth == 0 && executor_depth == 0 && tracks_queries();
    instr_time started;
    INSTR_TIME_SET_ZERO(started);
    if (counts) {
        INSTR_TIME_SET_CURRENT(started);
        begin_counting_shards();
    }
    bool is_command = false;
    ExplainCommand explain = {as_explain_analyze(statement), executor_depth};
    run_with(&explain_analyze, explain, [&] {
        run_nested(&utility_depth, [&] {
            if (OidIsValid(target))
                is_command = run_on_target(call, statement, target);
            else if (!may_forward || !(is_command = take_over(call)))
                run_locally(call);
        });
    });
    if (counts && is_command)
        count_command(call, started);
}

extern "C" void shardwise_process_utility(PlannedStmt *statement, const char *text,
                                          bool read_only_tree, ProcessUtilityContext context,
                                          ParamListInfo params, QueryEnvironment *environment,
                                          DestReceiver *destination, QueryCompletion *completion)
{
    process(
        {statement, text, read_only_tree, context, params, environment, destination, completion});
}

} // namespace

void run_locally(const UtilityCall &call)
{
    ProcessUtility_hook_type run =
        previous_utility != nullptr ? previous_utility : standard_ProcessUtility;
    run(call.statement, call.text, call.read_only_tree, call.context, call.params, call.environment,
        call.destination, call.completion);
}

void init_utility_hook()
{
    previous_utility = ProcessUtility_hook;
    ProcessUtility_hook = shardwise_process_utility;
}

} // namespace shardwise
