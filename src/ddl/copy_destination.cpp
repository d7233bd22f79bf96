#include "ddl/copy_destination.hpp"

#include "ddl/copy_access.hpp"

extern "C" {
#include "libpq/libpq.h"
#include "libpq/pqformat.h"
#include "storage/fd.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include <sys/stat.h>
}

namespace shardwise
{

CopyDestination prepare_destination(const CopyStmt *statement)
{
    CopyDestination destination = {};
    check_copy_file(statement);
    ProcessCopyOptions(make_parsestate(nullptr), &destination.options, false, statement->options);
    destination.name = statement->filename;
    destination.is_program = statement->is_program;
    return destination;
}

// Starts the copy stream as COPY TO STDOUT does.
static void begin_client_copy(const CopyDestination *destination, int ncolumns)
{
    StringInfoData message;
    int format = destination->options.binary ? 1 : 0;
    pq_beginmessage(&message, 'H');
    pq_sendbyte(&message, format);
    pq_sendint16(&message, ncolumns);
    for (int i = 0; i < ncolumns; i++)
        pq_sendint16(&message, format);
    pq_endmessage(&message);
}

void open_destination(CopyDestination *destination, int ncolumns)
{
    const char *name = destination->name;
    if (name == nullptr) {
        if (whereToSendOutput == DestRemote)
            begin_client_copy(destination, ncolumns);
        else
            destination->file = stdout;
        return;
    }
    mode_t mask = umask(S_IWGRP | S_IWOTH);
    destination->file = destination->is_program ? OpenPipeStream(name, PG_BINARY_W)
                                                : AllocateFile(name, PG_BINARY_W);
    umask(mask);
    if (destination->file != nullptr)
        return;
    bool is_clients = errno == ENOENT || errno == EACCES; // perhaps it was meant to be
    ereport(ERROR,
            (errcode_for_file_access(),
             destination->is_program ? errmsg("could not execute command \"%s\": %m", name)
                                     : errmsg("could not open file \"%s\" for writing: %m", name),
             is_clients && !destination->is_program
                 ? errhint("COPY TO instructs the PostgreSQL server process to write a file. You "
                           "may want a client-side facility such as psql's \\copy.")
                 : 0));
}

static void close_program(CopyDestination *destination)
{
    int status = ClosePipeStream(destination->file);
    if (status != 0)
        ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
                        errmsg("program \"%s\" failed", destination->name),
                        errdetail_internal("%s", wait_result_to_str(status))));
}

// A program that stopped reading may have failed, which says more.
static void raise_write_error(CopyDestination *destination)
{
    if (destination->is_program) {
        if (errno == EPIPE) {
            close_program(destination);
            errno = EPIPE;
        }
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not write to COPY program: %m")));
    }
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not write to COPY file: %m")));
}

void write_out(CopyDestination *destination, const char *bytes, int length)
{
    if (destination->file == nullptr)
        (void)pq_putmessage('d', bytes, length);
    else if (fwrite(bytes, 1, length, destination->file) != (size_t)length)
        raise_write_error(destination);
}

void close_destination(CopyDestination *destination)
{
    if (destination->file == nullptr) {
        pq_putemptymessage('c');
    } else if (destination->name == nullptr) {
        return;
    } else if (destination->is_program) {
        close_program(destination);
    } else if (FreeFile(destination->file) != 0) {
        ereport(ERROR, (errcode_for_file_access(),
                        errmsg("could not close file \"%s\": %m", destination->name)));
    }
}

} // namespace shardwise
