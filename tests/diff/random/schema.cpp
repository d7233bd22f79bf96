#include "schema.hpp"

#include <array>
#include <set>

namespace shardwise::random_queries
{

namespace
{

constexpr std::array key_types = {Type::Int,  Type::Big,  Type::Text,  Type::Uuid,
                                  Type::Date, Type::Time, Type::Bytes, Type::Mood};

constexpr const char *own_objects = R"(CREATE TYPE mood AS ENUM ('bad', 'fair', 'good');
CREATE TYPE pair AS (a int, b text);
CREATE FUNCTION half(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1 / 2; END';
CREATE FUNCTION same(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE FUNCTION next_to(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1';
CREATE FUNCTION shout(text) RETURNS text STABLE LANGUAGE plpgsql AS 'BEGIN RETURN upper($1); END';
CREATE FUNCTION mood_of(int) RETURNS mood IMMUTABLE LANGUAGE plpgsql
    AS 'BEGIN RETURN (enum_range(NULL::mood))[1 + abs($1 % 3)]; END';
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE FUNCTION each_row(query text, change text) RETURNS SETOF text LANGUAGE plpgsql AS '
DECLARE one record; changes int := 0;
BEGIN
    FOR one IN EXECUTE query LOOP
        IF changes < 2 AND change IS NOT NULL THEN EXECUTE change; changes := changes + 1; END IF;
        RETURN NEXT one::text;
    END LOOP;
END';
CREATE FUNCTION try(change text) RETURNS bigint LANGUAGE plpgsql AS '
DECLARE changed bigint;
BEGIN
    EXECUTE change;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR cardinality_violation
        OR with_check_option_violation THEN
    RETURN -1;
END'
)";

std::string quoted(const std::string &text)
{
    return "'" + text + "'";
}

// How `distribute_table` is to spread a key; `,` with what follows the key's name.
std::string make_strategy(Choices &choices, Type key)
{
    bool has_splits = key != Type::Uuid && key != Type::Bytes;
    // Hashes of enums are each server's own.
    switch (key == Type::Mood ? 2 + choices.below(2) : choices.below(has_splits ? 4 : 2)) {
    case 0:
        return "";
    case 1:
        return ", strategy => 'consistent_hash'";
    case 2:
        switch (key) {
        case Type::Text:
            return ", strategy => 'range', splits => ARRAY['b', 'd']";
        case Type::Mood:
            return ", strategy => 'range', splits => ARRAY['fair', 'good']";
        case Type::Date:
        case Type::Time:
            return ", strategy => 'range', splits => ARRAY['2025-01-05', '2025-01-10']";
        default:
            return ", strategy => 'range', splits => ARRAY['0', '8']";
        }
    default:
        switch (key) {
        case Type::Text:
            return ", strategy => 'list', splits => ARRAY['a', 'b', 'c'], default_shard => 's2'";
        case Type::Mood:
            return ", strategy => 'list', splits => ARRAY['good', 'bad'], default_shard => 's2'";
        case Type::Date:
        case Type::Time:
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
    for (Type type : {Type::Big, Type::Date, Type::Bool, Type::Uuid, Type::Int, Type::Time,
                      Type::Json, Type::Ints, Type::Bytes, Type::Mood, Type::Pair}) {
        if (choices.chance(25)) {
            table.columns.push_back({"x" + std::to_string(table.columns.size()), type});
        }
    }
    return table;
}

bool holds(const std::vector<Column> &columns, const Column &wanted)
{
    for (const Column &column : columns) {
        if (column.name == wanted.name) {
            return true;
        }
    }
    return false;
}

// Unique keys, and columns that PostgreSQL fills in.
void prepare_for_writes(Choices &choices, Table &table)
{
    if (choices.chance(table.is_reference ? 70 : 60)) {
        table.unique = table.key;
        if (!table.is_reference && choices.chance(20)) {
            table.unique.push_back({"i", Type::Int});
        }
    }
    if (choices.chance(20)) {
        table.columns.push_back({"g", Type::Int, true});
    }
}

std::string column_definition(Choices &choices, const Table &table, const Column &column,
                              Purpose purpose)
{
    std::string definition = column.name + " " + type_name(column.type);
    if (column.is_generated) {
        return definition + " GENERATED ALWAYS AS (i * 2) STORED";
    }
    if (holds(table.key, column) || holds(table.unique, column)) {
        definition += " NOT NULL";
    } else if (purpose == Purpose::Writes && choices.chance(20)) {
        definition += " DEFAULT " + make_literal(choices, column.type);
    }
    return definition;
}

// Two partitions, by a key column or by one that rows change.
std::string make_partitions(Choices &choices, const Table &table, std::string *clause)
{
    bool by_value = table.unique.empty() && choices.chance(50);
    const std::string &column = by_value ? "i" : table.key[0].name;
    *clause = " PARTITION BY " + std::string(by_value ? "RANGE" : "HASH") + " (" + column + ")";
    std::string first = "; CREATE TABLE " + table.name + "_a PARTITION OF " + table.name,
                second = "; CREATE TABLE " + table.name + "_b PARTITION OF " + table.name;
    return by_value ? first + " FOR VALUES FROM (MINVALUE) TO (6)" + second + " DEFAULT"
                    : first + " FOR VALUES WITH (MODULUS 2, REMAINDER 0)" + second +
                          " FOR VALUES WITH (MODULUS 2, REMAINDER 1)";
}

void define(Choices &choices, Table &table, Purpose purpose)
{
    std::string columns, unique, partitioning;
    for (const Column &column : table.columns) {
        columns +=
            (columns.empty() ? "" : ", ") + column_definition(choices, table, column, purpose);
    }
    for (const Column &column : table.unique) {
        unique += (unique.empty() ? "" : ", ") + column.name;
    }
    if (!unique.empty()) {
        columns += (table.is_reference || choices.chance(70) ? ", PRIMARY KEY (" : ", UNIQUE (") +
                   unique + ")";
    }
    std::string partitions = choices.chance(12) && table.key[0].type != Type::Mood
                                 ? make_partitions(choices, table, &partitioning)
                                 : "";
    // A column that is gone leaves a hole in the numbers of the others.
    if (choices.chance(20)) {
        table.definition = "CREATE TABLE " + table.name + " (gone int, " + columns + ")" +
                           partitioning + "; ALTER TABLE " + table.name + " DROP COLUMN gone";
    } else {
        table.definition = "CREATE TABLE " + table.name + " (" + columns + ")" + partitioning;
    }
    table.definition += partitions;
    if (choices.chance(40)) {
        table.definition += "; CREATE INDEX ON " + table.name + " (i)";
    }
}

void fill(Choices &choices, Table &table)
{
    std::set<std::string> seen;
    int count = choices.chance(10) ? 0 : choices.between(5, 60);
    for (int i = 0; i < count; i++) {
        std::string row, unique;
        for (const Column &column : table.columns) {
            bool may_be_null = !holds(table.key, column) && !holds(table.unique, column);
            std::string value = column.is_generated ? "DEFAULT"
                                : may_be_null && choices.chance(12)
                                    ? "NULL"
                                    : make_literal(choices, column.type);
            row += (row.empty() ? "(" : ", ") + value;
            unique += holds(table.unique, column) ? value + "," : "";
        }
        if (!table.unique.empty() && !seen.insert(unique).second) {
            continue;
        }
        table.rows.push_back(row + ")");
        if (table.unique.empty() && choices.chance(8)) {
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

std::string key_of_row(const Table &table, const std::string &row)
{
    std::string key;
    for (const Column &column : table.key) {
        key += row + "." + column.name + ", ";
    }
    return key;
}

// Triggers on UPDATE, which change rows, keep some as they are, and write others of the old key and
// of the new one. Those on INSERT and DELETE would tell an UPDATE that moves a row from others.
void add_triggers(Choices &choices, const std::string &schema, Table &table, const Table &log)
{
    std::string function =
        "; CREATE FUNCTION " + table.name + "_%() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN ";
    std::string trigger = " RETURN NEW; END$$; CREATE TRIGGER a@ # UPDATE ON " + table.name +
                          " FOR EACH ROW EXECUTE FUNCTION " + table.name + "_%()";
    auto add = [&](const std::string &name, const std::string &time, const std::string &body) {
        std::string text = function + body + trigger;
        for (auto [sign, value] : {std::pair{'%', name}, {'@', name}, {'#', time}}) {
            for (size_t at; (at = text.find(sign)) != std::string::npos;) {
                text.replace(at, 1, value);
            }
        }
        table.definition += text;
    };
    if (choices.chance(60)) {
        add("before", "BEFORE",
            "IF NEW.t = 'B' THEN RETURN NULL; END IF; NEW.n := NEW.n + 1; "
            "NEW.t := coalesce(NEW.t, 'a');");
    }
    std::string insert = "INSERT INTO " + schema + "." + log.name + " VALUES (";
    std::string values = "OLD.i, concat_ws(' ', OLD.t, NEW.i, NEW.t, NEW.n)); ";
    if (choices.chance(60)) {
        add("new", "AFTER", insert + key_of_row(table, "NEW") + values);
    }
    if (choices.chance(60)) {
        add("old", choices.one_of({"BEFORE", "AFTER"}), insert + key_of_row(table, "OLD") + values);
    }
}

// A trigger that changes what is proposed, and nothing more the second time.
void add_filling_trigger(Table &table)
{
    std::string body = "NEW.n := coalesce(NEW.n, 7); ";
    if (!holds(table.key, {"t", Type::Text}) && !holds(table.unique, {"t", Type::Text})) {
        body += "NEW.t := coalesce(NEW.t, 'a'); ";
    }
    table.definition += "; CREATE FUNCTION " + table.name +
                        "_fill() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN " + body +
                        "RETURN NEW; END$$; CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON " +
                        table.name + " FOR EACH ROW EXECUTE FUNCTION " + table.name + "_fill()";
}

// Gives some tables triggers, and a table of the same keyspace to write into.
void add_logs(Choices &choices, Schema &schema)
{
    std::vector<Table> logs;
    for (Table &table : schema.tables) {
        if (table.is_reference || table.distribution.empty() || !choices.chance(25)) {
            continue;
        }
        Table log;
        log.name = table.name + "_log";
        log.columns = log.key = table.key;
        log.columns.push_back({"i", Type::Int});
        log.columns.push_back({"t", Type::Text});
        define(choices, log, Purpose::Writes);
        log.distribution = "SELECT shardwise.distribute_table(" +
                           quoted(schema.name + "." + log.name) + ", " + key_array(log) +
                           ", colocate_with => " + quoted(schema.name + "." + table.name) + ")";
        add_triggers(choices, schema.name, table, log);
        logs.push_back(log);
    }
    schema.tables.insert(schema.tables.end(), logs.begin(), logs.end());
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
            if (key[0] != Type::Mood && choices.chance(25)) {
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

// A view that writes may go through, and one that joins.
void add_views(Choices &choices, Schema &schema)
{
    Table simple = choices.one_of(schema.tables);
    simple.definition =
        "CREATE VIEW v0 AS SELECT * FROM " + simple.name +
        choices.one_of({"", " WHERE i > 2", " WHERE t <> 'b' WITH CHECK OPTION",
                        " WHERE i < (SELECT max(x.i) FROM t3 x) WITH CHECK OPTION"});
    simple.base = simple.name;
    simple.name = "v0";
    Table joined;
    joined.name = "v1";
    joined.columns = {{"k", schema.tables[0].key[0].type}, {"i", Type::Int}, {"t", Type::Text}};
    joined.definition = "CREATE VIEW v1 AS SELECT a.k, b.i, a.t FROM t0 a " +
                        choices.one_of({"", "LEFT "}) + "JOIN t1 b ON a.k = b.k";
    for (Table *view : {&simple, &joined}) {
        view->is_view = true;
        view->is_reference = false;
        view->rows.clear();
        view->distribution.clear();
        schema.tables.push_back(*view);
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
    case Type::Time:
        return "timestamptz";
    case Type::Json:
        return "jsonb";
    case Type::Ints:
        return "int[]";
    case Type::Bytes:
        return "bytea";
    case Type::Mood:
        return "mood";
    case Type::Pair:
        return "pair";
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
    case Type::Time:
        return "'2025-01-0" + std::to_string(choices.between(1, 9)) +
               choices.one_of({" 00:00:00+00'", " 12:30:00.25+00'", " 23:30:00+00'"});
    case Type::Json:
        return quoted(choices.one_of({R"({"a": 1})", R"({"a": "x", "b": [1, 2]})", "[1, 2]", "3",
                                      "null", "{}", R"({"a": null})", R"("a")"}));
    case Type::Ints:
        return quoted(choices.one_of({"{1,2}", "{}", "{5}", "{3,NULL}", "{2,1}", "{1,2,3}"}));
    case Type::Bytes:
        return quoted(choices.one_of({"\\x00", "\\x", "\\x61", "\\x6162", "\\xff00", "\\x41"}));
    case Type::Mood:
        return quoted(choices.one_of({"good", "fair", "bad"})); // not their order
    case Type::Pair:
        return quoted(choices.one_of({"(1,good)", "(,)", "(2,)", "(,bad)", "(1,bad)", "(5,fair)"}));
    }
    return "NULL";
}

Schema make_schema(Choices &choices, int number, Purpose purpose)
{
    Schema schema;
    schema.name =
        (purpose == Purpose::Reads ? "random_" : "random_writes_") + std::to_string(number);
    schema.types = own_objects;
    add_distributed(choices, schema);
    for (const char *name : {"r0", "r1"}) {
        Table table = make_table(choices, name, {name[1] == '0' ? Type::Int : Type::Text});
        table.is_reference = true;
        table.distribution =
            "SELECT shardwise.create_reference_table(" + quoted(schema.name + "." + name) + ")";
        schema.tables.push_back(table);
    }
    schema.tables.push_back(make_table(choices, "l0", {Type::Int}));
    for (Table &table : schema.tables) {
        if (purpose == Purpose::Writes) {
            prepare_for_writes(choices, table);
        }
        define(choices, table, purpose);
        fill(choices, table);
        if (purpose == Purpose::Writes && choices.chance(30)) {
            add_filling_trigger(table);
        }
    }
    if (purpose == Purpose::Writes) {
        add_logs(choices, schema);
    }
    add_views(choices, schema);
    return schema;
}

} // namespace shardwise::random_queries
