// The backend's connections: found by foreign server and role, kept until the backend ends.
#include "remote/connection_internal.hpp"

extern "C" {
#include "storage/ipc.h"
#include "utils/inval.h"
}

namespace shardwise
{

// Connections by server and user mapping: roles that share a PUBLIC mapping share a connection.
struct PoolKey {
    Oid server;
    Oid mapping;
};
struct PoolEntry {
    PoolKey key;
    Connection *connection;
};

// What a role uses on a server: saves the catalog lookups for every statement. Emptied whenever a
// server, a mapping or a role changes.
struct RoleKey {
    Oid server;
    Oid role;
};
struct RoleEntry {
    RoleKey key;
    Connection *connection;
};

static HTAB *pool = nullptr;
static HTAB *roles = nullptr;
static bool any_invalidated = false;

// A session that was idle for longer than this is looked at before it is used: the server may have
// been restarted meanwhile.
static constexpr TimestampTz trusted_idle_time = 100 * 1000;

static HTAB *create_table(const char *name, Size entry_size)
{
    HASHCTL control = {};
    control.keysize = sizeof(PoolKey);
    control.entrysize = entry_size;
    control.hcxt = TopMemoryContext;
    return hash_create(name, 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static Connection *pooled_connection(Oid server, Oid mapping)
{
    PoolKey key = {server, mapping};
    bool found;
    PoolEntry *entry = static_cast<PoolEntry *>(hash_search(pool, &key, HASH_ENTER, &found));
    if (!found)
        entry->connection = nullptr;
    if (entry->connection == nullptr) {
        Connection *c =
            static_cast<Connection *>(MemoryContextAllocZero(TopMemoryContext, sizeof(Connection)));
        c->server = server;
        c->mapping = mapping;
        c->server_hash = GetSysCacheHashValue1(FOREIGNSERVEROID, ObjectIdGetDatum(server));
        c->mapping_hash = GetSysCacheHashValue1(USERMAPPINGOID, ObjectIdGetDatum(mapping));
        dlist_init(&c->recent);
        entry->connection = c;
    }
    return entry->connection;
}

// Resolves a role to its connection, opened or not.
static Connection *find_connection(Oid server, Oid role)
{
    UserMapping *mapping = GetUserMapping(role, server);
    Connection *c = pooled_connection(server, mapping->umid);
    if (c->pg != nullptr && !c->invalidated)
        check_password_rule(c, mapping);
    return c;
}

static bool needs_replacing(Connection *c)
{
    if (c->lost || c->invalidated || PQstatus(c->pg) != CONNECTION_OK)
        return true;
    TimestampTz now = GetCurrentStatementStartTimestamp();
    bool trusted = now - c->last_use < trusted_idle_time;
    c->last_use = now;
    return !trusted && connection_went_stale(c);
}

// Closes sessions whose server or mapping changed; those of open transactions later.
static void close_invalidated()
{
    any_invalidated = false;
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, pool);
    while (PoolEntry *entry = static_cast<PoolEntry *>(hash_seq_search(&scan))) {
        Connection *c = entry->connection;
        if (c == nullptr || c->pg == nullptr || !c->invalidated)
            continue;
        if (c->scope == Scope::Idle)
            close_connection(c);
        else
            any_invalidated = true;
    }
}

extern "C" {
// Says goodbye to the shards. The last transaction has ended by now and rolled back what it did.
static void close_all_connections(int, Datum)
{
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, pool);
    while (PoolEntry *entry = static_cast<PoolEntry *>(hash_seq_search(&scan))) {
        if (entry->connection == nullptr || entry->connection->pg == nullptr)
            continue;
        PQfinish(entry->connection->pg);
        detach_meter(&entry->connection->meter);
    }
}
}

static void open_for_role(Connection **connections, int n, Oid role, bool failures_pass)
{
    // Here, not at load time: a backend forgets what the postmaster registered.
    static bool registered = false;
    if (!registered)
        on_proc_exit(close_all_connections, 0);
    registered = true;

    open_connections(connections, n, role, failures_pass);
    for (int i = 0; i < n; i++)
        connections[i]->last_use = GetCurrentStatementStartTimestamp();
}

// Finds a connection; what must not be used any more is closed. `known`: the role's use of it was
// noted before.
static Connection *find_usable(Oid server, Oid role, bool *known)
{
    if (any_invalidated)
        close_invalidated();

    RoleKey key = {server, role};
    RoleEntry *entry = static_cast<RoleEntry *>(hash_search(roles, &key, HASH_FIND, nullptr));
    *known = entry != nullptr;
    Connection *c = *known ? entry->connection : find_connection(server, role);
    if (c->scope != Scope::Idle) // its transaction goes on, or fails, on what it has
        return c;
    if (c->busy)
        abandon_exchange(c); // left behind by a statement outside of any transaction
    if (c->pg != nullptr && needs_replacing(c))
        close_connection(c);
    return c;
}

static void note_role(Connection *c, Oid role)
{
    RoleKey key = {c->server, role};
    static_cast<RoleEntry *>(hash_search(roles, &key, HASH_ENTER, nullptr))->connection = c;
}

Connection *get_connection(Oid server, Oid role)
{
    bool known;
    Connection *c = find_usable(server, role, &known);
    if (c->pg == nullptr && c->scope == Scope::Idle) {
        open_for_role(&c, 1, role, false);
        known = false; // what was known may have changed meanwhile
    }
    if (!known)
        note_role(c, role);
    return c;
}

static Connection **find_all(const List *servers, Oid role)
{
    Connection **all =
        static_cast<Connection **>(palloc(sizeof(Connection *) * (list_length(servers) + 1)));
    ListCell *cell;
    bool known;
    foreach (cell, servers)
        all[foreach_current_index(cell)] = find_usable(lfirst_oid(cell), role, &known);
    return all;
}

// Opens what is not open; returns the servers whose connections stay closed.
static List *open_closed(Connection *const *all, int n, Oid role, bool failures_pass)
{
    Connection **closed = static_cast<Connection **>(palloc(sizeof(Connection *) * (n + 1)));
    int count = 0;
    for (int i = 0; i < n; i++)
        if (all[i]->pg == nullptr && all[i]->scope == Scope::Idle &&
            std::count(closed, closed + count, all[i]) == 0)
            closed[count++] = all[i];
    if (count > 0)
        open_for_role(closed, count, role, failures_pass);
    List *failed = NIL;
    for (int i = 0; i < count; i++)
        if (closed[i]->pg == nullptr)
            failed = lappend_oid(failed, closed[i]->server);
    pfree(closed);
    return failed;
}

void open_together(const List *servers, Oid role)
{
    int n = list_length(servers);
    Connection **all = find_all(servers, role);
    (void)open_closed(all, n, role, false);
    for (int i = 0; i < n; i++)
        all[i]->neighbours = static_cast<int>(std::count_if(
            all, all + n, [&](const Connection *c) { return c->host == all[i]->host; }));
    pfree(all);
}

List *open_reachable(const List *servers, Oid role)
{
    return open_closed(find_all(servers, role), list_length(servers), role, true);
}

Meter *connection_meter(Connection *c)
{
    return &c->meter;
}

const char *connection_shard_name(const Connection *c)
{
    return NameStr(c->shard_name);
}

Oid connection_server(const Connection *c)
{
    return c->server;
}

bool connection_is_usable(const Connection *c)
{
    return c->pg != nullptr && !c->lost && PQstatus(c->pg) == CONNECTION_OK &&
           !(c->invalidated && c->scope == Scope::Idle);
}

void forget_roles()
{
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, roles);
    while (RoleEntry *entry = static_cast<RoleEntry *>(hash_seq_search(&scan)))
        hash_search(roles, &entry->key, HASH_REMOVE, nullptr);
}

extern "C" {
// A server or user mapping changed (hash 0: any of them may have).
static void connection_changed(Datum, int cache, uint32 hash)
{
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, pool);
    while (PoolEntry *entry = static_cast<PoolEntry *>(hash_seq_search(&scan))) {
        Connection *c = entry->connection;
        if (c == nullptr)
            continue;
        uint32 own = cache == FOREIGNSERVEROID ? c->server_hash : c->mapping_hash;
        if (hash == 0 || hash == own)
            c->invalidated = any_invalidated = true;
    }
    forget_roles();
}

static void role_changed(Datum, int, uint32)
{
    forget_roles();
}
}

void init_remote()
{
    DefineCustomIntVariable("shardwise.max_prepared_statements",
                            "Sets how many statements a connection keeps prepared on its shard.",
                            nullptr, &max_prepared_statements, 1000, 0, 1000000, PGC_USERSET, 0,
                            nullptr, nullptr, nullptr);
    DefineCustomBoolVariable(
        "shardwise.share_parallel_workers",
        "Divides the parallel workers of a statement on several shards among those of one host.",
        nullptr, &share_parallel_workers, true, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    pool = create_table("shardwise connections", sizeof(PoolEntry));
    roles = create_table("shardwise roles", sizeof(RoleEntry));
    CacheRegisterSyscacheCallback(FOREIGNSERVEROID, connection_changed, 0);
    CacheRegisterSyscacheCallback(USERMAPPINGOID, connection_changed, 0);
    CacheRegisterSyscacheCallback(AUTHOID, role_changed, 0);
}

} // namespace shardwise
