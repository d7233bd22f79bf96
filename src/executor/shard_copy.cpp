#include "executor/shard_copy.hpp"

#include "executor/line_map.hpp"
#include "transaction/participants.hpp"

namespace shardwise
{

struct ShardCopy;

namespace
{

// A batch that is worth a system call.
constexpr int flush_size = 64 * 1024;
constexpr int max_kept_buffer = 1024 * 1024;

struct Stream {
    ShardCopy *copy;
    int32 shard_id;
    Connection *connection;
    StringInfoData buffer;
    LineMap lines;
    LineMark unsent; // where the lines of the rows in `buffer` begin
    uint64 rows;     // that the shard has stored
    bool opened;     // ever
    bool ending;     // the outcome is awaited
    bool failed;     // its error waits on the connection
};

} // namespace

struct ShardCopy {
    ShardCopyOptions options;
    MemoryContext context;
    List *streams;
    Stream **by_shard; // by shard id
    int max_shard;
    bool has_failed; // an error has been raised already
};

namespace
{

Connection *join(const ShardCopy *copy, int32 shard_id)
{
    return copy->options.management ? join_shard_for_management(shard_id)
                                    : join_shard(shard_id, Access::Write, false);
}

Stream *add_stream(ShardCopy *copy, int32 shard_id)
{
    MemoryContext caller = MemoryContextSwitchTo(copy->context);
    if (shard_id > copy->max_shard) {
        Stream **larger = static_cast<Stream **>(palloc0((shard_id + 1) * sizeof(Stream *)));
        if (copy->by_shard != nullptr)
            memcpy(larger, copy->by_shard, (copy->max_shard + 1) * sizeof(Stream *));
        copy->by_shard = larger;
        copy->max_shard = shard_id;
    }
    Stream *stream = static_cast<Stream *>(palloc0(sizeof(Stream)));
    stream->copy = copy;
    stream->shard_id = shard_id;
    stream->connection = join(copy, shard_id);
    initStringInfo(&stream->buffer);
    init_line_map(&stream->lines);
    copy->by_shard[shard_id] = stream;
    copy->streams = lappend(copy->streams, stream);
    MemoryContextSwitchTo(caller);
    return stream;
}

Stream *stream_of(ShardCopy *copy, int32 shard_id)
{
    if (likely(shard_id <= copy->max_shard && copy->by_shard[shard_id] != nullptr))
        return copy->by_shard[shard_id];
    return add_stream(copy, shard_id);
}

// The COPY was ended for another statement, and the shard refuses the rows.
extern "C" {
static void stream_failed(void *argument)
{
    Stream *stream = static_cast<Stream *>(argument);
    stream->failed = true;
    fail_shard_copy(stream->copy, nullptr, 0);
}
}

// Starts the stream, or starts it again after another statement had the connection.
void open_stream(ShardCopy *copy, Stream *stream)
{
    if (stream->opened && copy_in_is_open(stream->connection))
        return;
    // The nesting level and the settings may be others by now.
    stream->connection = join(copy, stream->shard_id);
    start_copy_in(stream->connection, copy->options.command, &stream->rows, stream_failed, stream);
    stream->opened = true;
    forget_lines_before(&stream->lines, stream->unsent);
    stream->unsent = {0, stream->lines.first_line};
    if (copy->options.preamble_length > 0)
        write_copy_data(stream->connection, copy->options.preamble, copy->options.preamble_length);
}

void push_other_streams(ShardCopy *copy, const Stream *but)
{
    ListCell *cell;
    foreach (cell, copy->streams) {
        Stream *stream = static_cast<Stream *>(lfirst(cell));
        if (stream != but && stream->opened && copy_in_is_open(stream->connection))
            push_copy_data(stream->connection);
    }
}

void write_buffer(ShardCopy *copy, Stream *stream)
{
    open_stream(copy, stream);
    if (stream->buffer.len == 0)
        return;
    write_copy_data(stream->connection, stream->buffer.data, stream->buffer.len);
    MemoryContext caller = MemoryContextSwitchTo(copy->context);
    resetStringInfo(&stream->buffer);
    if (stream->buffer.maxlen > max_kept_buffer) { // for one long row
        pfree(stream->buffer.data);
        initStringInfo(&stream->buffer);
    }
    spill_line_map(&stream->lines);
    MemoryContextSwitchTo(caller);
    stream->unsent = mark_line(&stream->lines);
    while (copy_is_backlogged(stream->connection)) {
        push_other_streams(copy, stream);
        wait_for_copy_progress(stream->connection);
    }
}

// The place in a CONTEXT where COPY speaks of a line; nullptr if it does not. The words around the
// number are in the shard's language.
const char *find_line_number(const char *context, const char *name, const char **sentence)
{
    size_t length = strlen(name);
    for (const char *at = context; at != nullptr; at = strchr(at, '\n')) {
        if (*at == '\n')
            at++;
        if (strncmp(at, "COPY ", 5) != 0 || strncmp(at + 5, name, length) != 0)
            continue;
        *sentence = at;
        const char *number = at + 5 + length;
        while (*number != '\0' && *number != '\n' && !(*number >= '0' && *number <= '9'))
            number++;
        return *number >= '0' && *number <= '9' ? number : nullptr;
    }
    return nullptr;
}

// What a shard said about its failure, in terms of the input.
struct Failure {
    Stream *stream;
    uint64 line; // 0: none in particular
    char *context;
};

Failure describe_failure(const ShardCopy *copy, Stream *stream)
{
    Failure failure = {stream, 0, waiting_error_context(stream->connection)};
    if (failure.context == nullptr)
        return failure;
    const char *sentence = nullptr;
    const char *name = copy->options.copied_name;
    if (name == nullptr) { // COPY's is the outermost, and the last
        char *copy_context = strstr(failure.context, "COPY ");
        if (copy_context != nullptr &&
            (copy_context == failure.context || copy_context[-1] == '\n'))
            copy_context[copy_context == failure.context ? 0 : -1] = '\0';
        if (failure.context[0] == '\0')
            failure.context = nullptr;
        return failure;
    }
    const char *number = find_line_number(failure.context, name, &sentence);
    if (number == nullptr)
        return failure;
    char *end;
    uint64 line = strtoull(number, &end, 10);
    failure.line = find_line(&stream->lines, line - copy->options.preamble_lines);
    failure.context = psprintf("%.*s%llu%s", (int)(number - failure.context), failure.context,
                               (unsigned long long)failure.line, end);
    return failure;
}

// Ends all streams, so that all shards work at the same time.
void end_streams(ShardCopy *copy)
{
    ListCell *cell;
    foreach (cell, copy->streams) {
        Stream *stream = static_cast<Stream *>(lfirst(cell));
        if (!stream->failed && (stream->buffer.len > 0 || !stream->opened))
            write_buffer(copy, stream);
        stream->ending = !stream->failed && copy_in_is_open(stream->connection);
        if (stream->ending)
            send_copy_end(stream->connection);
    }
}

// Waits for all shards. Returns false, with the failure that comes first, if there is one.
bool read_outcomes(ShardCopy *copy, Failure *first)
{
    *first = {};
    ListCell *cell;
    foreach (cell, copy->streams) {
        Stream *stream = static_cast<Stream *>(lfirst(cell));
        if (stream->ending && !read_copy_outcome(stream->connection))
            stream->failed = true;
        if (!stream->failed)
            continue;
        Failure failure = describe_failure(copy, stream);
        if (first->stream == nullptr || failure.line < first->line)
            *first = failure;
    }
    return first->stream == nullptr;
}

} // namespace

ShardCopy *begin_shard_copy(const ShardCopyOptions &options)
{
    ShardCopy *copy = static_cast<ShardCopy *>(palloc0(sizeof(ShardCopy)));
    copy->options = options;
    copy->context = CurrentMemoryContext;
    copy->max_shard = -1;
    return copy;
}

void fail_shard_copy(ShardCopy *copy, ErrorData *own, uint64 line)
{
    Failure first;
    if (!copy->has_failed) {
        end_streams(copy);
        if (!read_outcomes(copy, &first) && (own == nullptr || first.line <= line)) {
            copy->has_failed = true;
            error_context_stack = copy->options.context;
            raise_waiting_error(first.stream->connection, first.context);
        }
    }
    if (own != nullptr)
        ReThrowError(own);
}

// Ends the COPY of a shard that said something, to see what: if it was no error, the COPY goes on.
static void hear_shard(ShardCopy *copy, Stream *stream)
{
    send_copy_end(stream->connection);
    stream->failed = !read_copy_outcome(stream->connection);
    if (stream->failed)
        fail_shard_copy(copy, nullptr, 0);
}

void copy_row(ShardCopy *copy, int32 shard_id, const char *data, int length, uint64 line,
              uint32 lines)
{
    Stream *stream = stream_of(copy, shard_id);
    if (unlikely(stream->buffer.len + length > flush_size) && stream->buffer.len > 0) {
        if (stream->opened && copy_in_is_open(stream->connection) &&
            copy_was_answered(stream->connection))
            hear_shard(copy, stream);
        write_buffer(copy, stream);
    }
    appendBinaryStringInfoNT(&stream->buffer, data, length);
    note_line(&stream->lines, line, lines);
}

void open_shard_copy(ShardCopy *copy, int32 shard_id)
{
    (void)stream_of(copy, shard_id);
}

uint64 end_shard_copy(ShardCopy *copy, bool each)
{
    fail_shard_copy(copy, nullptr, 0);
    if (copy->has_failed) // and somebody has caught the error
        ereport(ERROR, (errcode(ERRCODE_IN_FAILED_SQL_TRANSACTION),
                        errmsg("rows were refused by a shard before the end of the COPY")));
    uint64 rows = 0;
    ListCell *cell;
    foreach (cell, copy->streams) {
        Stream *stream = static_cast<Stream *>(lfirst(cell));
        close_line_map(&stream->lines);
        if (!each)
            rows += stream->rows;
        else if (foreach_current_index(cell) == 0)
            rows = stream->rows;
        else if (rows != stream->rows)
            ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                            errmsg("shards stored different numbers of rows"),
                            errdetail("Shard \"%s\" stored %llu, another one %llu.",
                                      connection_shard_name(stream->connection),
                                      (unsigned long long)stream->rows, (unsigned long long)rows)));
    }
    return rows;
}

List *copied_shards(const ShardCopy *copy)
{
    List *shards = NIL;
    ListCell *cell;
    foreach (cell, copy->streams)
        shards = lappend_int(shards, static_cast<Stream *>(lfirst(cell))->shard_id);
    return shards;
}

} // namespace shardwise
