#include "transaction/decision.hpp"

#include "catalog/catalog.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "access/xlog.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"
}

namespace shardwise
{

// The row of this backend's last decision that is finished, to be overwritten by the next.
static struct {
    GlobalId gid;
    Oid relfilenode;
    ItemPointerData tid;
    bool finished;
} last;

const char *global_id_prefix()
{
    static char prefix[64];
    snprintf(prefix, sizeof(prefix), "shardwise_" UINT64_FORMAT "_%u_", GetSystemIdentifier(),
             MyDatabaseId);
    return prefix;
}

// Transaction ids would not do as numbers: after a crash PostgreSQL may hand out those again that
// never reached its log. Numbers count from a random start.
GlobalId make_global_id()
{
    static uint64 number = 0;
    if (number == 0 && !pg_strong_random(&number, sizeof(number)))
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random number")));
    number++;
    GlobalId gid;
    gid.number = number;
    snprintf(gid.text, sizeof(gid.text), "%s%d_" UINT64_FORMAT, global_id_prefix(), MyProcPid,
             number);
    return gid;
}

PreparedName prepared_name(const GlobalId *gid, int32 shard_id)
{
    PreparedName name;
    snprintf(name.text, sizeof(name.text), "%s_%d", gid->text, shard_id);
    return name;
}

bool parse_prepared_name(const char *name, GlobalId *gid, int32 *shard_id)
{
    size_t length = strlen(global_id_prefix());
    int pid, consumed = 0;
    const char *suffix = strrchr(name, '_');
    if (strncmp(name, global_id_prefix(), length) != 0 ||
        sscanf(name + length, "%d_" UINT64_FORMAT "_%d%n", &pid, &gid->number, shard_id,
               &consumed) != 3 ||
        name[length + consumed] != '\0' || suffix - name >= (int)sizeof(gid->text))
        return false;
    snprintf(gid->text, sizeof(gid->text), "%.*s", (int)(suffix - name), name);
    return true;
}

// True where the row is still the one that this backend wrote: VACUUM FULL may have moved it,
// recovery removed it.
static bool last_row_is_there(Relation rel)
{
    if (!last.finished || last.relfilenode != file_of(rel))
        return false;
    HeapTupleData tuple;
    Buffer buffer;
    tuple.t_self = last.tid;
    if (!heap_fetch(rel, SnapshotSelf, &tuple, &buffer, false))
        return false;
    bool isnull;
    Datum gid = heap_getattr(&tuple, 1, RelationGetDescr(rel), &isnull);
    bool same = !isnull && strcmp(TextDatumGetCString(gid), last.gid.text) == 0;
    ReleaseBuffer(buffer);
    return same;
}

static bool overwrite_last_row(Relation rel, HeapTuple tuple)
{
    TM_FailureData failure;
    LockTupleMode mode;
    return last_row_is_there(rel) && heap_update(rel, &last.tid, tuple, GetCurrentCommandId(true),
                                                 InvalidSnapshot, false, &failure, &mode) == TM_Ok;
}

void record_decision(const GlobalId *gid)
{
    Relation rel = table_open(catalog_table_oid("commit_decision"), RowExclusiveLock);
    Datum value = CStringGetTextDatum(gid->text);
    bool isnull = false;
    HeapTuple tuple = heap_form_tuple(RelationGetDescr(rel), &value, &isnull);
    if (!overwrite_last_row(rel, tuple))
        simple_heap_insert(rel, tuple);
    last.finished = false; // if this transaction fails, the next writes a row anew
    last.gid = *gid;
    last.relfilenode = file_of(rel);
    last.tid = tuple->t_self;
    table_close(rel, NoLock);
}

void end_decision(bool finished)
{
    last.finished = finished;
}

static char *read_gid(Relation rel, HeapTuple tuple)
{
    bool isnull;
    Datum gid = heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull);
    return isnull ? pstrdup("") : TextDatumGetCString(gid);
}

// The table is small: a row a session. What the current transaction's snapshot would miss counts.
bool decision_exists(const GlobalId *gid)
{
    bool found = false;
    Relation rel = table_open(catalog_table_oid("commit_decision"), AccessShareLock);
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    TableScanDesc scan = table_beginscan(rel, snapshot, 0, nullptr);
    while (HeapTuple tuple = found ? nullptr : heap_getnext(scan, ForwardScanDirection))
        found = strcmp(read_gid(rel, tuple), gid->text) == 0;
    table_endscan(scan);
    UnregisterSnapshot(snapshot);
    table_close(rel, AccessShareLock);
    return found;
}

static bool session_has_ended(const char *gid)
{
    int pid;
    size_t length = strlen(global_id_prefix());
    return strncmp(gid, global_id_prefix(), length) != 0 || sscanf(gid + length, "%d", &pid) != 1 ||
           BackendPidGetProc(pid) == nullptr;
}

List *list_finished_decisions()
{
    List *tids = NIL;
    Relation rel = table_open(catalog_table_oid("commit_decision"), AccessShareLock);
    TableScanDesc scan = table_beginscan(rel, GetActiveSnapshot(), 0, nullptr);
    while (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection))
        if (session_has_ended(read_gid(rel, tuple)))
            tids = lappend(tids, heap_copytuple(tuple));
    table_endscan(scan);
    table_close(rel, NoLock); // so that the rows stay where they are
    return tids;
}

// Rows that the snapshot does not see have come into the place of others.
void delete_decisions(const List *decisions)
{
    Relation rel = table_open(catalog_table_oid("commit_decision"), RowExclusiveLock);
    ListCell *cell;
    foreach (cell, decisions) {
        TM_FailureData failure;
        heap_delete(rel, &static_cast<HeapTuple>(lfirst(cell))->t_self, GetCurrentCommandId(true),
                    GetActiveSnapshot(), false, &failure, false);
    }
    table_close(rel, NoLock);
}

} // namespace shardwise
