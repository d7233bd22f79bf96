// A snapshot of several shards is consistent if no two-phase commit was under way from the moment
// the first shard took it until the last one had. Three ways to it:
// - A lone statement (autocommit, one scan), while commits are rare: it is sent as it is; the first
//   row of each shard shows that the snapshots are taken; then the count of commits decides.
// - A lone statement otherwise: each shard takes its snapshot ahead of the statement and says so at
//   once, inside the commit window.
// - Statements of several scans, and transactions of several statements: all shards begin theirs
//   and take the snapshot in the window. Where each statement has a snapshot of its own, they end
//   with it, or when another one needs the shards.
#include "transaction/snapshot.hpp"

#include "catalog/held_maps.hpp"
#include "pg/deadlines.hpp"
#include "transaction/commit_window.hpp"
#include "transaction/participants_internal.hpp"
#include "transaction/recovery.hpp"
#include "transaction/shared.hpp"

extern "C" {
#include "utils/timestamp.h"
}

namespace shardwise
{

namespace
{

constexpr int max_attempts = 5;

// Longer than this commits are not kept waiting for shards to take snapshots.
constexpr int window_milliseconds = 1000;

// The scan that is being sent, and the lone reads of the current statement.
struct {
    bool sending; // between begin_read() and end_read()
    bool alone;   // as lone reads
    bool guarded; // inside the window
    bool several; // a second attempt of one of them would have another snapshot
    uint64 commits;
    int attempts;
} reads;

bool snapshots_taken = false; // of the current transaction, on all shards it may read
uint64 parts_of = 0;    // the execution that they were taken for, where they end with it; 0: none
bool of_chosen = false; // they were taken on the shards of one scan alone

void raise_disturbed()
{
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("could not take a consistent snapshot of several shards"),
                    errdetail("Transactions kept committing while a shard was slow to answer."),
                    errhint("Retry the transaction.")));
}

bool any_in_doubt(const List *shards)
{
    ListCell *cell;
    foreach (cell, shards)
        if (shard_is_in_doubt(lfirst_int(cell)))
            return true;
    return false;
}

// Enters the window with connections that are open and shards that have nothing in doubt. Commits
// that fail inside of the window leave their shards in doubt, so look after having entered.
List *enter_as_reader(List *(*connect)(const List *), const List *shards)
{
    for (int attempt = 0; attempt < max_attempts; attempt++) {
        List *connected = connect(shards);
        enter_window(Party::Readers);
        if (RecoveryInProgress() || !any_in_doubt(connected))
            return connected;
        leave_window();
    }
    raise_disturbed();
    return NIL;
}

List *connect_all(const List *shards)
{
    ListCell *cell;
    open_shards(shards);
    foreach (cell, shards)
        connect_to_shard(lfirst_int(cell));
    return list_copy(shards);
}

// A shard that nobody reaches is no reason to fail where the transaction does not read it.
bool try_to_connect(int32 shard)
{
    volatile bool connected = true;
    MemoryContext context = CurrentMemoryContext;
    PG_TRY();
    {
        connect_to_shard(shard);
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        ErrorData *error = CopyErrorData();
        if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_CONNECTION_EXCEPTION)
            PG_RE_THROW();
        FlushErrorState();
        FreeErrorData(error);
        connected = false;
    }
    PG_END_TRY();
    return connected;
}

List *connect_reachable(const List *shards)
{
    List *connected = NIL;
    ListCell *cell;
    foreach (cell, open_reachable_shards(shards))
        if (try_to_connect(lfirst_int(cell)))
            connected = lappend_int(connected, lfirst_int(cell));
    return connected;
}

// Begins the transactions of shards that take their snapshots, and waits until all have. Returns
// whether that was in time: no commit has come between, nor has any map changed. (A swap would do
// no harm; but moves do not wait for us to copy and delete rows of tables that we have not locked.)
bool take_in_window(const List *shards)
{
    uint64 commits = count_commits();
    uint64 changes = count_map_changes();
    ListCell *cell;
    foreach (cell, shards)
        start_snapshot(join_with_snapshot(lfirst_int(cell)));
    TimestampTz deadline = milliseconds_from_now(window_milliseconds);
    bool in_time = true;
    for (int i = 0; i < participant_count; i++) {
        if (in_time && !finish_snapshot(participants[i].connection, deadline)) {
            in_time = false;
            leave_window();
        }
        if (!in_time)
            finish_snapshot(participants[i].connection, 0);
    }
    leave_window();
    for (int i = 0; i < participant_count; i++)
        finish_statements(participants[i].connection); // raises what failed
    AcceptInvalidationMessages();
    return (in_time || count_commits() == commits) && count_map_changes() == changes;
}

void give_up_participants()
{
    leave_window();
    for (int i = 0; i < participant_count; i++)
        rollback_quietly(participants[i].connection);
    forget_participants();
    release_maps();
}

// The same, leaving nothing behind where it fails.
bool try_in_window(const List *shards)
{
    volatile bool consistent = false;
    PG_TRY();
    {
        consistent = take_in_window(shards);
    }
    PG_CATCH();
    {
        give_up_participants();
        PG_RE_THROW();
    }
    PG_END_TRY();
    if (!consistent)
        give_up_participants();
    return consistent;
}

void take_snapshots(const List *shards, bool all_needed, uint64 execution)
{
    of_chosen = all_needed;
    for (int attempt = 0; attempt < max_attempts && !snapshots_taken; attempt++) {
        List *connected = enter_as_reader(all_needed ? connect_all : connect_reachable, shards);
        hold_maps(execution, true);
        snapshots_taken = try_in_window(connected);
    }
    if (!snapshots_taken)
        raise_disturbed();
}

List *all_shards()
{
    const Shard *const *shards;
    int n = list_shards(&shards);
    List *numbers = NIL;
    for (int i = 0; i < n; i++)
        if (OidIsValid(shards[i]->server))
            numbers = lappend_int(numbers, shards[i]->id);
    return numbers;
}

bool is_first_use()
{
    return participant_count == 0 && lone_count == 0 && !snapshots_taken;
}

} // namespace

void begin_block_snapshots()
{
    if (IsolationUsesXactSnapshot() && is_first_use() && !RecoveryInProgress())
        take_snapshots(all_shards(), false, 0);
}

void check_has_snapshot(int32 shard_id)
{
    if (snapshots_taken)
        ereport(ERROR, (errcode(ERRCODE_CONNECTION_FAILURE),
                        errmsg("shard \"%s\" did not answer when this transaction took its "
                               "snapshots",
                               NameStr(find_shard(shard_id)->name)),
                        errhint("Retry the transaction.")));
}

// Each statement has a snapshot of its own, and this one leaves nothing else behind.
static bool ends_with_statement(const Read &read)
{
    return read.is_pure && !IsolationUsesXactSnapshot();
}

// True where the scan's shards take no snapshot together: there is just one, or they have what they
// need, or the statement is part of a transaction that sees to it elsewhere, or cannot.
static bool needs_no_snapshots(const List *shards, const Read &read)
{
    if (participant_count > 0 || snapshots_taken || (read.only_scan && list_length(shards) == 1))
        return true;
    if (ends_with_statement(read))
        return false;
    return lone_count > 0 || !reads_as_one_statement();
}

static bool may_be_sent_alone(const List *shards, const Read &read)
{
    return read.only_scan && read.sending != Sending::InTransaction &&
           list_length(shards) <= max_lone_connections &&
           (ends_with_statement(read) || is_whole_transaction());
}

static void take_snapshots_for(const List *shards, const Read &read)
{
    uint64 execution = ends_with_statement(read) ? read.execution : 0;
    if (read.only_scan)
        take_snapshots(shards, true, execution);
    else
        take_snapshots(all_shards(), false, execution);
    parts_of = execution;
}

void begin_read(const List *shards, const Read &read)
{
    if (parts_of != read.execution || !read.is_pure)
        end_statement_parts();
    reads.sending = true;
    if (needs_no_snapshots(shards, read))
        return;
    end_lone_statements();
    if (!may_be_sent_alone(shards, read)) {
        take_snapshots_for(shards, read);
        return;
    }
    reads.commits = count_commits(); // before the look whether one is under way
    reads.guarded = reads.attempts > 0 || !commits_are_rare();
    if (reads.guarded && read.sending == Sending::Bulk) {
        reads.guarded = false;
        take_snapshots_for(shards, read);
        return;
    }
    if (reads.guarded) {
        list_free(enter_as_reader(connect_all, shards));
        reads.commits = count_commits();
    }
    reads.alone = reads.several = true;
}

bool read_is_being_sent()
{
    return reads.sending;
}

bool read_is_guarded()
{
    return reads.guarded;
}

// Returns whether no commit can have come between.
static bool await_guarded()
{
    TimestampTz deadline = milliseconds_from_now(window_milliseconds);
    for (int i = 0; i < lone_count; i++) {
        if (!finish_snapshot(lone_connections[i], deadline)) {
            leave_window();
            deadline = 0;
            finish_snapshot(lone_connections[i], 0);
        }
    }
    leave_window();
    return deadline != 0;
}

static void await_unguarded()
{
    for (int i = 0; i < lone_count; i++)
        await_first_result(lone_connections[i]);
}

bool end_read()
{
    bool undisturbed = false;
    reads.sending = false;
    if (!reads.alone)
        return true;
    reads.alone = false;
    if (reads.guarded)
        undisturbed = await_guarded();
    else
        await_unguarded();
    reads.guarded = false;
    if (undisturbed || count_commits() == reads.commits) {
        reads.attempts = 0;
        return true;
    }
    for (int i = 0; i < lone_count; i++)
        rollback_quietly(lone_connections[i]);
    lone_count = 0;
    if (++reads.attempts > max_attempts)
        raise_disturbed();
    return false;
}

void end_reads(uint64 execution)
{
    if (parts_of == execution)
        end_statement_parts();
}

void end_statement_parts()
{
    if (parts_of == 0)
        return;
    end_readers();
    release_maps();
    parts_of = 0;
    snapshots_taken = false;
}

void give_up_read()
{
    if (!snapshots_taken || !of_chosen)
        return;
    give_up_participants();
    parts_of = 0;
    snapshots_taken = false;
}

// Whether a lone read of several may be sent anew, on its own: its new snapshot fits the others'.
static bool may_read_again()
{
    return !reads.several || count_commits() == reads.commits;
}

void abandon_read()
{
    leave_window();
    reads.sending = reads.alone = reads.guarded = false;
    reads.attempts = 0;
}

void forget_snapshots()
{
    leave_window();
    release_maps();
    reads = {};
    snapshots_taken = of_chosen = false;
    parts_of = 0;
}

void init_snapshots()
{
    may_send_read_again = may_read_again;
}

} // namespace shardwise
