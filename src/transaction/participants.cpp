// Joining shards to the current transaction.
#include "transaction/participants_internal.hpp"

#include "catalog/held_maps.hpp"
#include "transaction/recovery.hpp"
#include "transaction/snapshot.hpp"
#include "transaction/wait_table.hpp"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace shardwise
{

Participant *participants = nullptr;
int participant_count = 0;
Connection *lone_connections[max_lone_connections];
int lone_count = 0;
static int participant_capacity = 0;

// What run_in_transactions() was given, in that order: nesting levels never fall from one to the
// next.
struct Command {
    int level;
    char *sql;
};
static List *commands = NIL; // of Command

void forget_commands()
{
    commands = NIL; // its memory goes with the transaction's
}

void end_level_of_commands(int level, bool committed)
{
    ListCell *cell;
    int kept = 0;
    foreach (cell, commands) {
        Command *command = static_cast<Command *>(lfirst(cell));
        if (committed)
            command->level = Min(command->level, level - 1);
        kept += command->level < level;
    }
    commands = list_truncate(commands, kept);
    for (int i = 0; i < participant_count; i++)
        participants[i].commands = Min(participants[i].commands, kept);
}

void forget_participants()
{
    participants = nullptr; // its memory goes with the transaction's
    participant_count = 0;
    participant_capacity = 0;
    lone_count = 0;
    end_wait();
    forget_finding();
    forget_sessions();
}

static Participant *find_participant(int32 shard_id)
{
    for (int i = 0; i < participant_count; i++)
        if (participants[i].shard_id == shard_id)
            return &participants[i];
    return nullptr;
}

static Participant *add_participant(int32 shard_id, Connection *connection)
{
    if (participant_count == participant_capacity) {
        int capacity = std::max(8, participant_capacity * 2);
        Participant *larger = static_cast<Participant *>(
            MemoryContextAllocZero(TopTransactionContext, capacity * sizeof(Participant)));
        if (participant_count > 0)
            memcpy(larger, participants, participant_count * sizeof(Participant));
        participants = larger;
        participant_capacity = capacity;
    }
    Participant *p = &participants[participant_count++];
    *p = {};
    p->shard_id = shard_id;
    p->connection = connection;
    return p;
}

Connection *connect_to_shard(int32 shard_id)
{
    const Shard *shard = find_shard(shard_id);
    if (!OidIsValid(shard->server))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("shard \"%s\" has no foreign server", NameStr(shard->name)),
                        errhint("Somebody dropped the server; create it again with "
                                "shardwise.update_shard().")));
    settle_shard(shard);
    return get_connection(find_shard(shard_id)->server, GetUserId());
}

static List *servers_of(const List *shards)
{
    List *servers = NIL;
    ListCell *cell;
    foreach (cell, shards) {
        Oid server = find_shard(lfirst_int(cell))->server;
        if (OidIsValid(server))
            servers = lappend_oid(servers, server);
    }
    return servers;
}

void open_shards(const List *shards)
{
    List *servers = servers_of(shards);
    open_together(servers, GetUserId());
    list_free(servers);
}

void open_shards_for_write(const List *shards)
{
    open_shards(shards);
    if (list_length(shards) == 1)
        return;
    ListCell *cell;
    foreach (cell, shards)
        (void)max_prepared_transactions(connect_to_shard(lfirst_int(cell)));
}

List *open_reachable_shards(const List *shards)
{
    List *failed = open_reachable(servers_of(shards), GetUserId());
    List *opened = NIL;
    ListCell *cell;
    foreach (cell, shards)
        if (!list_member_oid(failed, find_shard(lfirst_int(cell))->server))
            opened = lappend_int(opened, lfirst_int(cell));
    return opened;
}

// The transaction is one session on the shard. If that is gone, so is what it did.
static void check_session(const Participant *p)
{
    if (!connection_is_usable(p->connection))
        ereport(ERROR, (errcode(ERRCODE_CONNECTION_FAILURE),
                        errmsg("connection to shard \"%s\" was lost earlier in this transaction",
                               connection_shard_name(p->connection))));
}

// Another session would not see what this transaction did on the shard.
static void check_same_user(const Participant *p, const Connection *wanted)
{
    if (p->connection != wanted)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("cannot use two users of shard \"%s\" in one transaction",
                        connection_shard_name(wanted)),
                 errdetail("The transaction began on the shard with the user mapping of another "
                           "role."),
                 errhint("Give the roles one user mapping, FOR PUBLIC.")));
}

// The second shard that is written makes two-phase commit necessary: better to say now that it is
// not possible.
static void note_write(Participant *p)
{
    p->writes++;
    if (p->write_level > 0)
        return;
    for (int i = 0; i < participant_count; i++) {
        if (participants[i].write_level == 0)
            continue;
        require_two_phase(&participants[i]);
        require_two_phase(p);
    }
    p->write_level = GetCurrentTransactionNestLevel();
}

static void check_may_write()
{
    if (XactReadOnly)
        ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                        errmsg("cannot write on a shard in a read-only transaction")));
}

static const char *isolation_clause(bool keeps_snapshot)
{
    if (XactIsoLevel == XACT_SERIALIZABLE)
        return " ISOLATION LEVEL SERIALIZABLE";
    if (XactIsoLevel == XACT_REPEATABLE_READ || keeps_snapshot)
        return " ISOLATION LEVEL REPEATABLE READ";
    return ""; // sessions on shards default to READ COMMITTED
}

// READ ONLY that a subtransaction set is not the whole transaction's.
static void queue_begin(Participant *p, bool keeps_snapshot)
{
    bool read_only = XactReadOnly && GetCurrentTransactionNestLevel() == 1;
    char sql[96];
    snprintf(sql, sizeof(sql), "BEGIN%s%s%s", isolation_clause(keeps_snapshot),
             read_only ? " READ ONLY" : "", XactDeferrable ? " DEFERRABLE" : "");
    queue_command_at(p->connection, sql, 1);
    p->level = 1;
    p->read_only_level = read_only ? 1 : 0;
}

// Sends what belongs to the nesting levels that the shard has reached.
static void queue_commands(Participant *p)
{
    for (; p->commands < list_length(commands); p->commands++) {
        const Command *command = static_cast<Command *>(list_nth(commands, p->commands));
        if (command->level > p->level)
            return;
        queue_command_at(p->connection, command->sql, p->level);
    }
}

// Brings the shard's transaction to the router's nesting level and mode.
static void follow_router(Participant *p)
{
    int level = GetCurrentTransactionNestLevel();
    queue_commands(p);
    while (p->level < level) {
        queue_savepoint(p->connection, ++p->level);
        queue_commands(p);
    }
    if (XactReadOnly && p->read_only_level == 0) {
        queue_command_at(p->connection, "SET TRANSACTION READ ONLY", level);
        p->read_only_level = level;
    }
}

// An open cursor keeps its snapshot: until it ends, no row that the snapshot sees, or that came
// later, makes room for another one at its place, whatever becomes of it.
static void keep_places(Participant *p)
{
    if (p->places_level > 0)
        return;
    p->places_level = GetCurrentTransactionNestLevel();
    queue_command_at(p->connection, "DECLARE shardwise_places CURSOR FOR SELECT", p->places_level);
}

static Participant *join_transaction(int32 shard_id, Connection *connection,
                                     bool keeps_snapshot = false)
{
    Participant *p = add_participant(shard_id, connection);
    set_scope(connection, Scope::Transaction);
    note_session({connection_server(connection), connection_process(connection)});
    queue_begin(p, keeps_snapshot);
    return p;
}

Connection *join_with_snapshot(int32 shard_id)
{
    return join_transaction(shard_id, connect_to_shard(shard_id), true)->connection;
}

static bool reads(Access access)
{
    return access == Access::PureRead || access == Access::Read || access == Access::ReadPlaces;
}

static bool is_lone(const Connection *connection)
{
    for (int i = 0; i < lone_count; i++)
        if (lone_connections[i] == connection)
            return true;
    return false;
}

static Connection *join_alone(int32 shard_id, Connection *connection, Access access)
{
    set_scope(connection, reads(access) ? Scope::LoneRead : Scope::LoneWrite);
    if (access == Access::Write)
        tell_owned_keys(connection, shard_id);
    if (!is_lone(connection))
        lone_connections[lone_count++] = connection;
    if (read_is_guarded())
        want_snapshot(connection);
    return connection;
}

// Rows that a write returns may not be known in the client's encoding: an error that undoes it.
static bool may_fail_at_client()
{
    int encoding = pg_get_client_encoding();
    return encoding != GetDatabaseEncoding() && encoding != PG_SQL_ASCII;
}

// A read may be sent alone to one shard after the other; nothing else may follow a lone statement.
static bool may_follow_lone_statements(Access access)
{
    return lone_count == 0 || (reads(access) && lone_count < max_lone_connections &&
                               connection_scope(lone_connections[0]) == Scope::LoneRead);
}

static bool may_join_alone(Access access, bool alone)
{
    if (participant_count > 0 || access == Access::ReadPlaces ||
        !may_follow_lone_statements(access))
        return false;
    if (access == Access::PureRead && !IsolationUsesXactSnapshot())
        return true;
    if (!reads(access) && may_fail_at_client())
        return false;
    return alone && is_whole_transaction();
}

// The transaction goes on after a statement that was sent alone. A read did no harm; a write has
// been committed already, which must never pass unnoticed.
void end_lone_statements()
{
    for (int i = 0; i < lone_count; i++) {
        if (connection_scope(lone_connections[i]) == Scope::LoneWrite)
            elog(ERROR, "a write that was sent alone is not the whole transaction");
        finish_statements(lone_connections[i]);
        set_scope(lone_connections[i], Scope::Idle);
    }
    lone_count = 0;
}

static Participant *join(int32 shard_id)
{
    Participant *p = find_participant(shard_id);
    if (p != nullptr)
        check_session(p);
    Connection *connection = connect_to_shard(shard_id);
    if (p == nullptr) {
        if (IsolationUsesXactSnapshot()) {
            check_has_snapshot(shard_id);
            if (participant_count == 0)
                hold_maps(0, false);
        }
        return join_transaction(shard_id, connection);
    }
    check_same_user(p, connection);
    return p;
}

Connection *join_shard(int32 shard_id, Access access, bool alone)
{
    if (!reads(access))
        check_may_write();
    if (!read_is_being_sent())
        end_statement_parts();
    if (may_join_alone(access, alone)) {
        Connection *connection = connect_to_shard(shard_id);
        if (!is_lone(connection) || access == Access::PureRead)
            return join_alone(shard_id, connection, access);
    }
    end_lone_statements();

    // One statement that is all of its transaction needs the shards it uses, and no other.
    if (!alone || !reads_as_one_statement())
        begin_block_snapshots();
    Participant *p = join(shard_id);
    if (access == Access::Write)
        note_write(p);
    else if (access == Access::Lock)
        p->locks = true;
    follow_router(p);
    if (access == Access::ReadPlaces)
        keep_places(p);
    else if (access == Access::Write)
        tell_owned_keys(p->connection, shard_id);
    return p->connection;
}

void take_back_write(int32 shard_id)
{
    Participant *p = find_participant(shard_id);
    if (p != nullptr && p->writes > 0 && --p->writes == 0)
        p->write_level = 0;
}

Connection *join_shard_for_management(int32 shard_id, bool may_be_read_only)
{
    if (!may_be_read_only)
        check_may_write();
    end_statement_parts();
    end_lone_statements();
    Participant *p = join(shard_id);
    require_two_phase(p);
    p->management = true;
    note_write(p);
    follow_router(p);
    tell_owned_keys(p->connection, shard_id);
    return p->connection;
}

void run_in_transactions(const char *sql)
{
    for (int i = 0; i < participant_count; i++)
        run_command(join_shard(participants[i].shard_id, Access::Read, false), sql);
    MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
    Command *command = static_cast<Command *>(palloc(sizeof(Command)));
    *command = {GetCurrentTransactionNestLevel(), pstrdup(sql)};
    commands = lappend(commands, command);
    MemoryContextSwitchTo(caller);
    for (int i = 0; i < participant_count; i++)
        participants[i].commands = list_length(commands);
}

bool has_run_in_transactions()
{
    return commands != NIL;
}

} // namespace shardwise
