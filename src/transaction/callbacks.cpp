// The shards' transactions follow the router's: commit, rollback, subtransactions.
#include "transaction/participants_internal.hpp"

#include "monitor/monitor.hpp"
#include "transaction/commit_window.hpp"
#include "transaction/deadlock.hpp"
#include "transaction/recovery.hpp"
#include "transaction/shared.hpp"
#include "transaction/stop_point.hpp"
#include "transaction/wait_table.hpp"

namespace shardwise
{

static void finish_all_statements()
{
    for (int i = 0; i < participant_count; i++)
        finish_statements(participants[i].connection);
    // The rows of a lone read that nobody fetched are dropped with it; a lone write must have ended
    // well before the router may commit.
    for (int i = 0; i < lone_count; i++)
        if (connection_scope(lone_connections[i]) == Scope::LoneWrite)
            finish_statements(lone_connections[i]);
}

static bool commits_with(const Participant *p, bool writers)
{
    if ((p->write_level > 0) != writers || !transaction_was_sent(p->connection))
        return false;
    return writers || !outlives_router(p);
}

static void send_commits(bool writers)
{
    for (int i = 0; i < participant_count; i++)
        if (commits_with(&participants[i], writers))
            send_commit(participants[i].connection);
}

static void finish_commits(bool writers)
{
    for (int i = 0; i < participant_count; i++) {
        if (commits_with(&participants[i], writers)) {
            finish_commit(participants[i].connection);
            if (writers)
                count_commit(connection_meter(participants[i].connection), false);
        }
    }
}

static bool has_writer()
{
    for (int i = 0; i < participant_count; i++)
        if (commits_with(&participants[i], true))
            return true;
    return false;
}

// The end of a transaction that has only read has no outcome: what is lost with a session is lost
// to nobody.
static void finish_readers()
{
    TimestampTz deadline = finish_deadline();
    for (int i = 0; i < participant_count; i++) {
        int sqlstate;
        if (commits_with(&participants[i], false))
            (void)finish_quietly(participants[i].connection, deadline, &sqlstate);
    }
}

// Commits at most one shard that wrote, and those that did not: at the same time, but where they
// may still fail a serializable transaction, which must be known before.
static void commit_shards()
{
    bool together = has_writer() && !IsolationIsSerializable();
    send_commits(false);
    if (!together)
        finish_commits(false);
    send_commits(true);
    finish_commits(true);
    if (together)
        finish_readers();
}

void end_readers()
{
    for (int i = 0; i < participant_count; i++)
        if (connection_is_usable(participants[i].connection))
            finish_statements(participants[i].connection);
    for (int i = 0; i < participant_count; i++)
        if (commits_with(&participants[i], false))
            (void)send_quietly(participants[i].connection, "COMMIT");
    finish_readers();
    for (int i = 0; i < participant_count; i++)
        rollback_quietly(participants[i].connection);
    participant_count = 0; // their memory serves the next ones
    forget_sessions();
}

static void before_commit()
{
    finish_all_statements();
    if (needs_two_phase()) {
        prepare_writers();
    } else {
        commit_shards();
    }
}

// Ends every shard's part; what is still open there is rolled back.
static void leave_shards()
{
    for (int i = 0; i < participant_count; i++)
        rollback_quietly(participants[i].connection);
    for (int i = 0; i < lone_count; i++)
        rollback_quietly(lone_connections[i]);
    rollback_prepared();
    forget_participants();
    forget_snapshots();
    release_held_cancel();
}

static void refuse_prepare()
{
    if (participant_count > 0 || lone_count > 0)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot PREPARE a transaction that has used shards"),
                        errdetail("Its parts on the shards end together with the router's session, "
                                  "not with COMMIT PREPARED."),
                        errhint("Use COMMIT, which is atomic over all shards.")));
}

static void end_subtransaction(int level, bool committed)
{
    end_level_of_commands(level, committed);
    for (int i = 0; i < lone_count; i++) {
        if (committed)
            release_savepoint(lone_connections[i], level);
        else
            abandon_level(lone_connections[i], level);
    }
    for (int i = 0; i < participant_count; i++) {
        Participant *p = &participants[i];
        if (p->level < level)
            continue;
        if (committed)
            release_savepoint(p->connection, level);
        else
            rollback_to_savepoint(p->connection, level);
        p->level = level - 1;
        if (p->write_level >= level) {
            p->write_level = committed ? level - 1 : 0;
            p->writes = committed ? p->writes : 0;
        }
        if (p->places_level >= level)
            p->places_level = committed ? level - 1 : 0;
        if (p->read_only_level >= level)
            p->read_only_level = 0; // the mode ends with its level, on the shard as well
    }
}

extern "C" {

static void transaction_callback(XactEvent event, void *)
{
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
        forget_commands();
    if (participant_count == 0 && lone_count == 0) {
        if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
            event == XACT_EVENT_PREPARE) {
            forget_participants();
            forget_snapshots();
        }
        return;
    }
    switch (event) {
    case XACT_EVENT_PRE_COMMIT:
        before_commit();
        break;
    case XACT_EVENT_COMMIT:
        commit_prepared();
        leave_shards();
        break;
    case XACT_EVENT_ABORT:
        leave_shards();
        break;
    case XACT_EVENT_PRE_PREPARE:
        refuse_prepare();
        break;
    default:
        break;
    }
}

static void subtransaction_callback(SubXactEvent event, SubTransactionId, SubTransactionId, void *)
{
    if (event == SUBXACT_EVENT_ABORT_SUB) {
        abandon_read();
        end_wait();
        forget_finding();
    }
    if (event == SUBXACT_EVENT_COMMIT_SUB)
        end_subtransaction(GetCurrentTransactionNestLevel(), true);
    else if (event == SUBXACT_EVENT_ABORT_SUB)
        end_subtransaction(GetCurrentTransactionNestLevel(), false);
}
}

void init_transaction()
{
    init_shared();
    init_recovery_worker();
    init_stop_points();
    init_snapshots();
    init_deadlock_detection();
    RegisterXactCallback(transaction_callback, nullptr);
    RegisterSubXactCallback(subtransaction_callback, nullptr);
}

} // namespace shardwise
