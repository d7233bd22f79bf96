// The crossing from C++ exceptions to PostgreSQL's longjmp. Nothing else may catch either.
#pragma once

#include "pg/pg.hpp"

#include <exception>

namespace shardwise
{

// Runs `body`, which may throw but must not ereport, and turns an exception into an ereport(ERROR).
// The message is copied out and the handler left first: a longjmp out of a catch block leaks the
// exception object.
template <typename Body> void raise_exceptions_as_errors(Body &&body)
{
    char message[512];
    int sqlstate = 0;
    try {
        body();
    } catch (const std::bad_alloc &) {
        sqlstate = ERRCODE_OUT_OF_MEMORY;
        strlcpy(message, "out of memory", sizeof(message));
    } catch (const std::exception &e) {
        sqlstate = ERRCODE_INTERNAL_ERROR;
        strlcpy(message, e.what(), sizeof(message));
    } catch (...) {
        sqlstate = ERRCODE_INTERNAL_ERROR;
        strlcpy(message, "unexpected C++ exception", sizeof(message));
    }
    if (sqlstate != 0)
        ereport(ERROR, (errcode(sqlstate), errmsg("%s", message)));
}

// Makes a failing `new` an ordinary out-of-memory error instead of an abort of the server.
void install_new_handler();

} // namespace shardwise
