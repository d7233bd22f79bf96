// Two-phase commit: the shards prepare, the router's own commit decides, the shards follow.
//
// The decision is a row in shardwise.commit_decision, written by the router's transaction. A
// prepared transaction whose router transaction is over is committed if its row is there, and
// rolled back otherwise; docs/internals.md goes through the crashes.
#include "transaction/participants_internal.hpp"

#include "monitor/monitor.hpp"
#include "pg/deadlines.hpp"
#include "transaction/commit_window.hpp"
#include "transaction/decision.hpp"
#include "transaction/finders.hpp"
#include "transaction/shared.hpp"
#include "transaction/stop_point.hpp"

namespace shardwise
{

// How long shards may take to finish what has been decided. Then they are left to recovery.
static constexpr int finish_seconds = 30;

// The current transaction's two-phase commit; gid is empty where there is none.
static struct {
    GlobalId gid;
    bool decided; // the row is written, and decides once the router has committed
} current;

static int count_writers()
{
    int writers = 0;
    for (int i = 0; i < participant_count; i++)
        writers +=
            participants[i].write_level > 0 && transaction_was_sent(participants[i].connection);
    return writers;
}

// The router and one shard are two places as well, if the router wrote. Sequences count as writes,
// though nothing depends on them; a shard that cannot prepare is committed first, in one phase.
bool needs_two_phase()
{
    int writers = count_writers();
    if (writers != 1)
        return writers > 1;
    for (int i = 0; i < participant_count; i++) {
        Participant *p = &participants[i];
        if (p->write_level > 0)
            return p->management || (TransactionIdIsValid(GetTopTransactionIdIfAny()) &&
                                     max_prepared_transactions(p->connection) > 0);
    }
    return false;
}

void require_two_phase(const Participant *p)
{
    if (max_prepared_transactions(p->connection) > 0)
        return;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("cannot write on several servers in one transaction: prepared "
                           "transactions are disabled on shard \"%s\"",
                           connection_shard_name(p->connection)),
                    errhint("Set max_prepared_transactions on the shard to the router's "
                            "max_connections or more, and restart the shard.")));
}

// Row locks are kept until the router has committed what they protect. A serializable transaction
// may still fail at its commit, which must be known before.
bool outlives_router(const Participant *p)
{
    return p->locks && p->write_level == 0 && !IsolationIsSerializable();
}

void prepare_writers()
{
    current.gid = make_global_id();
    set_live_transaction(current.gid.number);
    stop_point("before_prepare");
    for (int i = 0; i < participant_count; i++) {
        Participant *p = &participants[i];
        if (!transaction_was_sent(p->connection) || outlives_router(p))
            continue;
        if (p->write_level > 0) {
            p->prepare_sent = true;
            send_prepare(p->connection, prepared_name(&current.gid, p->shard_id).text);
            stop_point("between_prepares");
        } else {
            send_commit(p->connection);
        }
    }
    for (int i = 0; i < participant_count; i++) {
        Participant *p = &participants[i];
        if (p->prepare_sent)
            finish_prepare(p->connection);
        else if (transaction_was_sent(p->connection) && !outlives_router(p))
            finish_commit(p->connection);
    }
    stop_point("before_waiters");
    await_finders(&current.gid);
    stop_point("after_prepare");
    record_decision(&current.gid);
    current.decided = true;
    ForceSyncCommit(); // also where the session does not wait for its commits
    stop_point("before_decision");
}

static void warn_unfinished(const Participant *p, const char *failure)
{
    ereport(
        WARNING,
        (errcode(ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN),
         errmsg("could not finish the commit on shard \"%s\"",
                connection_shard_name(p->connection)),
         p->prepare_sent
             ? errdetail("The transaction is committed; the shard has it prepared as \"%s\": %s.",
                         prepared_name(&current.gid, p->shard_id).text, failure)
             : errdetail("The transaction is committed; the shard has only locked rows: %s.",
                         failure)));
}

static void send_finish(const Participant *p, const char *verb)
{
    char command[sizeof(PreparedName) + 32];
    if (p->prepare_sent)
        snprintf(command, sizeof(command), "%s PREPARED '%s'", verb,
                 prepared_name(&current.gid, p->shard_id).text);
    send_quietly(p->connection, p->prepare_sent ? command : verb);
}

static void forget_current()
{
    if (current.gid.number != 0)
        set_live_transaction(0);
    current = {};
    end_leaving_rows();
}

// True for a part that is still to be committed once the router has.
static bool follows_router(const Participant *p)
{
    return p->prepare_sent || (outlives_router(p) && transaction_was_sent(p->connection));
}

TimestampTz finish_deadline()
{
    return milliseconds_from_now(finish_seconds * 1000);
}

static bool finish_part(const Participant *p, TimestampTz deadline)
{
    int sqlstate;
    const char *failure = finish_quietly(p->connection, deadline, &sqlstate);
    if (failure == nullptr)
        return true;
    warn_unfinished(p, failure);
    if (p->prepare_sent)
        mark_in_doubt(p->shard_id);
    return !p->prepare_sent;
}

static int count_prepared()
{
    int prepared = 0;
    for (int i = 0; i < participant_count; i++)
        prepared += participants[i].prepare_sent;
    return prepared;
}

// Ends the parts that wait for the router's commit, all at the same time.
void commit_prepared()
{
    if (participant_count == 0)
        return;
    if (current.decided)
        stop_point("after_decision");
    bool is_seen_in_parts = count_prepared() > 1;
    if (is_seen_in_parts)
        enter_window(Party::Committers);
    for (int i = 0; i < participant_count; i++) {
        const Participant *p = &participants[i];
        if (follows_router(p))
            send_finish(p, "COMMIT");
        if (p->prepare_sent)
            stop_point("between_commits");
    }

    TimestampTz deadline = finish_deadline();
    bool finished = true;
    for (int i = 0; i < participant_count; i++) {
        Participant *p = &participants[i];
        if (follows_router(p))
            finished = finish_part(p, deadline) && finished;
        if (p->prepare_sent)
            count_commit(connection_meter(p->connection), true);
        p->prepare_sent = false;
    }
    if (is_seen_in_parts)
        leave_window();
    if (current.decided) {
        end_decision(finished);
        stop_point("after_commits");
    }
    forget_current();
}

// Undoes what has been prepared, or may have been. Where that fails, recovery does it.
void rollback_prepared()
{
    if (count_prepared() == 0) {
        forget_current();
        return;
    }
    for (int i = 0; i < participant_count; i++)
        if (participants[i].prepare_sent)
            send_finish(&participants[i], "ROLLBACK");
    TimestampTz deadline = finish_deadline();
    for (int i = 0; i < participant_count; i++) {
        int sqlstate;
        if (!participants[i].prepare_sent)
            continue;
        const char *failure = finish_quietly(participants[i].connection, deadline, &sqlstate);
        if (failure != nullptr && sqlstate != ERRCODE_UNDEFINED_OBJECT) // it had not come to that
            mark_in_doubt(participants[i].shard_id);
    }
    forget_current();
}

} // namespace shardwise
