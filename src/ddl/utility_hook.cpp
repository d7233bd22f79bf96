#include "ddl/utility_hook.hpp"

#include "catalog/catalog.hpp"
#include "ddl/copy_in.hpp"
#include "ddl/copy_out.hpp"
#include "ddl/ddl.hpp"
#include "ddl/truncate.hpp"
#include "ddl/utility_targets.hpp"
#include "pg/nesting.hpp"

extern "C" {
#include "access/xlog.h"
#include "commands/defrem.h"
#include "tcop/utility.h"
}

namespace shardwise
{

namespace
{

ProcessUtility_hook_type previous_utility = nullptr;

// All that a utility hook is given, to be passed on.
struct UtilityCall {
    PlannedStmt *statement;
    const char *text;
    bool read_only_tree;
    ProcessUtilityContext context;
    ParamListInfo params;
    QueryEnvironment *environment;
    DestReceiver *destination;
    QueryCompletion *completion;
};

void run_locally(const UtilityCall &call)
{
    ProcessUtility_hook_type run =
        previous_utility != nullptr ? previous_utility : standard_ProcessUtility;
    run(call.statement, call.text, call.read_only_tree, call.context, call.params, call.environment,
        call.destination, call.completion);
}

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

[[noreturn]] void refuse(Node *statement, Oid relid)
{
    const char *command = GetCommandTagName(CreateCommandTag(statement));
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("cannot run %s on distributed table \"%s\"", command, get_rel_name(relid)),
             errdetail("The table's rows are on the shards, which the command would not reach."),
             errhint("Bring the rows home with shardwise.undistribute_table() first.")));
}

void run_on_target(const UtilityCall &call, Node *statement, Oid relid)
{
    if (IsA(statement, TruncateStmt)) {
        run_locally(call); // checks privileges and references, takes the lock
        truncate_on_shards((TruncateStmt *)statement);
    } else if (IsA(statement, CopyStmt) && ((CopyStmt *)statement)->is_from) {
        copy_in((CopyStmt *)statement, call.text, call.environment, call.completion);
    } else if (IsA(statement, CopyStmt)) {
        copy_out((CopyStmt *)statement, relid, call.completion);
    } else {
        refuse(statement, relid);
    }
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

void process(const UtilityCall &call)
{
    Node *statement = call.statement->utilityStmt;
    Oid target = InvalidOid;
    if (IsTransactionState() && !IsAbortedTransactionBlockState() && extension_exists() &&
        !session_restores_dump()) {
        target = find_utility_target(statement);
        if (!OidIsValid(target) && utility_depth == 0)
            warn_of_one_sided_key(statement);
    }

    const ExplainStmt *explained_before = explain_analyze;
    explain_analyze = utility_depth == 0 ? as_explain_analyze(statement) : nullptr;
    run_nested(&utility_depth, [&] {
        if (OidIsValid(target))
            run_on_target(call, statement, target);
        else
            run_locally(call);
    });
    explain_analyze = explained_before;
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

void init_utility_hook()
{
    previous_utility = ProcessUtility_hook;
    ProcessUtility_hook = shardwise_process_utility;
}

} // namespace shardwise
