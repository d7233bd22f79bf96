#include "generator.hpp"

#include <cctype>

namespace shardwise::random_queries
{

namespace
{

// PostgreSQL 15 itself takes columns that a join makes equal for equal above grouping sets, where
// one of them can be NULL: its order by them is not the one asked for.
bool has_grouping_sets(const std::string &sql)
{
    return sql.find("ROLLUP (") != std::string::npos || sql.find("CUBE (") != std::string::npos ||
           sql.find("GROUPING SETS (") != std::string::npos;
}

// True if a column, written as alias (a7) and name, stands in the expression.
bool mentions_column(const std::string &expression)
{
    for (size_t i = 0; i + 1 < expression.size(); i++) {
        size_t end = i + 1;
        while (isdigit(static_cast<unsigned char>(expression[end]))) {
            end++;
        }
        if (expression[i] == 'a' && end > i + 1 && expression[end] == '.') {
            return true;
        }
    }
    return false;
}

void append(std::string *list, const std::string &item)
{
    *list += (list->empty() ? "" : ", ") + item;
}

} // namespace

std::string Generator::where(const Scope &scope, int depth)
{
    return choices_.chance(60) ? " WHERE " + condition(scope, depth) : "";
}

std::string Generator::rows_select(const std::vector<Type> &types, const Scope *outer, int depth)
{
    Relation from = from_clause(outer, depth);
    Scope scope = {from.columns, outer, from.keys, from.rows};
    std::string targets;
    bool has_windows = choices_.chance(15);
    numbers_rows_ = false;
    for (Type type : types) {
        append(&targets, has_windows && choices_.chance(60) ? window(scope, type)
                                                            : expression(scope, type, depth));
    }
    return std::string("SELECT ") + (choices_.chance(15) ? "DISTINCT " : "") + targets + " FROM " +
           from.sql + where(scope, depth);
}

// What is computed of groups and not of rows; empty most of the time.
std::string Generator::group_target(Type type, const std::vector<std::string> &keys)
{
    if (keys.empty() || !choices_.chance(12)) {
        return "";
    }
    switch (type) {
    case Type::Int:
        return "grouping(" + keys[0] + ")";
    case Type::Big:
        return choices_.one_of({"(sum(count(*)) OVER ())::bigint",
                                "rank() OVER (ORDER BY count(*))", "max(count(*)) OVER ()"});
    default:
        return "";
    }
}

std::string Generator::group_clause(const std::vector<std::string> &keys)
{
    std::string list;
    for (const std::string &key : keys) {
        append(&list, key);
    }
    switch (choices_.below(12)) {
    case 10:
        return " GROUP BY DISTINCT ROLLUP (" + list + "), CUBE (" + keys.back() + ")";
    case 11:
        return " GROUP BY GROUPING SETS (ROLLUP (" + list + "), (" + keys.back() + "), ()), " +
               keys[0];
    case 7:
        return " GROUP BY ROLLUP (" + list + ")";
    case 8:
        return " GROUP BY CUBE (" + list + ")";
    case 9:
        return " GROUP BY GROUPING SETS ((" + list + "), (" + keys[0] + "), ())";
    default:
        return " GROUP BY " + list;
    }
}

std::string Generator::grouped_select(const std::vector<Type> &types, const Scope *outer, int depth)
{
    bool keeps_scale = keeps_scale_;
    keeps_scale_ = false;
    Relation from = from_clause(outer, depth);
    // Aggregates of outer columns alone would belong to the query around this one.
    Scope own = {from.columns, nullptr};
    std::vector<std::string> keys;
    std::string targets;
    bool has_groups = choices_.chance(70);
    for (Type type : types) {
        if (has_groups && choices_.chance(40)) {
            std::string key = expression(own, type, 1);
            // A constant would be the number of a column, or not be NULL above grouping sets; a
            // parameter never equals another.
            bool names_column = mentions_column(key) && key.find('$') == std::string::npos &&
                                key.find("SELECT") == std::string::npos;
            if (names_column) {
                keys.push_back(key);
                append(&targets, key);
                continue;
            }
        }
        std::string of_groups = group_target(type, keys);
        append(&targets, of_groups.empty() ? aggregate(own, type, keeps_scale) : of_groups);
    }
    if (has_groups && keys.empty()) {
        for (const Column &column : from.columns) {
            if (keys.empty() || choices_.chance(10)) {
                keys.push_back(column.name);
            }
        }
    }
    std::string sql =
        "SELECT " + targets + " FROM " + from.sql + where({from.columns, outer, from.keys}, depth);
    if (!keys.empty()) {
        sql += group_clause(keys);
    }
    return sql + having(own, outer);
}

std::string Generator::having(const Scope &own, const Scope *outer)
{
    if (!choices_.chance(25)) {
        return "";
    }
    Type type = random_type();
    std::string call = " HAVING " + aggregate(own, type);
    switch (choices_.below(6)) {
    case 4:
        return call + choices_.one_of({" IN (", " NOT IN ("}) + select({type}, outer, 0, true).sql +
               ")";
    case 5:
        return call + choices_.one_of({" > ", " IS DISTINCT FROM "}) + aggregate(own, type);
    default:
        return call + choices_.one_of({" >= ", " <> ", " < "}) + literal(type);
    }
}

std::string Generator::distinct_on(const std::vector<Type> &types, const Scope *outer, int depth)
{
    Relation from = from_clause(outer, depth);
    Scope scope = {from.columns, outer, from.keys};
    std::string targets, order = "1";
    for (size_t i = 0; i < types.size(); i++) {
        append(&targets, expression(scope, types[i], depth));
        if (i > 0) {
            append(&order, std::to_string(i + 1) + choices_.one_of({"", " DESC"}));
        }
    }
    return "SELECT DISTINCT ON (1) " + targets + " FROM " + from.sql + where(scope, depth) +
           " ORDER BY " + order;
}

std::string Generator::set_operation(const std::vector<Type> &types, const Scope *outer, int depth)
{
    std::string left = select(types, outer, depth - 1, true).sql;
    std::string right = select(types, outer, depth - 1, true).sql;
    if (choices_.chance(10)) {
        std::string row;
        for (Type type : types) {
            append(&row, literal(type));
        }
        right = "VALUES (" + row + ")";
    }
    return "(" + left + ") " +
           choices_.one_of(
               {"UNION ALL", "UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"}) +
           " (" + right + ")";
}

// Adds ORDER BY, and LIMIT where the order leaves only rows that are equal to choose from.
void Generator::add_order(Select *select, size_t columns, bool may_cut)
{
    bool is_total = choices_.chance(60);
    std::string order;
    std::vector<int> left;
    for (size_t i = 0; i < columns; i++) {
        left.push_back(static_cast<int>(i));
    }
    size_t wanted = is_total ? columns : 1;
    while (select->ordered.size() < wanted) {
        uint32_t next = choices_.below(static_cast<uint32_t>(left.size()));
        select->ordered.push_back(left[next]);
        append(&order, std::to_string(left[next] + 1) +
                           choices_.one_of({"", " DESC", " NULLS FIRST", " DESC NULLS LAST"}));
        left.erase(left.begin() + next);
    }
    select->sql += " ORDER BY " + order;
    select->is_total_order = select->ordered.size() == columns;
    if (!may_cut || !choices_.chance(60)) {
        return;
    }
    if (!select->is_total_order) {
        if (choices_.chance(30)) { // those that are equal come all
            select->sql +=
                " FETCH FIRST " + std::to_string(choices_.between(1, 9)) + " ROWS WITH TIES";
        }
        return;
    }
    if (choices_.chance(35)) {
        select->sql += " OFFSET " + std::to_string(choices_.between(0, 5));
    }
    if (choices_.chance(15)) {
        select->sql += " FETCH FIRST " + std::to_string(choices_.between(1, 6)) + " ROWS WITH TIES";
    } else {
        int count = choices_.between(0, 12);
        select->sql += " LIMIT ";
        select->sql += uses_parameters_ && choices_.chance(40)
                           ? parameter({std::to_string(count), "3", std::nullopt}) + "::bigint"
                       : choices_.chance(5) ? "(SELECT count(*) / 9 FROM " +
                                                  choices_.one_of(schema_.tables).name + " x)"
                                            : std::to_string(count);
    }
}

Select Generator::select(const std::vector<Type> &types, const Scope *outer, int depth,
                         bool may_cut)
{
    Select result;
    uint32_t kind = choices_.below(100);
    if (kind < 50 || (depth <= 0 && kind >= 88)) {
        result.sql = rows_select(types, outer, depth);
    } else if (kind < 82) {
        result.sql = grouped_select(types, outer, depth);
    } else if (kind < 88) {
        result.sql = distinct_on(types, outer, depth);
        return result;
    } else {
        result.sql = set_operation(types, outer, depth);
    }
    if (choices_.chance(outer == nullptr && may_cut ? 45 : 20) && !has_grouping_sets(result.sql)) {
        add_order(&result, types.size(), may_cut);
    }
    return result;
}

// Leaves out parameters that no expression uses in the end.
void Generator::number_parameters(RandomQuery *query)
{
    std::vector<std::string> numbers(parameters_.size());
    query->other_parameters.resize(parameters_.empty() ? 0 : parameters_[0].size() - 1);
    std::string sql;
    for (size_t i = 0; i < query->sql.size(); i++) {
        sql += query->sql[i];
        if (!is_parameter(query->sql, i)) {
            continue;
        }
        size_t end = i + 1;
        while (isdigit(static_cast<unsigned char>(query->sql[end]))) {
            end++;
        }
        size_t old = std::stoul(query->sql.substr(i + 1, end - i - 1)) - 1;
        if (numbers[old].empty()) {
            query->parameters.push_back(parameters_[old][0]);
            for (size_t set = 0; set < query->other_parameters.size(); set++) {
                query->other_parameters[set].push_back(parameters_[old][set + 1]);
            }
            numbers[old] = std::to_string(query->parameters.size());
        }
        sql += numbers[old];
        i = end - 1;
    }
    query->sql = sql;
}

RandomQuery Generator::make()
{
    std::string with;
    bool is_recursive = false;
    uses_parameters_ = choices_.chance(30);
    int ctes = choices_.chance(20) ? choices_.between(1, 2) : 0;
    for (int i = 0; i < ctes; i++) {
        append(&with, cte(i));
        is_recursive |= with.find("c1 < 25") != std::string::npos;
    }
    Select top;
    if (choices_.chance(20)) {
        std::vector<Type> types = random_types(4);
        keeps_scale_ = true;
        top.sql = grouped_select(types, nullptr, 2);
    } else {
        top = select(random_types(4), nullptr, 2, true);
    }
    RandomQuery query;
    query.sql =
        (with.empty() ? "" : (is_recursive ? "WITH RECURSIVE " : "WITH ") + with + " ") + top.sql;
    number_parameters(&query);
    if (query.parameters.empty() && choices_.chance(4)) {
        query.sql = each_row(query.sql, "");
        return query;
    }
    query.ordered = top.ordered;
    query.is_total_order = top.is_total_order;
    return query;
}

// The rows of a query that a function runs, which also writes for the first ones.
std::string Generator::each_row(const std::string &query, const std::string &change)
{
    return "SELECT * FROM each_row($q$" + query + "$q$, " +
           (change.empty() ? "NULL" : "$q$" + change + "$q$") + ")";
}

RandomQuery make_query(Choices &choices, const Schema &schema)
{
    return Generator(choices, schema).make();
}

} // namespace shardwise::random_queries
