// Nodes of the graph are backends of the router and sessions on shards. A backend waits for the
// session that works for it; a session that waits for a lock waits for the sessions that have it;
// one that does not waits for its backend, which may go on or not. A backend that waits for a lock
// of the router waits for other backends.
#include "transaction/deadlock.hpp"

#include "catalog/catalog.hpp"
#include "pg/background.hpp"
#include "pg/deadlines.hpp"
#include "remote/remote_transaction.hpp"
#include "remote/session.hpp"
#include "transaction/shared.hpp"
#include "transaction/wait_table.hpp"

extern "C" {
#include "foreign/foreign.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace shardwise
{

namespace
{

constexpr long pause_milliseconds = 500;
constexpr int answer_milliseconds = 5000;   // a shard may take
constexpr int attempt_milliseconds = 30000; // from one attempt to reach a shard to the next
constexpr int idle_rounds = 10;             // the worker stays for so many after the last wait

// server 0: a backend of the router.
struct Node {
    Oid server;
    int pid;
};

struct Edge {
    Node from;
    Node to;
};

struct Graph {
    List *backends; // of BackendWaits
    List *edges;    // of Edge
};

bool same(Node a, Node b)
{
    return a.server == b.server && a.pid == b.pid;
}

void add_edge(Graph *graph, Node from, Node to)
{
    Edge *edge = static_cast<Edge *>(palloc(sizeof(Edge)));
    *edge = {from, to};
    graph->edges = lappend(graph->edges, edge);
}

bool has_edge_from(const Graph *graph, Node node)
{
    ListCell *cell;
    foreach (cell, graph->edges)
        if (same(static_cast<const Edge *>(lfirst(cell))->from, node))
            return true;
    return false;
}

// Sessions to the shards where somebody waits, kept from round to round. One that does not answer
// is left out for a while: deadlocks of others are not to wait for it.
struct Observer {
    Oid server;
    Session *session; // may be nullptr, or have ended
    TimestampTz next_attempt;
};
List *observers = NIL;
MemoryContext observers_context = nullptr;

Observer *find_observer(Oid server)
{
    ListCell *cell;
    foreach (cell, observers) {
        Observer *observer = static_cast<Observer *>(lfirst(cell));
        if (observer->server == server)
            return observer;
    }
    Observer *observer = static_cast<Observer *>(palloc0(sizeof(Observer)));
    observer->server = server;
    observers = lappend(observers, observer);
    return observer;
}

Session *observe(Oid server)
{
    MemoryContext saved = MemoryContextSwitchTo(observers_context);
    Observer *observer = find_observer(server);
    bool open = observer->session != nullptr && observer->session->conn != nullptr;
    if (!open && GetCurrentTimestamp() >= observer->next_attempt) {
        // Any user sees who waits for whom; the mapping FOR PUBLIC or the server's owner's will do.
        char *error = nullptr;
        observer->session = open_session(stored_options(server, GetForeignServer(server)->owner),
                                         CurrentMemoryContext, &error);
        observer->next_attempt = milliseconds_from_now(attempt_milliseconds);
        open = observer->session != nullptr;
        if (!open)
            ereport(LOG, (errmsg("could not look for deadlocks on shard \"%s\": %s",
                                 GetForeignServer(server)->servername, error)));
    }
    MemoryContextSwitchTo(saved);
    return open ? observer->session : nullptr;
}

// Adds who waits for whom on a shard.
void add_shard_edges(Graph *graph, Oid server)
{
    Session *session = observe(server);
    if (session == nullptr)
        return;
    session->deadline = milliseconds_from_now(answer_milliseconds);
    SessionResult result =
        run_in_session(session, "SELECT pg_catalog.string_agg(DISTINCT l.pid || ' ' || b.pid, ',') "
                                "FROM pg_catalog.pg_locks l, "
                                "pg_catalog.unnest(pg_catalog.pg_blocking_pids(l.pid)) b(pid) "
                                "WHERE NOT l.granted AND b.pid <> 0");
    if (!result.ok && session->conn != nullptr && PQstatus(session->conn) != CONNECTION_OK)
        close_session(session);
    char *text = result.ok && result.values != nullptr ? result.values[0] : nullptr;
    int waiter, blocker, length;
    while (text != nullptr && sscanf(text, "%d %d%n", &waiter, &blocker, &length) == 2) {
        add_edge(graph, {server, waiter}, {server, blocker});
        text += length + (text[length] == ',');
    }
}

// Adds for whom a backend waits on the router itself, and for whom those wait.
void add_router_edges(Graph *graph, int pid)
{
    if (has_edge_from(graph, {InvalidOid, pid}))
        return;
    check_stack_depth();
    Datum blockers = DirectFunctionCall1(pg_blocking_pids, Int32GetDatum(pid));
    Datum *values;
    int n;
    deconstruct_array(DatumGetArrayTypeP(blockers), INT4OID, 4, true, TYPALIGN_INT, &values,
                      nullptr, &n);
    for (int i = 0; i < n; i++)
        if (DatumGetInt32(values[i]) != 0)
            add_edge(graph, {InvalidOid, pid}, {InvalidOid, DatumGetInt32(values[i])});
    for (int i = 0; i < n; i++)
        if (DatumGetInt32(values[i]) != 0)
            add_router_edges(graph, DatumGetInt32(values[i]));
}

Graph look_around()
{
    Graph graph = {list_backend_waits(MyDatabaseId), NIL};
    List *servers = NIL;
    ListCell *cell;
    foreach (cell, graph.backends) {
        const BackendWaits *backend = static_cast<const BackendWaits *>(lfirst(cell));
        if (backend->waits)
            servers = list_append_unique_oid(servers, backend->waits_for.server);
    }
    foreach (cell, servers)
        add_shard_edges(&graph, lfirst_oid(cell));
    foreach (cell, graph.backends) {
        const BackendWaits *backend = static_cast<const BackendWaits *>(lfirst(cell));
        Node node = {InvalidOid, backend->pid};
        if (backend->waits)
            add_edge(&graph, node, {backend->waits_for.server, backend->waits_for.pid});
        else if (backend->nsessions > 0)
            add_router_edges(&graph, backend->pid);
    }
    // Whoever does not wait on its shard waits for what its backend does next.
    foreach (cell, graph.backends) {
        const BackendWaits *backend = static_cast<const BackendWaits *>(lfirst(cell));
        for (int i = 0; i < backend->nsessions; i++) {
            Node session = {backend->sessions[i].server, backend->sessions[i].pid};
            bool works = backend->waits && session.server == backend->waits_for.server &&
                         session.pid == backend->waits_for.pid;
            if (!works && !has_edge_from(&graph, session))
                add_edge(&graph, session, {InvalidOid, backend->pid});
        }
    }
    return graph;
}

// Finds a way from a node back to itself; the nodes on it, in order.
bool find_way(const Graph *graph, Node from, Node to, List **visited, List **way)
{
    check_stack_depth();
    ListCell *cell;
    foreach (cell, graph->edges) {
        Edge *edge = static_cast<Edge *>(lfirst(cell));
        if (!same(edge->from, from) || list_member_ptr(*visited, edge))
            continue;
        *visited = lappend(*visited, edge);
        if (same(edge->to, to) || find_way(graph, edge->to, to, visited, way)) {
            *way = prepend(edge, *way);
            return true;
        }
    }
    return false;
}

const BackendWaits *find_backend(const Graph *graph, Node node)
{
    ListCell *cell;
    foreach (cell, graph->backends) {
        const BackendWaits *backend = static_cast<const BackendWaits *>(lfirst(cell));
        if (!OidIsValid(node.server) && backend->pid == node.pid)
            return backend;
    }
    return nullptr;
}

// The circle that a waiting backend is part of, NIL if none.
List *find_circle(const Graph *graph, const BackendWaits *backend)
{
    Node node = {InvalidOid, backend->pid};
    List *visited = NIL, *way = NIL;
    return find_way(graph, node, node, &visited, &way) ? way : NIL;
}

// Who gives way, or else the youngest of those who wait for shards: it has the least to lose.
const BackendWaits *choose(const Graph *graph, const List *circle)
{
    const BackendWaits *youngest = nullptr;
    ListCell *cell;
    foreach (cell, circle) {
        const BackendWaits *backend =
            find_backend(graph, static_cast<const Edge *>(lfirst(cell))->from);
        if (backend == nullptr || !backend->waits)
            continue;
        if (gives_way_like_autovacuum(backend->pid))
            return backend;
        if (youngest == nullptr || backend->start > youngest->start)
            youngest = backend;
    }
    return youngest;
}

// Like PostgreSQL's detail: one line for each process of the router.
char *describe(const List *circle)
{
    StringInfoData text;
    initStringInfo(&text);
    int last = 0;
    const char *place = "the router";
    ListCell *cell;
    foreach (cell, circle) {
        const Edge *edge = static_cast<const Edge *>(lfirst(cell));
        if (OidIsValid(edge->from.server))
            place = psprintf("shard \"%s\"", GetForeignServer(edge->from.server)->servername);
        else if (!OidIsValid(edge->to.server))
            place = "the router";
        if (!OidIsValid(edge->from.server))
            last = edge->from.pid;
        if (!OidIsValid(edge->to.server))
            appendStringInfo(&text, "%sProcess %d waits on %s for process %d.",
                             text.len > 0 ? "\n" : "", last, place, edge->to.pid);
    }
    return text.data;
}

// A circle counts if the same backends are in the same waits when one looks again: what is seen on
// several servers is never of one moment.
bool still_waits(const Graph *later, const BackendWaits *victim)
{
    const BackendWaits *now = find_backend(later, {InvalidOid, victim->pid});
    return now != nullptr && now->waits && now->wait_number == victim->wait_number &&
           find_circle(later, now) != NIL;
}

bool anybody_waits(const Graph *graph)
{
    ListCell *cell;
    foreach (cell, graph->backends)
        if (static_cast<const BackendWaits *>(lfirst(cell))->waits)
            return true;
    return false;
}

void break_one(const Graph *graph)
{
    ListCell *cell;
    foreach (cell, graph->backends) {
        const BackendWaits *backend = static_cast<const BackendWaits *>(lfirst(cell));
        const List *circle = backend->waits ? find_circle(graph, backend) : NIL;
        if (circle == NIL)
            continue;
        const BackendWaits *victim = choose(graph, circle);
        Graph later = look_around();
        if (still_waits(&later, victim))
            choose_victim(victim, describe(circle));
        return; // the others are looked at anew, without the victim
    }
}

void pause()
{
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause_milliseconds,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

void long_wait(Connection *c)
{
    begin_wait({connection_server(c), connection_process(c)});
    request_deadlock_detection();
}

void check_verdict()
{
    const char *detail = take_verdict();
    if (detail == nullptr)
        return;
    end_wait();
    ereport(ERROR, (errcode(ERRCODE_T_R_DEADLOCK_DETECTED), errmsg("deadlock detected"),
                    errdetail_internal("%s", detail),
                    errhint("See the shards' logs for the statements.")));
}

const WaitHooks hooks = {long_wait, end_wait, check_verdict};

} // namespace

void detect_deadlocks()
{
    observers_context = CurrentMemoryContext;
    MemoryContext round =
        AllocSetContextCreate(CurrentMemoryContext, "shardwise deadlocks", ALLOCSET_DEFAULT_SIZES);
    for (int idle = 0; idle < idle_rounds; idle++) {
        MemoryContextSwitchTo(round);
        Graph graph = look_around();
        if (anybody_waits(&graph)) {
            idle = 0;
            break_one(&graph);
        }
        MemoryContextReset(round);
        pause();
    }
    MemoryContextSwitchTo(observers_context);
}

void init_deadlock_detection()
{
    wait_hooks = &hooks;
}

} // namespace shardwise
