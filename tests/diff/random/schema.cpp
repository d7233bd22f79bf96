#include "schema.hpp"

#include <array>

namespace shardwise::random_queries
{

namespace
{

constexpr std::array key_types = {Type::Int, Type::Big, Type::Text, Type::Uuid, Type::Date};

std::string quoted(const std::string &text)
{
    return "'" + text + "'";
}

// How `distribute_table` is to spread a key; `,` with what follows the key's name.
std::string make_strategy(Choices &choices, Type key)
{
    bool has_splits =
        key == Type::Int || key == Type::Big || key == Type::Text || key == Type::Date;
    switch (choices.below(has_splits ? 4 : 2)) {
    case 0:
        return "";
    case 1:
        return ", strategy => 'consistent_hash'";
    case 2:
        switch (key) {
        case Type::Text:
            return ", strategy => 'range', splits => ARRAY['b', 'd']";
        case Type::Date:
            return ", strategy => 'range', splits => ARRAY['2025-01-05', '2025-01-10']";
        default:
            return ", strategy => 'range', splits => ARRAY['0', '8']";
        }
    default:
        switch (key) {
        case Type::Text:
            return ", strategy => 'list', splits => ARRAY['a', 'b', 'c'], default_shard => 's2'";
        case Type::Date:
            return ", strategy => 'list', splits => ARRAY['2025-01-02', '2025-01-03'], "
                   "default_shard => 's3'";
        default:
            return ", strategy => 'list', splits => ARRAY['1', '2', '3'], default_shard => 's1'";
        }
    }
}

Table make_table(Choices &choices, const std::string &name, const std::vector<Type> &key)
{
    Table table;
    table.name = name;
    for (size_t i = 0; i < key.size(); i++) {
        table.columns.push_back({i == 0 ? "k" : "k" + std::to_string(i), key[i]});
    }
    table.key = table.columns;
    for (Type type : {Type::Int, Type::Text, Type::Num}) {
        table.columns.push_back({std::string(1, type_name(type)[0]), type});
    }
    for (Type type : {Type::Big, Type::Date, Type::Bool, Type::Uuid, Type::Int}) {
        if (choices.chance(30)) {
            table.columns.push_back({"x" + std::to_string(table.columns.size()), type});
        }
    }
    return table;
}

void define(Choices &choices, Table &table)
{
    std::string columns;
    for (const Column &column : table.columns) {
        columns += (columns.empty() ? "" : ", ") + column.name + " " + type_name(column.type);
        for (const Column &key : table.key) {
            columns += key.name == column.name ? " NOT NULL" : "";
        }
    }
    // A column that is gone leaves a hole in the numbers of the others.
    if (choices.chance(20)) {
        table.definition = "CREATE TABLE " + table.name + " (gone int, " + columns +
                           "); ALTER TABLE " + table.name + " DROP COLUMN gone";
    } else {
        table.definition = "CREATE TABLE " + table.name + " (" + columns + ")";
    }
    if (choices.chance(40)) {
        table.definition += "; CREATE INDEX ON " + table.name + " (i)";
    }
}

void fill(Choices &choices, Table &table)
{
    int count = choices.chance(10) ? 0 : choices.between(5, 60);
    for (int i = 0; i < count; i++) {
        std::string row;
        for (size_t c = 0; c < table.columns.size(); c++) {
            bool is_null = c >= table.key.size() && choices.chance(12);
            row += (c == 0 ? "(" : ", ") +
                   (is_null ? "NULL" : make_literal(choices, table.columns[c].type));
        }
        table.rows.push_back(row + ")");
        if (choices.chance(8)) {
            table.rows.push_back(table.rows.back());
        }
    }
}

std::string key_array(const Table &table)
{
    std::string names;
    for (const Column &column : table.key) {
        names += (names.empty() ? "" : ", ") + quoted(column.name);
    }
    return "ARRAY[" + names + "]";
}

// Some share a keyspace, some have one of their own.
void add_distributed(Choices &choices, Schema &schema)
{
    const Table *first = nullptr;
    std::string strategy;
    for (int i = 0; i < 5; i++) {
        bool shares = i > 0 && i < 4 && (i == 1 || choices.chance(50));
        std::vector<Type> key;
        if (shares) {
            for (const Column &column : first->key) {
                key.push_back(column.type);
            }
        } else {
            key.push_back(key_types[choices.below(key_types.size())]);
            if (choices.chance(25)) {
                key.push_back(choices.chance(50) ? Type::Text : Type::Int);
            }
            strategy = key.size() > 1 ? choices.chance(50) ? ", strategy => 'consistent_hash'" : ""
                                      : make_strategy(choices, key[0]);
        }
        Table table = make_table(choices, "t" + std::to_string(i), key);
        std::string name = schema.name + "." + table.name;
        table.distribution =
            "SELECT shardwise.distribute_table(" + quoted(name) + ", " + key_array(table) +
            (shares ? ", colocate_with => " + quoted(schema.name + "." + first->name) : strategy) +
            ")";
        schema.tables.push_back(table);
        // The first of a keyspace; later ones may join it.
        if (!shares && i == 0) {
            schema.tables.reserve(16);
            first = &schema.tables[0];
        }
    }
}

} // namespace

const char *type_name(Type type)
{
    switch (type) {
    case Type::Int:
        return "int";
    case Type::Big:
        return "bigint";
    case Type::Text:
        return "text";
    case Type::Num:
        return "numeric(10,2)";
    case Type::Date:
        return "date";
    case Type::Bool:
        return "boolean";
    case Type::Uuid:
        return "uuid";
    }
    return "";
}

std::string make_literal(Choices &choices, Type type)
{
    switch (type) {
    case Type::Int:
        return std::to_string(choices.between(0, 24) - 4);
    case Type::Big:
        return choices.chance(3) ? "3000000000" : std::to_string(choices.between(0, 24) - 4);
    case Type::Text:
        return quoted(choices.one_of({"a", "b", "B", "c", "ab", "A", "d", "é", "", "e f", "_x"}));
    case Type::Num:
        return std::to_string(choices.between(0, 30) - 5) + choices.one_of({".00", ".25", ".50"});
    case Type::Date: {
        std::string day = std::to_string(choices.between(1, 15));
        return "'2025-01-" + (day.size() < 2 ? "0" + day : day) + "'";
    }
    case Type::Bool:
        return choices.one_of({"true", "false"});
    case Type::Uuid:
        return "'00000000-0000-0000-0000-00000000000" + std::to_string(choices.between(0, 9)) + "'";
    }
    return "NULL";
}

Schema make_schema(Choices &choices, int number)
{
    Schema schema;
    schema.name = "random_" + std::to_string(number);
    add_distributed(choices, schema);
    for (const char *name : {"r0", "r1"}) {
        Table table = make_table(choices, name, {name[1] == '0' ? Type::Int : Type::Text});
        table.distribution =
            "SELECT shardwise.create_reference_table(" + quoted(schema.name + "." + name) + ")";
        schema.tables.push_back(table);
    }
    schema.tables.push_back(make_table(choices, "l0", {Type::Int}));
    for (Table &table : schema.tables) {
        define(choices, table);
        fill(choices, table);
    }
    return schema;
}

} // namespace shardwise::random_queries
