// Recognises a statement that is the whole of its transaction. Sending it without BEGIN saves a
// round trip; where that is wrong, a later error of the client's command would leave it committed.
#include "transaction/participants_internal.hpp"

#include "pg/nesting.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "libpq/libpq.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "utils/portal.h"
}

namespace shardwise
{

// True where the client's next message has arrived and is Sync: the transaction ends right after
// the Execute under way. Anything else might add to the transaction, or fail it.
static bool sync_comes_next()
{
    if (!pq_buffer_has_data())
        return false;
    pq_startmsgread();
    int type = pq_peekbyte();
    pq_endmsgread();
    return type == 'S';
}

// The simple protocol runs its portal without a cached plan and hides it from pg_cursors; portals
// of the extended protocol, of EXECUTE and of functions differ in one or both.
static bool is_simple_protocol(const Portal portal)
{
    return portal->cplan == nullptr && !portal->visible && portal->name[0] == '\0';
}

// A portal with a plan, no utility command.
static bool runs_one_statement(const Portal portal)
{
    return linitial_node(PlannedStmt, portal->stmts)->utilityStmt == nullptr;
}

// Several statements in one simple message are a transaction block too, an implicit one.
static bool is_alone()
{
    return !IsTransactionBlock() && GetCurrentTransactionNestLevel() == 1 && executor_depth <= 1 &&
           (MyXactFlags & XACT_FLAGS_PIPELINING) == 0 && ActivePortal != nullptr &&
           ActivePortal->status == PORTAL_ACTIVE && list_length(ActivePortal->stmts) == 1;
}

// Other modes than the default need a BEGIN that says so.
bool is_whole_transaction()
{
    return is_alone() && utility_depth == 0 && XactIsoLevel <= XACT_READ_COMMITTED &&
           !XactReadOnly && whereToSendOutput == DestRemote && runs_one_statement(ActivePortal) &&
           (is_simple_protocol(ActivePortal) || sync_comes_next());
}

// A command that runs a query, itself and once.
static bool runs_a_query(const Node *command)
{
    return IsA(command, CopyStmt) || IsA(command, ExplainStmt) || IsA(command, ExecuteStmt) ||
           IsA(command, CreateTableAsStmt) || IsA(command, RefreshMatViewStmt);
}

bool reads_as_one_statement()
{
    if (!is_alone())
        return false;
    const Node *command = linitial_node(PlannedStmt, ActivePortal->stmts)->utilityStmt;
    return command != nullptr ? utility_depth == 1 && runs_a_query(command) : utility_depth == 0;
}

} // namespace shardwise
