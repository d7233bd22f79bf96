#include "generator.hpp"

#include <algorithm>

namespace shardwise::random_queries
{

namespace
{

void append(std::string *list, const std::string &item)
{
    *list += (list->empty() ? "" : ", ") + item;
}

bool holds(const std::vector<Column> &columns, const Column &wanted)
{
    return std::any_of(columns.begin(), columns.end(),
                       [&](const Column &column) { return column.name == wanted.name; });
}

// Columns that decide a row's place or its uniqueness; they are set to constants only, as anything
// else could break or keep the constraint by the order in which rows are changed.
bool is_fixed(const Table &table, const Column &column)
{
    return holds(table.unique, column) || holds(table.key, column);
}

std::string names_of(const std::vector<Column> &columns)
{
    std::string names;
    for (const Column &column : columns) {
        append(&names, column.name);
    }
    return names;
}

} // namespace

// The target under an alias, with the columns that expressions may use.
Generator::Target Generator::target(const Table *table)
{
    if (table == nullptr) {
        table = &choices_.one_of(schema_.tables);
    }
    Target target = {table, next_alias(), {}};
    for (const Column &column : table->columns) {
        target.scope.columns.push_back({target.alias + "." + column.name, column.type});
    }
    if (!table->distribution.empty() && !table->key.empty()) {
        Key key;
        for (const Column &column : table->key) {
            key.push_back({target.alias + "." + column.name, column.type});
        }
        target.scope.keys.push_back(key);
    }
    return target;
}

// A constant for a key: often one that no row has yet.
std::string Generator::key_literal(Type type)
{
    if (choices_.chance(50)) {
        return literal(type);
    }
    std::string number = std::to_string(choices_.between(100, 400));
    switch (type) {
    case Type::Int:
    case Type::Big:
        return number;
    case Type::Text:
        return "'" + choices_.one_of({"a", "B", "é"}) + number + "'";
    case Type::Date:
        return "'2025-01-01'::date + " + number;
    case Type::Uuid:
        return "'00000000-0000-0000-0000-000000000" + number + "'::uuid";
    default:
        return literal(type);
    }
}

std::string Generator::assignments(const Table &table, const Scope &values, uint32_t key_percent)
{
    std::vector<std::string> list;
    for (const Column &column : table.columns) {
        bool fixed = is_fixed(table, column);
        if (column.is_generated || !choices_.chance(fixed ? key_percent : 35)) {
            continue;
        }
        std::string value = fixed                ? key_literal(column.type)
                            : choices_.chance(8) ? "DEFAULT"
                                                 : expression(values, column.type, 1);
        list.push_back(column.name + " = " + value);
    }
    if (list.empty() && choices_.chance(25)) {
        Relation from = from_clause(&values, 0);
        Scope own = {from.columns, nullptr};
        return "(i, t) = (SELECT " + aggregate(own, Type::Int) + ", " + aggregate(own, Type::Text) +
               " FROM " + from.sql + where({from.columns, &values, from.keys}, 1) + ")";
    }
    if (list.empty()) {
        list.push_back("t = " + expression(values, Type::Text, 1));
    }
    std::string result;
    for (const std::string &assignment : list) {
        append(&result, assignment);
    }
    return result;
}

// RETURNING of these types, named c1, c2, ... where a query above asks for them, or of any.
std::string Generator::returning(const Scope &scope, const std::vector<Type> *types)
{
    std::string list;
    if (types != nullptr) {
        for (const Type &type : *types) {
            append(&list, expression(scope, type, 1) + " AS c" +
                              std::to_string(&type - types->data() + 1));
        }
        return " RETURNING " + list;
    }
    if (!choices_.chance(45)) {
        return "";
    }
    if (choices_.chance(20)) {
        return " RETURNING *";
    }
    for (Type type : random_types(3)) {
        append(&list, expression(scope, type, 1));
    }
    return " RETURNING " + list;
}

// Rows to join with a target. Where `is_unique`, a row of the target meets one of them at most, so
// that what is assigned does not depend on which one comes first.
Generator::Source Generator::source(const Target &target)
{
    switch (choices_.below(4)) {
    case 0: {
        std::vector<Source> tables = unique_tables(target);
        if (!tables.empty()) {
            return choices_.one_of(tables);
        }
        break;
    }
    case 1: {
        Relation rows = values_list();
        Source source = {rows, "", false};
        for (const Column &column : target.scope.columns) {
            if (column.type == rows.columns[0].type && source.match.empty()) {
                source.match = column.name + " = " + rows.columns[0].name;
            }
        }
        source.match = source.match.empty() ? "true" : source.match;
        return source;
    }
    case 2: {
        Relation any = from_clause(nullptr, 1);
        Scope both = target.scope;
        both.columns.insert(both.columns.end(), any.columns.begin(), any.columns.end());
        return {any,
                join_condition({"", target.scope.columns, target.scope.keys}, any, both, false),
                false};
    }
    default:
        break;
    }
    return grouped_source(target);
}

std::vector<Generator::Source> Generator::unique_tables(const Target &target)
{
    std::vector<Source> tables;
    for (const Table &table : schema_.tables) {
        Target other = this->target(&table);
        Source source = {
            {table.name + " " + other.alias, other.scope.columns, other.scope.keys}, "", true};
        for (const Column &column : table.unique) {
            std::vector<std::string> alike;
            for (const Column &own : target.scope.columns) {
                if (own.type == column.type) {
                    alike.push_back(own.name);
                }
            }
            if (alike.empty()) {
                source.match.clear();
                break;
            }
            // The first column of a type is most often the key.
            const std::string &own = choices_.chance(60) ? alike[0] : choices_.one_of(alike);
            source.match += (source.match.empty() ? "" : " AND ") + own + " = " + other.alias +
                            "." + column.name;
        }
        if (!source.match.empty()) {
            tables.push_back(source);
        }
    }
    return tables;
}

// SELECT something, max(...) ... GROUP BY 1, joined with a column of the target.
Generator::Source Generator::grouped_source(const Target &target)
{
    const Column &column =
        choices_.chance(50) ? target.scope.columns[0] : choices_.one_of(target.scope.columns);
    Relation from = from_clause(nullptr, 1);
    Scope own = {from.columns, nullptr, from.keys};
    std::string alias = next_alias();
    Type type = random_type();
    std::string sql = "(SELECT " + column_or_literal(own, column.type) + " AS c1, " +
                      aggregate({from.columns}, type) + " AS c2 FROM " + from.sql + where(own, 1) +
                      " GROUP BY 1) " + alias;
    return {{sql, {{alias + ".c1", column.type}, {alias + ".c2", type}}},
            column.name + " = " + alias + ".c1",
            true};
}

std::string Generator::update(const Table *table, const std::vector<Type> *types)
{
    Target target = this->target(table);
    std::string start = "UPDATE " + target.table->name + " " + target.alias + " SET ";
    if (!choices_.chance(40)) {
        return start + assignments(*target.table, target.scope, 8) + where(target.scope, 2) +
               returning(target.scope, types);
    }
    Source source = this->source(target);
    Scope both = target.scope;
    if (source.is_unique) {
        both.columns.insert(both.columns.end(), source.rows.columns.begin(),
                            source.rows.columns.end());
    }
    return start + assignments(*target.table, both, 8) + " FROM " + source.rows.sql + " WHERE " +
           source.match + (choices_.chance(30) ? " AND " + condition(both, 1) : "") +
           returning_joined(target, source, both, types);
}

// RETURNING * shows the joined row as well, of which there may be several to choose from.
std::string Generator::returning_joined(const Target &target, const Source &source,
                                        const Scope &both, const std::vector<Type> *types)
{
    std::string list = returning(both, types);
    return list == " RETURNING *" && !source.is_unique ? " RETURNING " + target.alias + ".*" : list;
}

std::string Generator::remove(const Table *table, const std::vector<Type> *types)
{
    Target target = this->target(table);
    std::string start = "DELETE FROM " + target.table->name + " " + target.alias;
    if (!choices_.chance(40)) {
        return start + " WHERE " + condition(target.scope, 2) + returning(target.scope, types);
    }
    Source source = this->source(target);
    Scope both = target.scope;
    if (source.is_unique) {
        both.columns.insert(both.columns.end(), source.rows.columns.begin(),
                            source.rows.columns.end());
    }
    return start + " USING " + source.rows.sql + " WHERE " + source.match + " AND " +
           condition(both, 1) + returning_joined(target, source, both, types);
}

// The columns that an INSERT names: all that must have a value, and some of the others.
std::vector<Column> Generator::inserted_columns(const Table &table)
{
    std::vector<Column> columns;
    for (const Column &column : table.columns) {
        if (!column.is_generated && (is_fixed(table, column) || choices_.chance(75))) {
            columns.push_back(column);
        }
    }
    return columns.empty() ? std::vector<Column>{table.columns[0]} : columns;
}

std::string Generator::value_rows(const Table &table, const std::vector<Column> &columns)
{
    std::string rows;
    for (int i = choices_.between(1, choices_.chance(50) ? 6 : 1); i > 0; i--) {
        std::string row;
        for (const Column &column : columns) {
            append(&row, is_fixed(table, column) ? key_literal(column.type)
                         : choices_.chance(8)    ? "DEFAULT"
                                                 : expression({}, column.type, 1));
        }
        append(&rows, "(" + row + ")");
    }
    return " VALUES " + rows;
}

// A SELECT of the columns' types. `one_each`: equal keys come with one row only.
std::string Generator::inserted_rows(const std::vector<Column> &columns, bool one_each)
{
    std::vector<Type> types;
    for (const Column &column : columns) {
        types.push_back(column.type);
    }
    if (one_each) {
        return " " + distinct_on(types, nullptr, 1);
    }
    if (!choices_.chance(50)) {
        return " " + select(types, nullptr, 1, true).sql;
    }
    // From a table of the same key, which may be colocated.
    Target from = target(nullptr);
    std::string list;
    for (size_t i = 0; i < types.size(); i++) {
        bool copies = i < from.table->key.size() && from.table->key[i].type == types[i];
        append(&list, copies ? from.scope.columns[i].name : expression(from.scope, types[i], 1));
    }
    return " SELECT " + list + " FROM " + from.table->name + " " + from.alias +
           where(from.scope, 1);
}

std::string Generator::on_conflict(const Target &target, bool *does_nothing)
{
    const Table &table = *target.table;
    *does_nothing = choices_.chance(40);
    if (*does_nothing) {
        return " ON CONFLICT" + (choices_.chance(40) ? "" : " (" + names_of(table.unique) + ")") +
               " DO NOTHING";
    }
    Scope both = target.scope;
    for (const Column &column : table.columns) {
        both.columns.push_back({"excluded." + column.name, column.type});
    }
    return " ON CONFLICT (" + names_of(table.unique) + ") DO UPDATE SET " +
           assignments(table, both, 0) + where(both, 1);
}

std::string Generator::insert(const Table *table, const std::vector<Type> *types)
{
    Target target = this->target(table);
    std::vector<Column> columns = inserted_columns(*target.table);
    std::string conflict;
    bool does_nothing = false;
    if (!target.table->unique.empty() && !target.table->is_view && choices_.chance(65)) {
        conflict = on_conflict(target, &does_nothing);
    }
    // Which of several new rows of one key is inserted must not depend on their order.
    bool may_select = !does_nothing || target.table->unique.size() == 1;
    std::string rows = may_select && choices_.chance(45) ? inserted_rows(columns, does_nothing)
                                                         : value_rows(*target.table, columns);
    return "INSERT INTO " + target.table->name + " AS " + target.alias + " (" + names_of(columns) +
           ")" + rows + conflict + returning(target.scope, types);
}

std::string Generator::matched_action(const Target &target, const Scope &both, bool may_free_keys)
{
    switch (choices_.below(may_free_keys ? 4 : 3)) {
    case 0:
        return "DO NOTHING";
    case 3:
        return "DELETE";
    default:
        return "UPDATE SET " +
               assignments(*target.table, both, target.table->unique.empty() ? 4 : 0);
    }
}

std::string Generator::unmatched_action(const Target &target, const Source &source)
{
    if (choices_.chance(15)) {
        return "DO NOTHING";
    }
    std::vector<Column> columns = inserted_columns(*target.table);
    Scope from = {source.rows.columns, nullptr, source.rows.keys};
    std::string values;
    for (const Column &column : columns) {
        append(&values, is_fixed(*target.table, column) ? column_or_literal(from, column.type)
                        : choices_.chance(8)            ? "DEFAULT"
                                                        : expression(from, column.type, 1));
    }
    return "INSERT (" + names_of(columns) + ") VALUES (" + values + ")";
}

std::string Generator::merge()
{
    Target target = this->target(nullptr);
    Source source = this->source(target);
    Scope from = {source.rows.columns, nullptr, source.rows.keys};
    Scope both = target.scope;
    both.columns.insert(both.columns.end(), source.rows.columns.begin(), source.rows.columns.end());
    std::string sql = "MERGE INTO " + target.table->name + " " + target.alias + " USING " +
                      source.rows.sql + " ON " + source.match;
    // A key that one row gives up and another takes is free or not by which of them comes first.
    bool inserts = choices_.chance(70);
    bool may_free_keys = target.table->unique.empty() || !inserts;
    for (int i = choices_.between(1, 3); i > 0; i--) {
        bool matched = !inserts || choices_.chance(60);
        sql += matched ? " WHEN MATCHED" : " WHEN NOT MATCHED";
        sql +=
            choices_.chance(i > 1 ? 70 : 25) ? " AND " + condition(matched ? both : from, 1) : "";
        sql += " THEN " + (matched ? matched_action(target, both, may_free_keys)
                                   : unmatched_action(target, source));
    }
    return sql;
}

std::string Generator::any_write(const Table *table, const std::vector<Type> *types)
{
    switch (choices_.below(3)) {
    case 0:
        return insert(table, types);
    case 1:
        return update(table, types);
    default:
        return remove(table, types);
    }
}

static const std::string &table_behind(const Table &table)
{
    return table.base.empty() ? table.name : table.base;
}

// Writes of different tables in one statement, as which of them comes first is nobody's to say.
// What the first one's triggers write has been written when the second runs on the shards.
std::string Generator::write_with()
{
    std::vector<Type> types = random_types(2);
    const Table &first = choices_.one_of(schema_.tables), &second = choices_.one_of(schema_.tables);
    std::string with = "WITH w AS (" + any_write(&first, &types) + ")";
    bool is_same = table_behind(first) == table_behind(second);
    bool meets_triggers = second.name == table_behind(first) + "_log";
    switch (choices_.below(is_same ? 2 : meets_triggers ? 3 : 6)) {
    case 4:
        return with + ", u AS (" + any_write(&second, &types) +
               ") SELECT (SELECT count(*) FROM u), count(*), max(c1::text) FROM w";
    case 5:
        return with + ", u AS (" + any_write(&second, &types) +
               ") SELECT * FROM w UNION ALL SELECT * FROM u";
    case 0:
        return with + " SELECT * FROM w";
    case 1:
        return with + " SELECT count(*), max(c1::text) FROM w";
    case 2: {
        std::string columns = names_of(second.key), list;
        for (const Column &column : second.key) {
            append(&list, key_literal(column.type));
        }
        return with + " INSERT INTO " + second.name + " (" + columns + ", t) SELECT " + list +
               ", max(c1::text) FROM w" + (second.unique.empty() ? "" : " ON CONFLICT DO NOTHING");
    }
    default:
        return with + " " + any_write(&second, nullptr);
    }
}

// By a function, which may go on after an error, or have a query under way.
std::string Generator::called_write()
{
    uses_parameters_ = false;
    std::string change = any_write(nullptr, nullptr);
    if (!choices_.chance(40)) {
        return "SELECT try($q$" + change + "$q$)";
    }
    std::vector<Type> types = random_types(3);
    std::string query = select(types, nullptr, 1, true).sql;
    return each_row(query, change);
}

std::string Generator::locking_select()
{
    // Not a view, which may hold an outer join.
    const Table *table = &choices_.one_of(schema_.tables);
    Target target = this->target(table->is_view ? &schema_.tables[0] : table);
    std::string list;
    for (Type type : random_types(3)) {
        append(&list, expression(target.scope, type, 1));
    }
    return "SELECT " + list + " FROM " + target.table->name + " " + target.alias +
           where(target.scope, 1) + choices_.one_of({" FOR UPDATE", " FOR SHARE"});
}

RandomQuery Generator::make_write()
{
    uses_parameters_ = choices_.chance(30);
    RandomQuery query;
    uint32_t kind = choices_.below(100);
    if (kind < 26) {
        query.sql = insert(nullptr, nullptr);
    } else if (kind < 52) {
        query.sql = update(nullptr, nullptr);
    } else if (kind < 66) {
        query.sql = remove(nullptr, nullptr);
    } else if (kind < 80) {
        query.sql = merge();
    } else if (kind < 90) {
        query.sql = write_with();
    } else if (kind < 94) {
        query.sql = locking_select();
    } else if (kind < 97) {
        query.sql = called_write();
    } else {
        return make();
    }
    number_parameters(&query);
    return query;
}

RandomQuery make_write(Choices &choices, const Schema &schema)
{
    return Generator(choices, schema).make_write();
}

} // namespace shardwise::random_queries
