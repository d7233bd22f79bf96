// Numbers in the bytes of PostgreSQL's binary formats.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "port/pg_bswap.h"
}

namespace shardwise
{

inline uint16 read_2(const char *bytes)
{
    uint16 value;
    memcpy(&value, bytes, sizeof(value));
    return pg_ntoh16(value);
}

inline uint32 read_4(const char *bytes)
{
    uint32 value;
    memcpy(&value, bytes, sizeof(value));
    return pg_ntoh32(value);
}

inline uint64 read_8(const char *bytes)
{
    uint64 value;
    memcpy(&value, bytes, sizeof(value));
    return pg_ntoh64(value);
}

} // namespace shardwise
