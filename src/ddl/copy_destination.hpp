// Where COPY TO writes: the client, a file, or a program.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "commands/copy.h"
}

namespace shardwise
{

struct CopyDestination {
    CopyFormatOptions options;
    FILE *file; // nullptr: the client
    bool is_program;
    const char *name; // of the file or program; nullptr: neither
};

// Checks the options and who may use the file, before anything runs.
CopyDestination prepare_destination(const CopyStmt *statement);

// Opens it, for rows of so many columns; writes; and closes it.
void open_destination(CopyDestination *destination, int ncolumns);
void write_out(CopyDestination *destination, const char *bytes, int length);
void close_destination(CopyDestination *destination);

} // namespace shardwise
