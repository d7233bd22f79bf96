#include "ddl/copy_out.hpp"

#include "catalog/catalog.hpp"
#include "ddl/copy_access.hpp"
#include "executor/row_format.hpp"
#include "remote/connection.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "commands/copy.h"
#include "commands/defrem.h"
#include "libpq/libpq.h"
#include "libpq/pqformat.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "storage/fd.h"
#include "mb/pg_wchar.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/rls.h"
#include <sys/stat.h>
}

namespace shardwise
{

namespace
{

constexpr int binary_header = 19; // signature, flags, extension length
constexpr int binary_trailer = 2;

struct CopyOut {
    CopyFormatOptions options;
    List *columns; // attribute numbers
    List *connections;
    List *commands;       // char *, one a connection
    char *header_command; // yields the header line alone
    FILE *file;           // nullptr: the client
    uint64 rows;
};

// Sends bytes where COPY sends them: the client, a file, or a program.
void write_out(CopyOut *copy, const char *bytes, int length)
{
    if (copy->file == nullptr)
        (void)pq_putmessage('d', bytes, length);
    else if (fwrite(bytes, 1, length, copy->file) != (size_t)length)
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not write to COPY file: %m")));
}

void check_privileges(const CopyStmt *statement, Oid relid, const CopyOut &copy)
{
    check_copy_file(statement);
    RangeTblEntry *rte = makeNode(RangeTblEntry);
    rte->rtekind = RTE_RELATION;
    rte->relid = relid;
    rte->relkind = get_rel_relkind(relid);
    rte->rellockmode = AccessShareLock;
    rte->requiredPerms = ACL_SELECT;
    ListCell *cell;
    foreach (cell, copy.columns)
        rte->selectedCols = bms_add_member(rte->selectedCols,
                                           lfirst_int(cell) - FirstLowInvalidHeapAttributeNumber);
    ExecCheckRTPerms(list_make1(rte), true);

    if (check_enable_rls(relid, InvalidOid, false) == RLS_ENABLED)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("COPY of distributed table \"%s\" with row-level security is not "
                               "supported",
                               get_rel_name(relid)),
                        errhint("Use COPY (SELECT ...) TO instead.")));
    if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("cannot copy from partitioned table \"%s\"", get_rel_name(relid)),
                        errhint("Try the COPY (SELECT ...) TO variant.")));
}

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

// The command for a shard. The header line is asked for once, with a source that has no rows.
char *shard_command(const CopyStmt *statement, const CopyOut &copy, const char *source, bool header)
{
    StringInfoData command;
    initStringInfo(&command);
    appendStringInfo(&command, "COPY %s TO STDOUT WITH (header %s", source,
                     header ? "true" : "false");
    if (!copy.options.binary && copy.options.file_encoding < 0)
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

// Starts the copy stream as COPY TO STDOUT does.
void begin_client_copy(const CopyOut &copy)
{
    StringInfoData message;
    int format = copy.options.binary ? 1 : 0;
    pq_beginmessage(&message, 'H');
    pq_sendbyte(&message, format);
    pq_sendint16(&message, list_length(copy.columns));
    for (int i = 0; i < list_length(copy.columns); i++)
        pq_sendint16(&message, format);
    pq_endmessage(&message);
}

void write_binary_header(CopyOut *copy)
{
    static const char header[binary_header] = {'P',  'G',        'C',  'O',  'P', 'Y',
                                               '\n', (char)0xff, '\r', '\n', '\0'};
    write_out(copy, header, sizeof(header));
}

void write_header_line(CopyOut *copy, Connection *connection)
{
    const char *data;
    int length;
    start_copy_out(connection, copy->header_command);
    while ((length = read_copy_data(connection, &data)) >= 0)
        write_out(copy, data, length);
}

// In binary, a shard's header shares a message with its first row, and its trailer is a message.
void forward_rows(CopyOut *copy, Connection *connection, const char *command)
{
    const char *data;
    int length;
    bool first = true;

    start_copy_out(connection, command);
    while ((length = read_copy_data(connection, &data)) >= 0) {
        CHECK_FOR_INTERRUPTS();
        if (copy->options.binary) {
            if (first) {
                data += binary_header;
                length -= binary_header;
                first = false;
            }
            if (length == 0 || (length == binary_trailer && (uint8)data[0] == 0xff))
                continue;
        }
        write_out(copy, data, length);
        copy->rows++;
    }
}

// Reference tables are whole on each shard, so one will do.
List *source_shards(Oid relid)
{
    List *ids = list_shard_ids();
    return find_table(relid)->is_reference ? list_truncate(ids, 1) : ids;
}

// What a shard copies: the table, or the rows of it that the shard owns.
char *source_on_shard(Oid relid, int32 shard, const char *table, const char *columns)
{
    const char *filter = ghost_filter_sql(find_table(relid), shard);
    if (filter == nullptr)
        return psprintf("%s (%s)", table, columns);
    return psprintf("(SELECT %s FROM ONLY %s WHERE %s)", columns, table, filter);
}

void open_destination(CopyOut *copy, const CopyStmt *statement)
{
    if (statement->filename == nullptr) {
        if (whereToSendOutput == DestRemote)
            begin_client_copy(*copy);
        else
            copy->file = stdout;
        return;
    }
    mode_t mask = umask(S_IWGRP | S_IWOTH);
    copy->file = statement->is_program ? OpenPipeStream(statement->filename, PG_BINARY_W)
                                       : AllocateFile(statement->filename, PG_BINARY_W);
    umask(mask);
    if (copy->file == nullptr)
        ereport(ERROR, (errcode_for_file_access(),
                        errmsg("could not open file \"%s\" for writing: %m", statement->filename)));
}

void close_destination(CopyOut *copy, const CopyStmt *statement)
{
    if (copy->file == nullptr) {
        pq_putemptymessage('c');
        return;
    }
    if (statement->filename == nullptr)
        return;
    if (statement->is_program) {
        int status = ClosePipeStream(copy->file);
        if (status != 0)
            ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
                            errmsg("program \"%s\" failed", statement->filename),
                            errdetail_internal("%s", wait_result_to_str(status))));
    } else if (FreeFile(copy->file) != 0) {
        ereport(ERROR, (errcode_for_file_access(),
                        errmsg("could not close file \"%s\": %m", statement->filename)));
    }
}

} // namespace

void copy_out(const CopyStmt *statement, Oid relid, QueryCompletion *completion)
{
    CopyOut copy = {};
    Relation relation = table_open(relid, AccessShareLock);
    ParseState *parse = make_parsestate(nullptr);
    ProcessCopyOptions(parse, &copy.options, false, statement->options);
    copy.columns = CopyGetAttnums(RelationGetDescr(relation), relation, statement->attlist);
    check_privileges(statement, relid, copy);
    char *table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
                                             get_rel_name(relid));
    char *columns = column_names(relid, copy.columns);
    copy.header_command = shard_command(
        statement, copy, psprintf("(SELECT %s FROM %s LIMIT 0)", columns, table), true);

    // All shards' transactions begin before the first row is sent.
    ListCell *cell;
    foreach (cell, source_shards(relid)) {
        int32 shard = lfirst_int(cell);
        char *source = source_on_shard(relid, shard, table, columns);
        copy.commands = lappend(copy.commands, shard_command(statement, copy, source, false));
        copy.connections = lappend(copy.connections, join_shard(shard, Access::Read, false));
    }

    open_destination(&copy, statement);
    if (copy.options.binary)
        write_binary_header(&copy);
    else if (copy.options.header_line != COPY_HEADER_FALSE && copy.connections != NIL)
        write_header_line(&copy, (Connection *)linitial(copy.connections));
    foreach (cell, copy.connections)
        forward_rows(&copy, (Connection *)lfirst(cell),
                     (char *)list_nth(copy.commands, foreach_current_index(cell)));
    if (copy.options.binary)
        write_out(&copy, "\xff\xff", binary_trailer);
    close_destination(&copy, statement);
    table_close(relation, NoLock);
    SetQueryCompletion(completion, CMDTAG_COPY, copy.rows);
}

} // namespace shardwise
