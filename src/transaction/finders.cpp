#include "transaction/finders.hpp"

#include "pg/versions.hpp"

extern "C" {
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/spin.h"
#include "utils/wait_event.h"
}

namespace shardwise
{

// More tables of one commit than this are taken for all.
static constexpr int max_leaving = 8;

// A backend's row.
struct Finder {
    slock_t mutex;
    Oid database;
    bool finds;
    FinderKind kind;
    bool told;
    int nleaving; // -1: rows of any table
    Oid leaving[max_leaving];
};

struct Finders {
    pg_atomic_uint32 leaving; // backends that let rows go
    ConditionVariable finder_ended, leaver_ended;
    Finder rows[FLEXIBLE_ARRAY_MEMBER];
};

static Finders *finders = nullptr;
static Finder *own = nullptr;

Size finders_size()
{
    return add_size(offsetof(Finders, rows), mul_size(MaxBackends, sizeof(Finder)));
}

void make_finders(void *memory, bool found)
{
    finders = static_cast<Finders *>(memory);
    if (found)
        return;
    pg_atomic_init_u32(&finders->leaving, 0);
    ConditionVariableInit(&finders->finder_ended);
    ConditionVariableInit(&finders->leaver_ended);
    for (int i = 0; i < MaxBackends; i++)
        SpinLockInit(&finders->rows[i].mutex);
}

static void be_told(Finder *row)
{
    SpinLockAcquire(&row->mutex);
    row->told = row->finds;
    SpinLockRelease(&row->mutex);
}

static void set_finding(bool finds, FinderKind kind)
{
    SpinLockAcquire(&own->mutex);
    own->finds = finds;
    own->kind = kind;
    own->told = false;
    SpinLockRelease(&own->mutex);
}

void stop_finding()
{
    if (own == nullptr)
        return;
    set_finding(false, {});
    pg_memory_barrier();
    if (unlikely(pg_atomic_read_u32(&finders->leaving) > 0))
        ConditionVariableBroadcast(&finders->finder_ended);
}

extern "C" {
static void free_row(int, Datum)
{
    stop_finding();
    end_leaving_rows();
}
}

static void take_row()
{
    if (own != nullptr)
        return;
    own = &finders->rows[backend_number()];
    own->database = MyDatabaseId;
    on_shmem_exit(free_row, 0);
}

// Visits the rows of other backends of the database, until `visit` returns true.
template <typename Visit> static bool visit_others(Visit &&visit)
{
    bool done = false;
    for (int i = 0; i < MaxBackends && !done; i++) {
        Finder *row = &finders->rows[i];
        if (row == own)
            continue;
        SpinLockAcquire(&row->mutex);
        done = row->database == MyDatabaseId && visit(row);
        SpinLockRelease(&row->mutex);
    }
    return done;
}

// True if rows of a table leave their shards by another backend's commit.
static bool rows_leave(Oid table)
{
    if (likely(pg_atomic_read_u32(&finders->leaving) == 0))
        return false;
    return visit_others([table](const Finder *row) {
        if (row->nleaving < 0 || !OidIsValid(table))
            return row->nleaving != 0;
        return std::find(row->leaving, row->leaving + row->nleaving, table) !=
               row->leaving + row->nleaving;
    });
}

void start_finding(FinderKind kind)
{
    take_row();
    if (own->finds) {
        SpinLockAcquire(&own->mutex);
        own->kind = {own->kind.table == kind.table ? kind.table : InvalidOid,
                     own->kind.is_awaited && kind.is_awaited};
        SpinLockRelease(&own->mutex);
        pg_memory_barrier();
        if (rows_leave(kind.table))
            be_told(own);
        return;
    }
    for (;;) {
        set_finding(true, kind);
        pg_memory_barrier(); // one of the two sees the other
        if (likely(!rows_leave(kind.table)))
            break;
        stop_finding();
        ConditionVariablePrepareToSleep(&finders->leaver_ended);
        while (rows_leave(kind.table))
            ConditionVariableSleep(&finders->leaver_ended, PG_WAIT_EXTENSION);
        ConditionVariableCancelSleep();
    }
}

bool finder_was_told()
{
    return own != nullptr && own->told;
}

void tell_finder(int backend)
{
    be_told(&finders->rows[backend]);
}

void announce_leaving_rows(const List *tables)
{
    take_row();
    SpinLockAcquire(&own->mutex);
    own->nleaving = list_length(tables) > max_leaving ? -1 : 0;
    for (int i = 0; own->nleaving >= 0 && i < list_length(tables); i++)
        own->leaving[own->nleaving++] = list_nth_oid(tables, i);
    SpinLockRelease(&own->mutex);
    pg_atomic_fetch_add_u32(&finders->leaving, 1);
    pg_memory_barrier();
}

void end_leaving_rows()
{
    if (own == nullptr || own->nleaving == 0)
        return;
    SpinLockAcquire(&own->mutex);
    own->nleaving = 0;
    SpinLockRelease(&own->mutex);
    pg_atomic_fetch_sub_u32(&finders->leaving, 1);
    ConditionVariableBroadcast(&finders->leaver_ended);
}

// Visits the others that look for rows of the tables, until `visit` returns true.
template <typename Visit> static bool visit_finders(const List *tables, Visit &&visit)
{
    return visit_others([&](Finder *row) {
        Oid table = row->kind.table;
        return row->finds && (!OidIsValid(table) || list_member_oid(tables, table)) && visit(row);
    });
}

bool anyone_finds(const List *tables)
{
    return visit_finders(tables, [](Finder *row) { return row->kind.is_awaited && !row->told; });
}

bool wait_for_finders(long milliseconds)
{
    return !ConditionVariableTimedSleep(&finders->finder_ended, milliseconds, PG_WAIT_EXTENSION);
}

void stop_waiting_for_finders()
{
    ConditionVariableCancelSleep();
}

bool anyone_may_wait(const List *tables)
{
    return visit_finders(tables, [](Finder *) { return true; });
}

void tell_all_finders(const List *tables)
{
    (void)visit_finders(tables, [](Finder *row) {
        row->told = row->told || row->kind.is_awaited;
        return false;
    });
}

} // namespace shardwise
