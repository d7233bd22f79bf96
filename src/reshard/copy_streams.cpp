#include "pg/pg.hpp"

#include "pg/versions.hpp"
#include "reshard/copy_streams.hpp"
#include "reshard/settings.hpp"
#include "reshard/throttle.hpp"

extern "C" {
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/wait_event.h"
}

namespace shardwise
{

namespace
{

// The source reads a chunk in steps, a statement each: between them a copy can hold its breath,
// also where few of the rows that are looked at move. The target takes the chunk as one statement.
struct Stream {
    ShardSession *from, *to;
    const Chunk *chunk; // nullptr: free
    uint64 rows, bytes;
    uint32 page;     // the next step's first
    bool reads;      // a step is under way
    uint64 prepaid;  // effort that the throttle has been told of and that has brought no bytes yet
    bool read_all;   // the source has sent everything
    bool has_header; // of the binary format, which each step has, and a chunk once
};

struct Copy {
    const RunningMove *move;
    int n;
    Stream *streams;
    WaitEventSet *events;
};

void begin_reading(Stream *stream, const char *snapshot)
{
    runf(stream->from,
         "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT %s",
         quote_literal_cstr(snapshot));
    (void)run(stream->to, "SET session_replication_role = replica; SET synchronous_commit = off");
}

void expect_copy(ShardSession *s, ExecStatusType expected)
{
    PGresult *result = PQgetResult(s->conn);
    if (PQresultStatus(result) != expected)
        raise_shard_error(s, result);
    PQclear(result);
}

// Waits for a session's socket, and takes in what came.
void wait_for_socket(ShardSession *s, int events)
{
    int happened = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | events,
                                     PQsocket(s->conn), 0, PG_WAIT_EXTENSION);
    if (happened & WL_LATCH_SET) {
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    }
    if ((happened & WL_SOCKET_READABLE) && PQconsumeInput(s->conn) == 0)
        raise_shard_error(s, nullptr);
}

// The two round trips that this waits are once a chunk.
void wait_until_idle_input(ShardSession *s)
{
    while (PQisBusy(s->conn))
        wait_for_socket(s, WL_SOCKET_READABLE);
}

void wait_until_flushed(ShardSession *s)
{
    int left;
    while ((left = PQflush(s->conn)) == 1)
        wait_for_socket(s, WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE);
    if (left < 0)
        raise_shard_error(s, nullptr);
}

const char *format_of(const MoveTable *table)
{
    return table->binary ? "binary" : "text";
}

void begin_chunk(Stream *stream, const Chunk *chunk)
{
    const MoveTable *table = chunk->table;
    stream->chunk = chunk;
    stream->page = chunk->lower;
    stream->rows = stream->bytes = 0;
    stream->reads = stream->read_all = stream->has_header = false;
    (void)run(stream->to, "BEGIN");
    send(stream->to, format_sql("COPY %s (%s) FROM STDIN (FORMAT %s)", table->name, table->columns,
                                format_of(table)));
    wait_until_idle_input(stream->to);
    expect_copy(stream->to, PGRES_COPY_IN);
    PQsetnonblocking(stream->to->conn, 1);
}

// Pages that are read cost what they hold, also where few of their rows move.
void begin_step(Stream *stream, Throttle *throttle)
{
    const Chunk *chunk = stream->chunk;
    const MoveTable *table = chunk->table;
    uint32 pages = static_cast<uint32>(
        std::clamp<uint64>(throttle_portion(throttle) / BLCKSZ, 1, chunk->upper - stream->page));
    bool is_end = chunk->is_last && stream->page + pages == chunk->upper;
    // The last chunk has no end: 4294967295 is no page's number.
    send(stream->from, format_sql("COPY (SELECT %s FROM ONLY %s WHERE ctid >= '(%u,0)'::tid AND "
                                  "ctid < '(%u,0)'::tid AND %s) TO STDOUT (FORMAT %s)",
                                  table->columns, chunk->leaf, stream->page,
                                  is_end ? PG_UINT32_MAX : stream->page + pages, table->filter,
                                  format_of(table)));
    stream->page += pages;
    stream->prepaid = uint64{pages} * BLCKSZ;
    throttle_work(throttle, 0, stream->prepaid);
    wait_until_idle_input(stream->from);
    expect_copy(stream->from, PGRES_COPY_OUT);
    stream->reads = true;
}

void end_step(Stream *stream)
{
    (void)receive(stream->from);
    stream->reads = false;
    stream->read_all = stream->page >= stream->chunk->upper;
}

void end_chunk(const Copy *copy, Stream *stream)
{
    const Chunk *chunk = stream->chunk;
    if (PQputCopyEnd(stream->to->conn, nullptr) < 0)
        raise_shard_error(stream->to, nullptr);
    wait_until_flushed(stream->to);
    PQsetnonblocking(stream->to->conn, 0);
    Rows copied = receive(stream->to);
    stream->rows = copied.affected;
    runf(stream->to, "INSERT INTO %s.chunk VALUES (%s, %d, " UINT64_FORMAT "); COMMIT",
         copy->move->object, quote_literal_cstr(chunk->leaf), chunk->number, stream->rows);
    catalogf("UPDATE shardwise.move_chunk SET rows = " UINT64_FORMAT ", bytes = " UINT64_FORMAT
             ", copied_at = clock_timestamp() WHERE move_id = %d AND relation = %s AND chunk = %d",
             stream->rows, stream->bytes, copy->move->id, quote_literal_cstr(chunk->leaf),
             chunk->number);
    stream->chunk = nullptr;
}

// Passes on a message of the source. In binary, each step is a file of its own, with header and
// trailer: the target gets one header, and, as the end of the protocol's copy is the file's end, no
// trailer.
void pass_on(Stream *stream, const char *data, int length)
{
    constexpr int header = 19; // signature, flags and the length of an extension that is empty
    constexpr int trailer = 2; // -1 for the number of columns
    int skipped = 0;
    if (stream->chunk->table->binary) {
        bool begins = length >= header && memcmp(data, "PGCOPY\n\377\r\n\0", 11) == 0;
        skipped = begins && stream->has_header ? header : 0;
        stream->has_header = stream->has_header || begins;
        if (length - (begins ? header : 0) == trailer &&
            memcmp(data + length - trailer, "\xff\xff", trailer) == 0)
            length -= trailer;
    }
    if (length > skipped && PQputCopyData(stream->to->conn, data + skipped, length - skipped) < 0)
        raise_shard_error(stream->to, PQgetResult(stream->to->conn));
}

// Passes on what has arrived, as long as the target takes it. True if there was anything.
bool pump(Stream *stream, Throttle *throttle)
{
    bool moved = false;
    for (int i = 0; i < 1000 && stream->reads; i++) {
        char *data;
        int length = PQgetCopyData(stream->from->conn, &data, 1);
        if (length == 0)
            break;
        if (length == -2)
            raise_shard_error(stream->from, PQgetResult(stream->from->conn));
        moved = true;
        if (length == -1) {
            end_step(stream);
            break;
        }
        pass_on(stream, data, length);
        PQfreemem(data);
        stream->bytes += length;
        uint64 paid = std::min<uint64>(stream->prepaid, length);
        stream->prepaid -= paid;
        throttle_work(throttle, length, length - paid);
    }
    return moved;
}

const Chunk *next_chunk(List *chunks, int *position)
{
    if (*position >= list_length(chunks))
        return nullptr;
    return (const Chunk *)list_nth(chunks, (*position)++);
}

// libpq's buffer grows without limit: a stream whose target is behind is not read.
bool target_is_behind(const Stream *stream)
{
    int left = PQflush(stream->to->conn);
    if (left < 0)
        raise_shard_error(stream->to, PQgetResult(stream->to->conn));
    return left == 1;
}

extern "C" {
static void free_event_set(void *argument)
{
    FreeWaitEventSet((WaitEventSet *)argument);
}
}

// It goes with its context, before the sessions that it watches, whether the copy ends or fails.
void make_event_set(Copy *copy)
{
    copy->events = CreateWaitEventSet(CurrentMemoryContext, 2 + 2 * copy->n);
    MemoryContextCallback *callback = (MemoryContextCallback *)palloc0(sizeof(*callback));
    callback->func = free_event_set;
    callback->arg = copy->events;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
    AddWaitEventToSet(copy->events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
    AddWaitEventToSet(copy->events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
    for (int i = 0; i < copy->n; i++) {
        AddWaitEventToSet(copy->events, WL_SOCKET_READABLE, PQsocket(copy->streams[i].from->conn),
                          nullptr, nullptr);
        AddWaitEventToSet(copy->events, WL_SOCKET_READABLE, PQsocket(copy->streams[i].to->conn),
                          nullptr, nullptr);
    }
}

// Where nothing more may be begun, what has been paid for goes on.
bool may_read(const Stream *stream, const Throttle *throttle, long pause)
{
    return stream->reads && (pause <= 0 || (stream->prepaid > 0 && throttle_passes(throttle)));
}

// Waits for input of the sources, or for room at the targets that are behind.
void wait_for_streams(Copy *copy, const Throttle *throttle, long pause)
{
    WaitEvent happened[16];
    for (int i = 0; i < copy->n; i++) {
        Stream *stream = &copy->streams[i];
        bool behind = stream->chunk != nullptr && target_is_behind(stream);
        bool reads = may_read(stream, throttle, pause) && !behind;
        // A socket without interest still reports that the shard has gone.
        ModifyWaitEvent(copy->events, 2 + 2 * i, reads ? WL_SOCKET_READABLE : WL_SOCKET_CLOSED,
                        nullptr);
        ModifyWaitEvent(copy->events, 3 + 2 * i,
                        behind ? WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE : WL_SOCKET_READABLE,
                        nullptr);
    }
    int n = WaitEventSetWait(copy->events, pause > 0 ? pause : -1, happened, lengthof(happened),
                             PG_WAIT_EXTENSION);
    for (int i = 0; i < n; i++) {
        if (happened[i].events & WL_LATCH_SET) {
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        }
        int number = (happened[i].pos - 2) / 2;
        if (happened[i].pos < 2)
            continue;
        Stream *stream = &copy->streams[number];
        ShardSession *s = (happened[i].pos - 2) % 2 == 0 ? stream->from : stream->to;
        if ((happened[i].events & (WL_SOCKET_READABLE | WL_SOCKET_CLOSED)) &&
            PQconsumeInput(s->conn) == 0)
            raise_shard_error(s, nullptr);
        // A target that speaks while rows are sent to it reports an error.
        if (s == stream->to && stream->chunk != nullptr && !stream->read_all &&
            (happened[i].events & WL_SOCKET_READABLE) && !PQisBusy(s->conn)) {
            PGresult *result = PQgetResult(s->conn);
            if (result != nullptr && PQresultStatus(result) != PGRES_COPY_IN)
                raise_shard_error(s, result);
            PQclear(result);
        }
    }
}

Copy open_streams(const RunningMove *move, const char *snapshot, int n)
{
    Copy copy = {move, n, (Stream *)palloc0(sizeof(Stream) * (n + 1)), nullptr};
    for (int i = 0; i < n; i++) {
        copy.streams[i].from = open_shard_session(move->source);
        copy.streams[i].to = open_shard_session(move->target);
        begin_reading(&copy.streams[i], snapshot);
    }
    return copy;
}

void close_streams(Copy *copy)
{
    for (int i = 0; i < copy->n; i++) {
        close_shard_session(copy->streams[i].from);
        close_shard_session(copy->streams[i].to);
    }
}

void show_workers(const RunningMove *move, int n)
{
    catalogf("UPDATE shardwise.move SET workers = %d WHERE move_id = %d", n, move->id);
}

// Goes on with a stream's chunk without waiting; false if there was nothing to do. A step that
// begins may bring a pause for all.
bool advance(Stream *stream, Throttle *throttle, bool stopped, long *pause)
{
    if (!stream->reads && *pause <= 0) {
        begin_step(stream, throttle);
        *pause = stopped ? 0 : throttle_pause(throttle);
    }
    return may_read(stream, throttle, *pause) && !target_is_behind(stream) &&
           pump(stream, throttle);
}

} // namespace

bool copy_chunks(const RunningMove *move, const char *snapshot, List *chunks,
                 bool (*must_stop)(const RunningMove *))
{
    Copy copy = open_streams(move, snapshot, std::min(move_copy_streams, list_length(chunks)));
    int position = 0, busy = 0;
    bool stopped = false;
    MemoryContext caller = MemoryContextSwitchTo(
        AllocSetContextCreate(CurrentMemoryContext, "shardwise copy", ALLOCSET_SMALL_SIZES));
    make_event_set(&copy);
    show_workers(move, copy.n);
    Throttle throttle = begin_throttle(move);
    for (;;) {
        bool moved = false;
        // Chunks under way come to their end even where a standby hangs: somebody waits for them.
        long pause = stopped ? 0 : throttle_pause(&throttle);
        if (pause > 0 && throttle.looked)
            stopped = must_stop(move);
        for (int i = 0; i < copy.n; i++) {
            Stream *stream = &copy.streams[i];
            if (stream->chunk == nullptr) {
                const Chunk *chunk = stopped ? nullptr : next_chunk(chunks, &position);
                if (chunk == nullptr)
                    continue;
                begin_chunk(stream, chunk);
                busy++;
            }
            moved |= advance(stream, &throttle, stopped, &pause);
            if (stream->read_all) {
                end_chunk(&copy, stream);
                busy--;
                moved = true;
                stopped = stopped || must_stop(move);
            }
        }
        if (busy == 0 && (stopped || position >= list_length(chunks)))
            break;
        CHECK_FOR_INTERRUPTS();
        if (!moved)
            wait_for_streams(&copy, &throttle, pause);
    }
    MemoryContextDelete(MemoryContextSwitchTo(caller));
    close_streams(&copy);
    end_throttle(&throttle);
    show_workers(move, 0);
    return !stopped;
}

} // namespace shardwise
