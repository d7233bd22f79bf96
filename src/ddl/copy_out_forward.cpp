#include "ddl/copy_out_forward.hpp"

#include "pg/nesting.hpp"
#include "remote/connection.hpp"
#include "transaction/participants.hpp"
#include "transaction/snapshot.hpp"

extern "C" {
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
}

namespace shardwise
{

namespace
{

constexpr int binary_header = 19; // signature, flags, extension length
constexpr int binary_trailer = 2;

// One shard's stream.
struct Stream {
    Connection *connection;
    bool has_begun;
    bool ended;
};

const char *option_value(DefElem *option)
{
    if (option->arg == nullptr)
        return "";
    if (IsA(option->arg, A_Star))
        return " *";
    if (IsA(option->arg, List)) {
        StringInfoData list;
        initStringInfo(&list);
        ListCell *cell;
        foreach (cell, (List *)option->arg)
            appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : " (",
                             quote_identifier(strVal(lfirst(cell))));
        appendStringInfoChar(&list, ')');
        return list.data;
    }
    return psprintf(" %s", quote_literal_cstr(defGetString(option)));
}

char *shard_command(const CopyStmt *statement, const CopyDestination *destination,
                    const char *source, bool header)
{
    StringInfoData command;
    initStringInfo(&command);
    appendStringInfo(&command, "COPY %s TO STDOUT WITH (header %s", source,
                     header ? "true" : "false");
    if (!destination->options.binary && destination->options.file_encoding < 0)
        appendStringInfo(&command, ", encoding %s",
                         quote_literal_cstr(pg_get_client_encoding_name()));
    ListCell *cell;
    foreach (cell, statement->options) {
        DefElem *option = (DefElem *)lfirst(cell);
        if (strcmp(option->defname, "header") != 0)
            appendStringInfo(&command, ", %s%s", option->defname, option_value(option));
    }
    appendStringInfoChar(&command, ')');
    return command.data;
}

// Some shard writes it, in the wanted format: the header of a query without rows.
void write_header_line(const CopyStmt *statement, CopyDestination *destination,
                       Connection *connection, const List *names)
{
    StringInfoData source;
    initStringInfo(&source);
    ListCell *cell;
    foreach (cell, names)
        appendStringInfo(&source, "%s NULL AS %s", source.len > 0 ? "," : "(SELECT",
                         quote_identifier((const char *)lfirst(cell)));
    appendStringInfoString(&source, " LIMIT 0)");

    const char *data;
    int length;
    start_copy_out(connection, shard_command(statement, destination, source.data, true));
    while ((length = read_copy_data(connection, &data)) >= 0)
        write_out(destination, data, length);
}

// In binary, a shard's header shares a message with its first row, and its trailer is a message.
// Returns false if there is no row in the message.
bool strip_binary(Stream *stream, const char **data, int *length)
{
    if (!stream->has_begun) {
        *data += binary_header;
        *length -= binary_header;
        stream->has_begun = true;
    }
    return *length != 0 && !(*length == binary_trailer && (uint8)(*data)[0] == 0xff);
}

// Forwards the rows that a shard has delivered; true if there were any.
bool forward_delivered(CopyDestination *destination, Stream *stream, uint64 *rows)
{
    const char *data;
    int length;
    bool any = false;
    while ((length = try_read_copy_data(stream->connection, &data)) > 0) {
        CHECK_FOR_INTERRUPTS();
        any = true;
        if (destination->options.binary && !strip_binary(stream, &data, &length))
            continue;
        write_out(destination, data, length);
        (*rows)++;
    }
    stream->ended = length < 0;
    return any || stream->ended;
}

uint64 forward_rows(CopyDestination *destination, Stream *streams, int n, const List *connections)
{
    InputWait *wait = make_input_wait(connections);
    uint64 rows = 0;
    for (int left = n; left > 0;) {
        bool any = false;
        for (int i = 0; i < n; i++) {
            if (streams[i].ended)
                continue;
            any = forward_delivered(destination, &streams[i], &rows) || any;
            left -= streams[i].ended;
        }
        if (!any)
            wait_for_any_input(wait);
    }
    return rows;
}

} // namespace

uint64 forward_copies(const CopyStmt *statement, CopyDestination *destination, const List *sources,
                      const List *names)
{
    int n = list_length(sources);
    Stream *streams = static_cast<Stream *>(palloc0((n + 1) * sizeof(Stream)));
    List *connections = NIL;
    List *shards = NIL;
    ListCell *cell;
    foreach (cell, sources)
        shards = lappend_int(shards, static_cast<const CopySource *>(lfirst(cell))->shard);
    uint64 execution = ++executions;
    begin_read(shards, {execution, true, Sending::InTransaction, true});
    open_shards(shards);
    foreach (cell, sources) { // all shards' transactions begin before the first row is sent
        int32 shard = static_cast<const CopySource *>(lfirst(cell))->shard;
        Connection *connection = join_shard(shard, Access::Read, false);
        streams[foreach_current_index(cell)].connection = connection;
        connections = lappend(connections, connection);
    }
    (void)end_read(); // takes no second attempt

    open_destination(destination, list_length(names));
    if (destination->options.binary)
        write_out(destination, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", binary_header);
    else if (destination->options.header_line != COPY_HEADER_FALSE && n > 0)
        write_header_line(statement, destination, streams[0].connection, names);
    foreach (cell, sources) {
        const CopySource *source = static_cast<const CopySource *>(lfirst(cell));
        send_copy_out(streams[foreach_current_index(cell)].connection,
                      shard_command(statement, destination, source->source, false),
                      n > 1 ? Workers::Shared : Workers::Own);
    }
    for (int i = 0; i < n; i++)
        await_copy_out(streams[i].connection);
    uint64 rows = forward_rows(destination, streams, n, connections);
    if (destination->options.binary)
        write_out(destination, "\xff\xff", binary_trailer);
    end_reads(execution);
    close_destination(destination);
    return rows;
}

} // namespace shardwise
