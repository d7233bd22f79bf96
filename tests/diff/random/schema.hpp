// Random tables: key types, strategies, colocation, reference and local tables, and their rows.
#pragma once

#include "choices.hpp"

#include <string>
#include <vector>

namespace shardwise::random_queries
{

enum class Type { Int, Big, Text, Num, Date, Bool, Uuid, Time, Json, Ints, Bytes, Mood, Pair };

const char *type_name(Type type);

struct Column {
    std::string name; // as it is written in a query, with its alias where there is one
    Type type;
    bool is_generated = false;
};

struct Table {
    std::string name;
    std::vector<Column> columns;
    std::vector<Column> key;    // of distributed tables
    std::vector<Column> unique; // no two rows are equal in all of these; none: rows may repeat
    std::string definition;
    std::vector<std::string> rows; // each a VALUES list in parentheses
    std::string distribution;      // the call that spreads it; empty: stays on the router
    bool is_reference = false, is_view = false;
    std::string base; // of a view that writes may go through: the table
};

struct Schema {
    std::string name;
    std::string types; // what defines them, and functions that are the router's
    std::vector<Table> tables;
};

// What the tables are to be good for: writes want unique keys, defaults and generated columns.
enum class Purpose { Reads, Writes };

Schema make_schema(Choices &choices, int number, Purpose purpose);

// A literal of the type, from a small range, so that values meet.
std::string make_literal(Choices &choices, Type type);

} // namespace shardwise::random_queries
