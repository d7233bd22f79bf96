// Parameters on their way to a shard.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"
#include "remote/connection.hpp"

namespace shardwise
{

// How values of one type are written: in binary where that is a matter of byte order, as text
// otherwise.
struct ValueWriter {
    Oid type;
    bool is_binary;
    FmgrInfo output; // text form of all other types
};

// The parameters of one route, with the buffers they are written to.
struct ParameterWriter {
    int n;
    ValueWriter *writers;
    const char **values;
    int *lengths;
    int *formats;
    char (*fixed)[16]; // room for fixed-size values
};

// Prepares to write the first `n` of `types` (the types of the expressions, not the declared
// ones); memory is taken from the current context.
ParameterWriter *make_parameter_writer(int n, const Oid *types);

// Writes all values; what does not fit the fixed room is allocated in the current context.
RemoteValues write_parameters(ParameterWriter *writer, const Datum *values, const bool *nulls);

// One column of many rows, as a parameter that is an array. Types without a plain binary form go as
// texts.
struct ArrayWriter {
    ValueWriter element;
    int n;
    bool has_nulls;
    StringInfoData bytes; // the array's binary form
};

// Prepares to write values of a type; memory is taken from the current context.
void init_array_writer(ArrayWriter *writer, Oid type);

// Adds a value to the end of the array.
void append_element(ArrayWriter *writer, Datum value, bool is_null);

// The array's binary form, complete; read it from writer->bytes.
void finish_array(ArrayWriter *writer);

// Begins the next array in the same memory.
void clear_array(ArrayWriter *writer);

} // namespace shardwise
