#include "generator.hpp"

#include <map>

namespace shardwise::random_queries
{

namespace
{

std::vector<Column> qualified(const std::string &alias, const std::vector<Column> &columns)
{
    std::vector<Column> result;
    for (const Column &column : columns) {
        result.push_back({alias + "." + column.name, column.type});
    }
    return result;
}

std::vector<Column> numbered(const std::string &alias, const std::vector<Type> &types)
{
    std::vector<Column> columns;
    for (Type type : types) {
        columns.push_back({alias + ".c" + std::to_string(columns.size() + 1), type});
    }
    return columns;
}

std::string column_list(size_t count)
{
    std::string list;
    for (size_t i = 1; i <= count; i++) {
        list += (i > 1 ? ", c" : "c") + std::to_string(i);
    }
    return " (" + list + ")";
}

} // namespace

Relation Generator::table(const std::string &alias)
{
    const Table &table = choices_.one_of(schema_.tables);
    Relation relation = {
        table.name + " " + alias, qualified(alias, table.columns), {}, true, {alias}};
    if (!table.key.empty()) {
        relation.keys.push_back(qualified(alias, table.key));
    }
    return relation;
}

Relation Generator::subquery(const Scope *outer, int depth, bool is_lateral)
{
    std::string alias = next_alias();
    std::vector<Type> types = random_types(3);
    Select inner = select(types, outer, depth - 1, true);
    return {(is_lateral ? "LATERAL (" : "(") + inner.sql + ") " + alias + column_list(types.size()),
            numbered(alias, types)};
}

// SELECT key, something: rows, groups, duplicates or windows of a key, or several such together.
std::string Generator::keyed_select(const std::vector<const Table *> &tables, Type type,
                                    const Scope *outer, int depth)
{
    std::string alias = next_alias(), key;
    const Table &table = *choices_.one_of(tables);
    Scope scope = {qualified(alias, table.columns), outer, {qualified(alias, table.key)}};
    for (const Column &column : scope.keys[0]) {
        key += column.name + ", ";
    }
    std::string from = " FROM " + table.name + " " + alias;
    switch (choices_.below(5)) {
    case 0:
        return "SELECT " + key + expression(scope, type, depth) + from + where(scope, depth);
    case 1:
        return "SELECT " + key + aggregate({scope.columns}, type) + from + where(scope, depth) +
               " GROUP BY " + key.substr(0, key.size() - 2);
    case 2:
        return "SELECT DISTINCT " + key + expression(scope, type, depth) + from +
               where(scope, depth);
    case 3:
        return "SELECT " + key + "max(" + column_or_literal(scope, Type::Int) +
               ") OVER (PARTITION BY " + key.substr(0, key.size() - 2) +
               ")::text::" + (type == Type::Int ? "int" : "text") + from + where(scope, depth);
    default:
        break;
    }
    return "(" + keyed_select(tables, type, outer, 0) + ") " +
           choices_.one_of({"UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL"}) + " (" +
           keyed_select(tables, type, outer, 0) + ")";
}

Relation Generator::keyed_subquery(const Scope *outer, int depth, bool is_lateral)
{
    std::vector<const Table *> tables;
    const Table &first = choices_.one_of(schema_.tables);
    std::vector<Type> types;
    for (const Column &column : first.key) {
        types.push_back(column.type);
    }
    for (const Table &table : schema_.tables) {
        bool is_alike = table.key.size() == types.size();
        for (size_t i = 0; is_alike && i < types.size(); i++) {
            is_alike = table.key[i].type == types[i];
        }
        if (is_alike) {
            tables.push_back(&table);
        }
    }
    Type type = choices_.chance(50) ? Type::Int : Type::Text;
    std::string alias = next_alias();
    std::string inner = keyed_select(tables, type, outer, depth - 1);
    Relation result = {(is_lateral ? "LATERAL (" : "(") + inner + ") " + alias +
                           column_list(types.size() + 1),
                       {}};
    Key key = numbered(alias, types);
    types.push_back(type);
    result.columns = numbered(alias, types);
    result.keys.push_back(key);
    return result;
}

Relation Generator::values_list()
{
    std::string alias = next_alias(), rows;
    std::vector<Type> types = random_types(2);
    for (int i = choices_.between(1, 4); i > 0; i--) {
        std::string row;
        for (Type type : types) {
            row += (row.empty() ? "(" : ", ") + literal(type);
        }
        rows += (rows.empty() ? "" : ", ") + row + ")";
    }
    return {
        "(VALUES " + rows + ") " + alias + column_list(types.size()), numbered(alias, types), {}};
}

Relation Generator::relation(const Scope *outer, int depth)
{
    uint32_t kind = choices_.below(100);
    if (kind < 70 || (depth <= 0 && kind < 92)) {
        return table(next_alias());
    }
    if (kind < 92) {
        return choices_.chance(50) ? keyed_subquery(outer, depth, false)
                                   : subquery(outer, depth, false);
    }
    if (kind < 95) {
        return values_list();
    }
    if (!ctes_.empty()) {
        std::string alias = next_alias();
        const Relation &cte = choices_.one_of(ctes_);
        Relation relation = {cte.sql + " " + alias, qualified(alias, cte.columns)};
        for (const Key &key : cte.keys) {
            relation.keys.push_back(qualified(alias, key));
        }
        return relation;
    }
    return function_call(nullptr);
}

Relation Generator::series(const std::string &alias, const std::string &number)
{
    std::string call = choices_.chance(60) ? "generate_series(1, " + number + ")"
                                           : "unnest(ARRAY[" + number + ", " +
                                                 std::to_string(choices_.between(0, 9)) + "])";
    if (choices_.chance(30)) {
        return {call + " WITH ORDINALITY " + alias + " (c1, c2)",
                numbered(alias, {Type::Int, Type::Big})};
    }
    return {call + " " + alias + " (c1)", numbered(alias, {Type::Int})};
}

// Functions in FROM; of columns beside them, if there are any `around`.
Relation Generator::function_call(const Scope *around)
{
    std::string alias = next_alias(), number = std::to_string(choices_.between(1, 6));
    Scope nothing;
    const Scope &scope = around != nullptr ? *around : nothing;
    if (around != nullptr) {
        number = "least(" + column_or_literal(scope, Type::Int) + ", " + number + ")";
    }
    switch (choices_.below(8)) {
    case 5:
        return {"unnest(" + column_or_literal(scope, Type::Ints) + ") WITH ORDINALITY " + alias +
                    " (c1, c2)",
                numbered(alias, {Type::Int, Type::Big})};
    case 6:
        return {"jsonb_path_query(" + column_or_literal(scope, Type::Json) + ", '" +
                    choices_.one_of({"$[*]", "$.a", "$.b[*] ? (@ > 1)", "$.**"}) + "') " + alias +
                    " (c1)",
                numbered(alias, {Type::Json})};
    case 7:
        return {"ROWS FROM (generate_series(1, " + number + "), unnest(" +
                    column_or_literal(scope, Type::Ints) + "), string_to_table(" +
                    column_or_literal(scope, Type::Text) + ", 'b')) " + alias + " (c1, c2, c3)",
                numbered(alias, {Type::Int, Type::Int, Type::Text})};
    default:
        return series(alias, number);
    }
}

std::string Generator::join_condition(const Relation &left, const Relation &right,
                                      const Scope &both, bool equality_only)
{
    std::string result = choices_.chance(65) ? key_condition(left.keys, right.keys) : "";
    if (result.empty()) {
        std::vector<std::string> pairs;
        for (const Column &a : left.columns) {
            for (const Column &b : right.columns) {
                bool both_integers = (a.type == Type::Int || a.type == Type::Big) &&
                                     (b.type == Type::Int || b.type == Type::Big);
                if ((a.type == b.type || both_integers) && a.type != Type::Bool) {
                    pairs.push_back(a.name + " = " + b.name);
                }
            }
        }
        result = pairs.empty() ? equality_only ? "1 = 1" : "true" : choices_.one_of(pairs);
    }
    if (!equality_only && choices_.chance(25)) {
        result += " AND " + condition(both, 1);
    }
    return result;
}

// Joins one more relation to `left`; returns what stands between them.
std::string Generator::join(Relation *left, const Scope *outer, int depth)
{
    static const std::vector<const char *> kinds = {
        "JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "LEFT JOIN", "CROSS JOIN"};
    std::string kind = choices_.one_of(kinds);
    bool is_full = kind == "FULL JOIN";
    bool may_be_lateral = kind == "JOIN" || kind == "LEFT JOIN" || kind == "CROSS JOIN";
    Scope around = {left->columns, outer, left->keys, left->rows};
    Relation right = may_be_lateral && depth > 0 && choices_.chance(10)
                         ? choices_.chance(25)   ? function_call(&around)
                           : choices_.chance(50) ? subquery(&around, depth, true)
                                                 : keyed_subquery(&around, depth, true)
                         : relation(outer, depth);
    Scope both = {left->columns, outer, {}, left->rows};
    both.columns.insert(both.columns.end(), right.columns.begin(), right.columns.end());
    both.rows.insert(both.rows.end(), right.rows.begin(), right.rows.end());

    std::string sql = " " + kind + " " + right.sql;
    bool has_same_names = left->is_table && right.is_table;
    left->is_table = false;
    if (has_same_names && kind != "CROSS JOIN" && choices_.chance(12)) {
        // Of these every table has one.
        bool same_keys = left->columns[0].type == right.columns[0].type;
        sql += same_keys && choices_.chance(70) ? " USING (k)"
                                                : choices_.one_of({" USING (i)", " USING (t, i)"});
        if (choices_.chance(20)) {
            std::string alias = next_alias();
            bool by_key = sql.ends_with("(k)");
            sql += " AS " + alias;
            both.columns.push_back(
                {alias + (by_key ? ".k" : ".i"), by_key ? left->columns[0].type : Type::Int});
        }
    } else if (kind != "CROSS JOIN") {
        sql += " ON " + join_condition(*left, right, both, is_full);
    }
    left->columns = both.columns;
    left->rows = both.rows;
    left->keys.insert(left->keys.end(), right.keys.begin(), right.keys.end());
    return sql;
}

Relation Generator::from_clause(const Scope *outer, int depth)
{
    Relation from = relation(outer, depth);
    int joins = choices_.chance(45) ? choices_.between(1, depth > 1 ? 3 : 1) : 0;
    for (int i = 0; i < joins; i++) {
        from.sql += join(&from, outer, depth);
    }
    bool merges_columns = from.sql.find(" USING (") != std::string::npos;
    return joins > 0 && !merges_columns && choices_.chance(8) ? renamed(from) : from;
}

// A join under a name of its own, which hides those of its parts.
Relation Generator::renamed(const Relation &join)
{
    std::string alias = next_alias();
    Relation result = {"(" + join.sql + ") " + alias + column_list(join.columns.size()), {}};
    result.rows.push_back(alias);
    std::map<std::string, Column> names;
    for (const Column &column : join.columns) {
        std::string name = alias + ".c" + std::to_string(result.columns.size() + 1);
        result.columns.push_back({name, column.type});
        names[column.name] = result.columns.back();
    }
    for (const Key &key : join.keys) {
        Key &renamed_key = result.keys.emplace_back();
        for (const Column &column : key) {
            renamed_key.push_back(names[column.name]);
        }
    }
    return result;
}

// The rows that can be reached from some, step by step.
std::string Generator::recursive_cte(const std::string &name)
{
    Relation first = table(next_alias()), next = table(next_alias());
    std::string start = column_or_literal({first.columns, nullptr}, Type::Int);
    Scope own = {next.columns, nullptr};
    std::string sql = name + " (c1, c2) AS (SELECT " + start + ", 0 FROM " + first.sql +
                      where({first.columns, nullptr}, 0) + " UNION SELECT " +
                      column_or_literal(own, Type::Int) + ", c2 + 1 FROM " + name + " JOIN " +
                      next.sql + " ON " + column_or_literal(own, Type::Int) + " = " + name +
                      ".c1 WHERE c2 < " + std::to_string(choices_.between(1, 3)) + ")";
    ctes_.push_back({name, {{"c1", Type::Int}, {"c2", Type::Int}}});
    switch (choices_.below(4)) {
    case 2:
        ctes_.back().columns.push_back({"c3", Type::Bool});
        return sql + " CYCLE c1 SET c3 USING path";
    case 3:
        return sql + choices_.one_of({" SEARCH DEPTH", " SEARCH BREADTH"}) +
               " FIRST BY c1 SET position";
    default:
        return sql;
    }
}

std::string Generator::cte(int number)
{
    std::string name = "w" + std::to_string(number);
    if (choices_.chance(10)) {
        return recursive_cte(name);
    }
    if (choices_.chance(15)) {
        Relation source = from_clause(nullptr, 0);
        std::string start = column_or_literal({source.columns, nullptr}, Type::Int);
        ctes_.push_back({name, {{"c1", Type::Int}}});
        return name + " (c1) AS (SELECT " + start + " FROM " + source.sql + " UNION SELECT c1 + " +
               std::to_string(choices_.between(1, 4)) + " FROM " + name + " WHERE c1 < 25)";
    }
    std::vector<Type> types = random_types(3);
    Select inner = select(types, nullptr, 1, true);
    std::vector<Column> columns;
    for (Type type : types) {
        columns.push_back({"c" + std::to_string(columns.size() + 1), type});
    }
    ctes_.push_back({name, columns});
    return name + column_list(types.size()) + " AS " +
           choices_.one_of({"", "MATERIALIZED ", "NOT MATERIALIZED "}) + "(" + inner.sql + ")";
}

} // namespace shardwise::random_queries
