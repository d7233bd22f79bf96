// Functions by which an operator steers plans. They only write what is wanted into the catalog; the
// workers see it within a second.
#include "pg/pg.hpp"

#include "catalog/lock_tags.hpp"
#include "catalog/moves.hpp"
#include "pg/arguments.hpp"
#include "reshard/cleanup.hpp"
#include "reshard/move.hpp"
#include "reshard/replication.hpp"
#include "reshard/verify.hpp"
#include "reshard/worker.hpp"

extern "C" {
#include "storage/lock.h"
#include "utils/timestamp.h"
}

namespace shardwise
{

namespace
{

struct PlanRow {
    int32 id;
    const char *state, *wanted;
    bool any_swapped;
};

void require_owner(int32 plan_id, const char *owner)
{
    Oid role = static_cast<Oid>(strtoul(owner, nullptr, 10));
    if (!superuser() && !has_privs_of_role(GetUserId(), role))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("permission denied for plan %d", plan_id),
                        errdetail("Only the role that made the plan may run it.")));
}

// Locks the plan's row to the end of the transaction.
PlanRow lock_plan(int32 plan_id)
{
    Rows rows = catalogf("SELECT p.state, p.wanted, p.owner, EXISTS (SELECT FROM shardwise.move m "
                         "WHERE m.plan_id = p.plan_id AND m.state = 'swapped') "
                         "FROM shardwise.plan p WHERE p.plan_id = %d FOR UPDATE",
                         plan_id);
    if (rows.count == 0)
        raise_no_plan(plan_id);
    char **row = rows.values[0];
    require_owner(plan_id, row[2]);
    return {plan_id, row[0], row[1], row[3][0] == 't'};
}

bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

[[noreturn]] void refuse(const PlanRow &plan, const char *action, const char *hint)
{
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("cannot %s plan %d", action, plan.id),
                    errdetail("The plan is in state \"%s\"%s%s%s.", plan.state,
                              is(plan.wanted, "run") ? "" : ", and on its way to \"",
                              is(plan.wanted, "run") ? "" : plan.wanted,
                              is(plan.wanted, "run") ? "" : "\""),
                    hint != nullptr ? errhint("%s", hint) : 0));
}

bool is_over(const PlanRow &plan)
{
    return is(plan.state, "done") || is(plan.state, "cancelled") || is(plan.state, "rolled_back");
}

void want(const PlanRow &plan, const char *wish, const char *state = nullptr)
{
    catalogf("UPDATE shardwise.plan SET wanted = '%s'%s WHERE plan_id = %d", wish,
             state != nullptr ? psprintf(", state = '%s', error = NULL, started_at = "
                                         "coalesce(started_at, clock_timestamp())",
                                         state)
                              : "",
             plan.id);
    start_runner(MyDatabaseId, GetTopTransactionId());
}

void check_choice(const char *argument, const char *value,
                  std::initializer_list<const char *> known)
{
    for (const char *choice : known)
        if (is(choice, value))
            return;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("invalid value for argument \"%s\": \"%s\"", argument, value)));
}

// Plans start one after the other: each sees whether it gets in the way of those before it.
void lock_starts()
{
    LOCKTAG tag = lock_tag(LockKind::Start);
    (void)LockAcquire(&tag, ExclusiveLock, false, false);
}

// What would stop the plan halfway stops it here.
void require_valid(const PlanRow &plan)
{
    Rows rows = catalogf("SELECT check_name, detail FROM shardwise.validate_plan(%d) "
                         "WHERE severity = 'error'",
                         plan.id);
    if (rows.count == 0)
        return;
    StringInfoData findings;
    initStringInfo(&findings);
    for (int i = 0; i < rows.count; i++)
        appendStringInfo(&findings, "%s%s: %s", i > 0 ? "\n" : "", rows.values[i][0],
                         rows.values[i][1]);
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("plan %d cannot run", plan.id), errdetail_internal("%s", findings.data),
                    errhint("shardwise.validate_plan() checks it again.")));
}

// True while the workers have something to do for the plan.
bool is_under_way(const char *state, const char *wanted)
{
    if (is(state, "running"))
        return true;
    bool over = is(state, "done") || is(state, "cancelled") || is(state, "rolled_back");
    return !over && !is(wanted, "run") && !is(wanted, "pause");
}

// Reads what is committed now, whatever the snapshot of this transaction.
Rows read_plan(int32 plan_id)
{
    return catalogf("SELECT state, wanted, owner FROM shardwise.plan WHERE plan_id = %d", plan_id);
}

} // namespace

} // namespace shardwise

using namespace shardwise;

// start_plan(plan_id int, verification text)
SHARDWISE_FUNCTION(shardwise_start_plan)
{
    PlanRow plan = lock_plan(PG_GETARG_INT32(0));
    const char *verification = text_to_cstring(PG_GETARG_TEXT_PP(1));
    check_choice("verification", verification, {"full", "sampled", "none"});
    if (!is(plan.state, "planned"))
        refuse(plan, "start",
               is(plan.state, "paused") ? "Use shardwise.resume_plan()." : "Make a new plan.");
    lock_starts();
    require_valid(plan);
    catalogf("UPDATE shardwise.plan SET verification = '%s' WHERE plan_id = %d", verification,
             plan.id);
    want(plan, "run", "running");
    PG_RETURN_VOID();
}

// wait_plan(plan_id int, timeout interval) -> text
SHARDWISE_FUNCTION(shardwise_wait_plan)
{
    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    int32 plan_id = PG_GETARG_INT32(0);
    TimestampTz deadline = DT_NOEND;
    if (!PG_ARGISNULL(1))
        deadline = DatumGetTimestampTz(
            DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()),
                                PG_GETARG_DATUM(1)));
    if (IsolationUsesXactSnapshot())
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("cannot wait for a plan in a transaction of this isolation level"),
                 errdetail("Its snapshot does not change."), errhint("Use READ COMMITTED.")));
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "shardwise wait", ALLOCSET_SMALL_SIZES);
    for (;;) {
        MemoryContext caller = MemoryContextSwitchTo(scratch);
        Rows rows = read_plan(plan_id);
        if (rows.count == 0)
            raise_no_plan(plan_id);
        require_owner(plan_id, rows.values[0][2]);
        bool waits = is_under_way(rows.values[0][0], rows.values[0][1]);
        MemoryContextSwitchTo(caller);
        if (!waits || GetCurrentTimestamp() >= deadline)
            PG_RETURN_TEXT_P(cstring_to_text(rows.values[0][0]));
        MemoryContextReset(scratch);
        pause_for(20);
    }
}

// pause_plan(plan_id int)
SHARDWISE_FUNCTION(shardwise_pause_plan)
{
    PlanRow plan = lock_plan(PG_GETARG_INT32(0));
    if (!is(plan.state, "running") || !is(plan.wanted, "run"))
        refuse(plan, "pause", nullptr);
    want(plan, "pause");
    PG_RETURN_VOID();
}

// resume_plan(plan_id int, on_mismatch text)
SHARDWISE_FUNCTION(shardwise_resume_plan)
{
    if (PG_ARGISNULL(0))
        PG_RETURN_VOID();
    PlanRow plan = lock_plan(PG_GETARG_INT32(0));
    const char *on_mismatch = text_argument(fcinfo, 1);
    bool resumable = is(plan.state, "paused") || is(plan.state, "failed") ||
                     (is(plan.state, "running") && is(plan.wanted, "pause"));
    // A rollback that a verification stopped goes on with the choice that is made now.
    bool rolls_back = is(plan.wanted, "rollback") && on_mismatch != nullptr && !is_over(plan);
    if (!rolls_back && (!resumable || is(plan.wanted, "cancel") || is(plan.wanted, "rollback")))
        refuse(plan, "resume", is(plan.state, "planned") ? "Use shardwise.start_plan()." : nullptr);
    if (on_mismatch != nullptr) {
        check_choice("on_mismatch", on_mismatch, {"stop", "repair", "force"});
        catalogf("UPDATE shardwise.plan SET on_mismatch = '%s' WHERE plan_id = %d", on_mismatch,
                 plan.id);
    }
    if (rolls_back)
        PG_RETURN_VOID();
    // What failed over differences goes on from there; anything else was cleaned up and starts
    // anew.
    catalogf("UPDATE shardwise.move m SET state = CASE WHEN leftovers THEN 'catching_up' ELSE "
             "'planned' END, error = NULL, finished_at = NULL, state_since = clock_timestamp() "
             "WHERE plan_id = %d AND state = 'failed'",
             plan.id);
    want(plan, "run", "running");
    PG_RETURN_VOID();
}

// cancel_plan(plan_id int)
SHARDWISE_FUNCTION(shardwise_cancel_plan)
{
    PlanRow plan = lock_plan(PG_GETARG_INT32(0));
    if (is_over(plan) || is(plan.state, "swapped") || is(plan.wanted, "rollback") ||
        is(plan.wanted, "finish"))
        refuse(plan, "cancel",
               is(plan.state, "swapped")
                   ? "All its moves have swapped: use shardwise.rollback_plan()."
                   : nullptr);
    if (is(plan.state, "planned")) {
        catalogf("UPDATE shardwise.move SET state = 'cancelled', finished_at = clock_timestamp() "
                 "WHERE plan_id = %d",
                 plan.id);
        catalogf("UPDATE shardwise.plan SET state = 'cancelled', wanted = 'cancel', "
                 "finished_at = clock_timestamp() WHERE plan_id = %d",
                 plan.id);
    } else {
        want(plan, "cancel");
    }
    PG_RETURN_VOID();
}

// rollback_plan(plan_id int)
SHARDWISE_FUNCTION(shardwise_rollback_plan)
{
    PlanRow plan = lock_plan(PG_GETARG_INT32(0));
    Rows cleaned = catalogf("SELECT 1 FROM shardwise.move WHERE plan_id = %d AND state IN "
                            "('cleaning', 'done')",
                            plan.id);
    if (is_over(plan) || is(plan.state, "planned") || is(plan.wanted, "finish") ||
        cleaned.count > 0)
        refuse(plan, "roll back",
               is(plan.state, "planned") ? "It has not been started: use shardwise.cancel_plan()."
                                         : "Make a new plan that moves the rows back.");
    catalogf("UPDATE shardwise.plan SET error = NULL WHERE plan_id = %d", plan.id);
    want(plan, "rollback");
    PG_RETURN_VOID();
}

// finish_plan(plan_id int)
SHARDWISE_FUNCTION(shardwise_finish_plan)
{
    PlanRow plan = lock_plan(PG_GETARG_INT32(0));
    if (!is(plan.state, "swapped") || is(plan.wanted, "rollback"))
        refuse(plan, "finish",
               is(plan.state, "running")
                   ? "Its moves have not all swapped: use shardwise.wait_plan()."
                   : nullptr);
    want(plan, "finish");
    PG_RETURN_VOID();
}
