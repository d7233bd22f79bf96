// Recovery: what is prepared on a shard and belongs to no live transaction gets the decision that
// the router's own transaction took.
#include "transaction/recovery.hpp"

#include "pg/deadlines.hpp"
#include "remote/session.hpp"
#include "transaction/decision.hpp"
#include "transaction/shared.hpp"

extern "C" {
#include "access/xlog.h"
#include "catalog/pg_user_mapping.h"
#include "storage/latch.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace shardwise
{

namespace
{

// A COMMIT PREPARED that the shard is still busy with, from before a crash, is waited for.
constexpr int busy_attempts = 250;
constexpr long busy_milliseconds = 20;

// A prepared transaction of this router, as a shard lists it.
struct Prepared {
    char *name;
    char *since;
    char *owner;
    bool may_finish; // the session's user may
    GlobalId gid;
};

enum class Decision { Commit, Rollback, Running };

// One line a transaction; the columns are free of tabs.
char *list_command()
{
    return psprintf(
        "SELECT pg_catalog.string_agg(pg_catalog.concat_ws(E'\\t', gid, "
        "pg_catalog.to_char(prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00'), "
        "owner = current_user OR (SELECT rolsuper FROM pg_catalog.pg_roles "
        "WHERE rolname = current_user), owner), E'\\n') "
        "FROM pg_catalog.pg_prepared_xacts "
        "WHERE database = pg_catalog.current_database() "
        "AND pg_catalog.starts_with(gid, %s)",
        quote_literal_cstr(global_id_prefix()));
}

char *take_field(char **text, char separator)
{
    char *field = *text;
    char *end = strchr(field, separator);
    *text = end != nullptr ? end + 1 : field + strlen(field);
    if (end != nullptr)
        *end = '\0';
    return field;
}

// Lists what this router has prepared on a session's shard; false with *failure.
bool list_prepared(Session *session, const Shard *shard, List **prepared, const char **failure)
{
    SessionResult result = run_in_session(session, list_command());
    *prepared = NIL;
    if (!result.ok) {
        *failure = result.error;
        return false;
    }
    char *lines = result.values != nullptr ? result.values[0] : nullptr;
    while (lines != nullptr && *lines != '\0') {
        char *line = take_field(&lines, '\n');
        Prepared *p = static_cast<Prepared *>(palloc0(sizeof(Prepared)));
        p->name = take_field(&line, '\t');
        p->since = take_field(&line, '\t');
        p->may_finish = take_field(&line, '\t')[0] == 't';
        p->owner = line;
        int32 shard_id;
        if (parse_prepared_name(p->name, &p->gid, &shard_id) && shard_id == shard->id)
            *prepared = lappend(*prepared, p);
    }
    return true;
}

// The order matters: a transaction that is not live has written its decision, or never will.
Decision decide(const Prepared *p)
{
    if (transaction_is_live(p->gid.number))
        return Decision::Running;
    return decision_exists(&p->gid) ? Decision::Commit : Decision::Rollback;
}

// Somebody else may be finishing it, or have finished it.
bool is_finished_elsewhere(const SessionResult *result)
{
    return result->sqlstate != nullptr && strcmp(result->sqlstate, "42704") == 0;
}

bool is_busy(const SessionResult *result)
{
    return result->sqlstate != nullptr && strcmp(result->sqlstate, "55000") == 0;
}

void pause()
{
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, busy_milliseconds,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

// What was done on one shard.
struct Outcome {
    List *finished;      // of Prepared
    List *decisions;     // of int, for each
    int left;            // cannot be finished with the sessions tried so far
    const char *failure; // of the last attempt
};

// Finishes what the session's user may finish.
void finish_in_session(Session *session, const Shard *shard, Outcome *outcome)
{
    for (int attempt = 0; attempt < busy_attempts; attempt++) {
        List *prepared;
        bool busy = false;
        outcome->left = 1;
        if (!list_prepared(session, shard, &prepared, &outcome->failure))
            return;
        outcome->left = 0;
        ListCell *cell;
        foreach (cell, prepared) {
            Prepared *p = static_cast<Prepared *>(lfirst(cell));
            Decision decision = decide(p);
            if (decision == Decision::Running)
                continue;
            outcome->left++;
            outcome->failure =
                psprintf("the shard has \"%s\" prepared by role \"%s\"", p->name, p->owner);
            if (!p->may_finish)
                continue;
            SessionResult result = run_in_session(
                session,
                psprintf("%s PREPARED %s", decision == Decision::Commit ? "COMMIT" : "ROLLBACK",
                         quote_literal_cstr(p->name)));
            if (result.ok) {
                outcome->finished = lappend(outcome->finished, p);
                outcome->decisions = lappend_int(outcome->decisions, static_cast<int>(decision));
            }
            if (result.ok || is_finished_elsewhere(&result))
                outcome->left--;
            else
                outcome->failure = result.error;
            busy = busy || is_busy(&result);
        }
        if (!busy)
            return;
        pause();
    }
}

// The users of a server's mappings, InvalidOid for PUBLIC, which comes first.
List *list_mapped_roles(Oid server)
{
    List *roles = NIL;
    Relation rel = table_open(UserMappingRelationId, AccessShareLock);
    SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, nullptr, 0, nullptr);
    while (HeapTuple tuple = systable_getnext(scan)) {
        Form_pg_user_mapping mapping = (Form_pg_user_mapping)GETSTRUCT(tuple);
        if (mapping->umserver != server)
            continue;
        if (OidIsValid(mapping->umuser))
            roles = lappend_oid(roles, mapping->umuser);
        else
            roles = lcons_oid(InvalidOid, roles);
    }
    systable_endscan(scan);
    table_close(rel, AccessShareLock);
    return roles;
}

// One that does not answer must not keep those behind it from their turn.
Session *open_shard(const Shard *shard, Oid role, const char **failure)
{
    constexpr int patience_ms = 30000; // for a few commands
    char *error = nullptr;
    Session *session =
        open_session(stored_options(shard->server, role), CurrentMemoryContext, &error);
    if (session == nullptr)
        *failure = error;
    else
        session->deadline = milliseconds_from_now(patience_ms);
    return session;
}

// Finishes what is in doubt on a shard, trying the users of its mappings until nothing is left.
Outcome resolve_shard(const Shard *shard)
{
    Outcome outcome = {NIL, NIL, 1, "it has no user mapping"};
    uint32 generation = doubt_generation(shard->id);
    ListCell *cell;
    foreach (cell, list_mapped_roles(shard->server)) {
        Session *session = open_shard(shard, lfirst_oid(cell), &outcome.failure);
        if (session == nullptr)
            continue;
        finish_in_session(session, shard, &outcome);
        close_session(session);
        if (outcome.left == 0)
            break;
    }
    if (outcome.left == 0)
        clear_doubt(shard->id, generation);
    return outcome;
}

// The cache's entry may go away while a shard is waited for.
Shard *copy_shard(const Shard *shard)
{
    Shard *copy = static_cast<Shard *>(palloc(sizeof(Shard)));
    *copy = *shard;
    return copy;
}

List *copy_shards()
{
    const Shard *const *shards;
    int n = list_shards(&shards);
    List *copies = NIL;
    for (int i = 0; i < n; i++)
        if (OidIsValid(shards[i]->server))
            copies = lappend(copies, copy_shard(shards[i]));
    return copies;
}

MemoryContext make_context()
{
    return AllocSetContextCreate(CurrentMemoryContext, "shardwise recovery", ALLOCSET_SMALL_SIZES);
}

} // namespace

// A standby cannot tell what is in doubt: the primary's live transactions are not its own.
void settle_shard(const Shard *shard)
{
    if (likely(!shard_is_in_doubt(shard->id)) || RecoveryInProgress() || !OidIsValid(shard->server))
        return;
    MemoryContext context = make_context();
    MemoryContext saved = MemoryContextSwitchTo(context);
    shard = copy_shard(shard);
    Outcome outcome = resolve_shard(shard);
    if (outcome.left > 0)
        ereport(ERROR,
                (errcode(ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN),
                 errmsg("shard \"%s\" may hold transactions in doubt", NameStr(shard->name)),
                 errdetail("Their commit was interrupted, and they could not be finished: %s.",
                           outcome.failure),
                 errhint("See the view shardwise.in_doubt_transactions once the shard answers.")));
    MemoryContextSwitchTo(saved);
    MemoryContextDelete(context);
}

static void log_outcome(const Shard *shard, const Outcome *outcome)
{
    ListCell *name, *decision;
    forboth (name, outcome->finished, decision, outcome->decisions)
        ereport(LOG,
                (errmsg("%s prepared transaction \"%s\" on shard \"%s\"",
                        lfirst_int(decision) == static_cast<int>(Decision::Commit) ? "committed"
                                                                                   : "rolled back",
                        static_cast<Prepared *>(lfirst(name))->name, NameStr(shard->name))));
    if (outcome->left > 0)
        ereport(LOG, (errmsg("could not finish all prepared transactions on shard \"%s\": %s",
                             NameStr(shard->name), outcome->failure)));
}

bool recover_all_shards()
{
    MemoryContext context = make_context();
    MemoryContext saved = MemoryContextSwitchTo(context);
    List *obsolete = list_finished_decisions(); // if they are prepared nowhere
    bool all = true;
    ListCell *cell;
    foreach (cell, copy_shards()) {
        const Shard *shard = static_cast<const Shard *>(lfirst(cell));
        Outcome outcome = resolve_shard(shard);
        log_outcome(shard, &outcome);
        all = all && outcome.left == 0;
    }
    if (all)
        delete_decisions(obsolete);
    MemoryContextSwitchTo(saved);
    MemoryContextDelete(context);
    return all;
}

static void warn_unreachable(const Shard *shard, const char *failure)
{
    ereport(WARNING, (errmsg("could not look at the prepared transactions of shard \"%s\"",
                             NameStr(shard->name)),
                      errdetail_internal("%s", failure)));
}

static void put_row(ReturnSetInfo *rsinfo, const Shard *shard, const Prepared *p,
                    const char *decision)
{
    Datum values[5] = {NameGetDatum(&shard->name), CStringGetTextDatum(p->name),
                       DirectFunctionCall3(timestamptz_in, CStringGetDatum(p->since),
                                           ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)),
                       CStringGetTextDatum(p->owner), CStringGetTextDatum(decision)};
    bool nulls[5] = {};
    tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

} // namespace shardwise

using namespace shardwise;

// recover_transactions(): finishes what is in doubt on all shards. Its callers decide nothing, so
// EXECUTE is all they need.
SHARDWISE_FUNCTION(shardwise_recover_transactions)
{
    PreventCommandIfReadOnly("recover_transactions()");
    PreventCommandDuringRecovery("recover_transactions()");
    InitMaterializedSRF(fcinfo, 0);
    ReturnSetInfo *rsinfo = (ReturnSetInfo *)fcinfo->resultinfo;
    ListCell *cell;
    foreach (cell, copy_shards()) {
        const Shard *shard = static_cast<const Shard *>(lfirst(cell));
        Outcome outcome = resolve_shard(shard);
        ListCell *finished, *decision;
        forboth (finished, outcome.finished, decision, outcome.decisions)
            put_row(rsinfo, shard, static_cast<Prepared *>(lfirst(finished)),
                    lfirst_int(decision) == static_cast<int>(Decision::Commit) ? "committed"
                                                                               : "rolled back");
        if (outcome.left > 0)
            warn_unreachable(shard, outcome.failure);
    }
    return (Datum)0;
}

// prepared_transactions(): what this router has prepared on its shards.
SHARDWISE_FUNCTION(shardwise_prepared_transactions)
{
    InitMaterializedSRF(fcinfo, 0);
    ReturnSetInfo *rsinfo = (ReturnSetInfo *)fcinfo->resultinfo;
    ListCell *cell;
    foreach (cell, copy_shards()) {
        const Shard *shard = static_cast<const Shard *>(lfirst(cell));
        const char *failure = "it has no user mapping";
        Session *session = nullptr;
        ListCell *role;
        foreach (role, list_mapped_roles(shard->server))
            if (session == nullptr)
                session = open_shard(shard, lfirst_oid(role), &failure);
        List *prepared = NIL;
        if (session == nullptr || !list_prepared(session, shard, &prepared, &failure))
            warn_unreachable(shard, failure);
        ListCell *p;
        foreach (p, prepared) {
            static const char *const names[] = {"commit", "rollback", "in progress"};
            const Prepared *transaction = static_cast<const Prepared *>(lfirst(p));
            put_row(rsinfo, shard, transaction, names[static_cast<int>(decide(transaction))]);
        }
        if (session != nullptr)
            close_session(session);
    }
    return (Datum)0;
}
