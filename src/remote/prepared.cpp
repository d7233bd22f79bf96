// Statements that a shard's session keeps prepared, the least recently used given up first.
//
// A name is never used twice in a session: whether the shard still knows an old one does not
// matter.
#include "remote/connection_internal.hpp"

namespace shardwise
{

int max_prepared_statements = 1000;

static HTAB *create_table(Connection *c)
{
    HASHCTL control = {};
    control.keysize = sizeof(uint64);
    control.entrysize = sizeof(RemotePrepared);
    control.hcxt = c->context;
    return hash_create("shardwise remote statements", 64, &control,
                       HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void remove(Connection *c, RemotePrepared *statement)
{
    dlist_delete(&statement->recent);
    hash_search(c->prepared, &statement->id, HASH_REMOVE, nullptr);
    c->prepared_count--;
}

// Removes a statement and has the shard told with the next exchange.
static void evict(Connection *c, RemotePrepared *statement)
{
    if (statement->ready) {
        MemoryContext old = MemoryContextSwitchTo(c->context);
        c->stale_names = lappend(c->stale_names, pstrdup(statement->name));
        MemoryContextSwitchTo(old);
    }
    remove(c, statement);
}

// Finds or adds the statement of a number; `ready` says whether it is already prepared.
RemotePrepared *find_prepared(Connection *c, uint64 id)
{
    if (c->prepared == nullptr)
        c->prepared = create_table(c);

    bool found;
    RemotePrepared *statement =
        static_cast<RemotePrepared *>(hash_search(c->prepared, &id, HASH_ENTER, &found));
    if (found) {
        dlist_move_head(&c->recent, &statement->recent);
        return statement;
    }

    statement->ready = false;
    snprintf(statement->name, sizeof(statement->name), "sw" UINT64_FORMAT, ++c->prepared_serial);
    dlist_push_head(&c->recent, &statement->recent);
    c->prepared_count++;
    while (c->prepared_count > max_prepared_statements)
        evict(c, dlist_tail_element(RemotePrepared, recent, &c->recent));
    return statement;
}

void forget_prepared(Connection *c, uint64 id)
{
    if (c->prepared == nullptr)
        return;
    RemotePrepared *statement =
        static_cast<RemotePrepared *>(hash_search(c->prepared, &id, HASH_FIND, nullptr));
    if (statement != nullptr)
        evict(c, statement);
}

// The shard refused to prepare a statement.
void discard_unprepared(Connection *c)
{
    if (c->preparing != nullptr && !c->preparing->ready)
        remove(c, c->preparing);
    c->preparing = nullptr;
}

// The shard's session has lost statements (DISCARD, DEALLOCATE ALL): none can be relied on.
void forget_all_prepared(Connection *c)
{
    if (c->prepared != nullptr)
        hash_destroy(c->prepared);
    c->prepared = nullptr;
    c->prepared_count = 0;
    dlist_init(&c->recent);
    list_free_deep(c->stale_names);
    c->stale_names = NIL;
}

void queue_deallocations(Connection *c)
{
    ListCell *cell;
    foreach (cell, c->stale_names)
        queue_command(c, psprintf("DEALLOCATE %s", static_cast<char *>(lfirst(cell))));
    list_free_deep(c->stale_names);
    c->stale_names = NIL;
}

} // namespace shardwise
