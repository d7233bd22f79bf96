#include "generator.hpp"

namespace shardwise::random_queries
{

Type Generator::random_type()
{
    static const std::vector<Type> types = {
        Type::Int,  Type::Int,  Type::Int,  Type::Int,   Type::Text, Type::Text, Type::Text,
        Type::Big,  Type::Big,  Type::Num,  Type::Num,   Type::Date, Type::Bool, Type::Uuid,
        Type::Time, Type::Json, Type::Ints, Type::Bytes, Type::Mood, Type::Pair};
    return choices_.one_of(types);
}

std::vector<Type> Generator::random_types(int most)
{
    std::vector<Type> types;
    for (int i = choices_.between(1, most); i > 0; i--) {
        types.push_back(random_type());
    }
    return types;
}

std::string Generator::parameter(const Values &values)
{
    parameters_.push_back(values);
    return "$" + std::to_string(parameters_.size());
}

std::string Generator::literal(Type type)
{
    std::string value = make_literal(choices_, type);
    if (choices_.chance(3)) {
        return std::string("NULL::") + type_name(type);
    }
    if (uses_parameters_ && choices_.chance(30)) {
        auto bare = [](const std::string &text) {
            return text[0] == '\'' ? text.substr(1, text.size() - 2) : text;
        };
        Values values = {bare(value), bare(make_literal(choices_, type))};
        values.push_back(choices_.chance(30) ? std::nullopt
                                             : std::optional(bare(make_literal(choices_, type))));
        return parameter(values) + "::" + type_name(type);
    }
    return type == Type::Int || type == Type::Bool ? value : value + "::" + type_name(type);
}

std::string Generator::column_or_literal(const Scope &scope, Type type)
{
    std::vector<std::string> own, around;
    for (const Column &column : scope.columns) {
        if (column.type == type) {
            own.push_back(column.name);
        }
    }
    for (const Scope *outer = scope.outer; outer != nullptr; outer = outer->outer) {
        for (const Column &column : outer->columns) {
            if (column.type == type) {
                around.push_back(column.name);
            }
        }
    }
    if (!around.empty() && choices_.chance(own.empty() ? 60 : 20)) {
        return choices_.one_of(around);
    }
    if (own.empty() || choices_.chance(12)) {
        return literal(type);
    }
    return choices_.one_of(own);
}

std::string Generator::number(const Scope &scope, Type type, int depth)
{
    std::string left = expression(scope, type, depth - 1);
    switch (choices_.below(type == Type::Num ? 5 : 7)) {
    case 4:
        return choices_.one_of({"greatest(", "least("}) + left + ", " +
               expression(scope, type, depth - 1) + ")";
    case 0:
        return "(" + left + " + " + expression(scope, type, depth - 1) + ")";
    case 1:
        return "(" + left + " - " + expression(scope, type, depth - 1) + ")";
    case 2:
        return "abs(" + left + ")";
    case 3:
        return "nullif(" + left + ", " + literal(type) + ")";
    case 5:
        return "(" + left + " % " + std::to_string(choices_.between(2, 5)) + ")";
    default:
        return size(scope, depth) + (type == Type::Big ? "::bigint" : "");
    }
}

// A number that another type's value has.
std::string Generator::size(const Scope &scope, int depth)
{
    switch (choices_.below(10)) {
    case 9: { // what is no number must not be read as one
        std::string text = column_or_literal(scope, Type::Text);
        return "CASE WHEN " + text + " ~ '^[0-9]{1,6}$' THEN " + text + "::int END";
    }
    case 8:
        return "(" + expression(scope, Type::Pair, depth - 1) + ").a";
    case 4:
        return "cardinality(" + expression(scope, Type::Ints, depth - 1) + ")";
    case 5:
        return "extract(day FROM " + expression(scope, Type::Time, depth - 1) + ")::int";
    case 6:
        return "length(" + expression(scope, Type::Json, depth - 1) + " ->> 'a')";
    case 7:
        return "(" + column_or_literal(scope, Type::Ints) + ")[1]";
    case 2:
    case 3:
        return choices_.one_of({"half(", "same(", "next_to("}) +
               expression(scope, Type::Int, depth - 1) + ")";
    default:
        return "length(" + expression(scope, Type::Text, depth - 1) + ")";
    }
}

std::string Generator::time(const Scope &scope, int depth)
{
    std::string value = expression(scope, Type::Time, depth - 1);
    switch (choices_.below(3)) {
    case 0:
        return "(" + value + " + interval '" + std::to_string(choices_.between(1, 30)) + " hours')";
    case 1:
        return "date_trunc('day', " + value + ")";
    default:
        return "(" + expression(scope, Type::Date, depth - 1) + ")::timestamptz";
    }
}

// A whole row of a table or join.
std::string Generator::row_json(const Scope &scope)
{
    if (scope.rows.empty()) {
        return "to_jsonb(" + column_or_literal(scope, random_type()) + ")";
    }
    const std::string &row = choices_.one_of(scope.rows);
    return !choices_.chance(40) ? "to_jsonb(" + row + ")"
                                : "jsonb_build_array(" + row + " IS NULL, " + row + ")";
}

std::string Generator::json(const Scope &scope, int depth)
{
    switch (choices_.below(6)) {
    case 3:
        return row_json(scope);
    case 4:
        return "jsonb_path_query_array(" + expression(scope, Type::Json, depth - 1) +
               choices_.one_of({", '$.b[*] ? (@ > $x)', '{\"x\": 1}')", ", '$.*')",
                                ", 'strict $[*]', silent => true)"});
    case 0:
        return "(" + expression(scope, Type::Json, depth - 1) + " -> 'a')";
    case 1:
        return "jsonb_build_object('a', " + expression(scope, Type::Int, depth - 1) + ", 'b', " +
               expression(scope, Type::Text, depth - 1) + ")";
    case 2:
        return "jsonb_strip_nulls(" + expression(scope, Type::Json, depth - 1) + ")";
    default:
        return "to_jsonb(" +
               expression(scope, choices_.chance(50) ? Type::Text : Type::Ints, depth - 1) + ")";
    }
}

std::string Generator::array(const Scope &scope, int depth)
{
    std::string number = expression(scope, Type::Int, depth - 1);
    switch (choices_.below(5)) {
    case 4: {
        Relation from = from_clause(&scope, 0);
        Scope inner = {from.columns, &scope, from.keys};
        return "ARRAY(SELECT " + column_or_literal(inner, Type::Int) + " FROM " + from.sql +
               where(inner, 0) + " ORDER BY 1)";
    }
    case 0:
        return "ARRAY[" + number + ", " + column_or_literal(scope, Type::Int) + "]";
    case 1:
        return "array_remove(" + expression(scope, Type::Ints, depth - 1) + ", " + number + ")";
    case 2:
        return "(" + expression(scope, Type::Ints, depth - 1) + " || " + number + ")";
    default:
        return "(" + column_or_literal(scope, Type::Ints) + ")[1:2]";
    }
}

std::string Generator::bytes(const Scope &scope, int depth)
{
    std::string value = expression(scope, Type::Bytes, depth - 1);
    switch (choices_.below(3)) {
    case 0:
        return "(" + value + " || " + column_or_literal(scope, Type::Bytes) + ")";
    case 1:
        return "substr(" + value + ", 1, 1)";
    default:
        return "decode(md5(" + expression(scope, Type::Text, depth - 1) + "), 'hex')";
    }
}

std::string Generator::text(const Scope &scope, int depth)
{
    std::string value = expression(scope, Type::Text, depth - 1);
    switch (choices_.below(7)) {
    case 0:
        return "upper(" + value + ")";
    case 5:
        return "(" + expression(scope, Type::Pair, depth - 1) + ").b";
    case 4:
        return "shout(" + value + ")";
    case 1:
        return "(" + value + " || " + expression(scope, Type::Text, depth - 1) + ")";
    case 2:
        return "substr(" + value + ", 1, 1)";
    case 3:
        return "(" + expression(scope, random_type(), depth - 1) + ")::text";
    default:
        return "concat(" + value + ", '-', " + expression(scope, Type::Int, depth - 1) + ")";
    }
}

std::string Generator::case_expression(const Scope &scope, Type type, int depth)
{
    return "CASE WHEN " + condition(scope, depth - 1) + " THEN " +
           expression(scope, type, depth - 1) +
           (choices_.chance(70) ? " ELSE " + expression(scope, type, depth - 1) : "") + " END";
}

std::string Generator::scalar_subquery(const Scope &scope, Type type, int depth)
{
    Relation from = from_clause(&scope, depth - 1);
    Scope inner = {from.columns, &scope, from.keys};
    if (choices_.chance(25)) {
        return "(SELECT " + column_or_literal(inner, type) + " FROM " + from.sql +
               where(inner, depth - 1) + " ORDER BY 1 LIMIT 1)";
    }
    Scope own = {from.columns, nullptr};
    return "(SELECT " + aggregate(own, type) + " FROM " + from.sql + where(inner, depth - 1) + ")";
}

std::string Generator::expression(const Scope &scope, Type type, int depth)
{
    if (depth <= 0 || !choices_.chance(45)) {
        return column_or_literal(scope, type);
    }
    switch (choices_.below(8)) {
    case 0:
        return "coalesce(" + expression(scope, type, depth - 1) + ", " + literal(type) + ")";
    case 1:
        return case_expression(scope, type, depth);
    case 2:
        return choices_.chance(40) ? scalar_subquery(scope, type, depth)
                                   : column_or_literal(scope, type);
    default:
        break;
    }
    switch (type) {
    case Type::Int:
    case Type::Big:
    case Type::Num:
        return number(scope, type, depth);
    case Type::Text:
        return text(scope, depth);
    case Type::Bool:
        return "(" + condition(scope, depth - 1) + ")";
    case Type::Date:
        return "(" + column_or_literal(scope, type) + " + " +
               std::to_string(choices_.between(0, 4)) + ")";
    case Type::Time:
        return time(scope, depth);
    case Type::Json:
        return json(scope, depth);
    case Type::Ints:
        return array(scope, depth);
    case Type::Bytes:
        return bytes(scope, depth);
    case Type::Pair:
        return "ROW(" + expression(scope, Type::Int, depth - 1) + ", " +
               column_or_literal(scope, Type::Text) + ")::pair";
    case Type::Mood:
        return "mood_of(" + expression(scope, Type::Int, depth - 1) + ")";
    case Type::Uuid:
        return column_or_literal(scope, type);
    }
    return "NULL";
}

// Two keys that are equal; empty if there are no two of the same types.
std::string Generator::key_condition(const std::vector<Key> &left, const std::vector<Key> &right)
{
    if (left.empty() || right.empty()) {
        return "";
    }
    const Key &a = choices_.one_of(left), &b = choices_.one_of(right);
    std::string result;
    for (size_t i = 0; i < a.size() && a.size() == b.size(); i++) {
        if (a[i].type != b[i].type) {
            return "";
        }
        result += (i > 0 ? " AND " : "") + a[i].name + " = " + b[i].name;
    }
    return result;
}

// Two values at a time: equal, in a list, in a subquery, or before others.
std::string Generator::row_comparison(const Scope &scope)
{
    Type first = random_type(), second = random_type();
    std::string left =
        "(" + column_or_literal(scope, first) + ", " + column_or_literal(scope, second) + ")";
    auto row = [&] { return "(" + literal(first) + ", " + literal(second) + ")"; };
    switch (choices_.below(4)) {
    case 0:
        return left + " = " + row();
    case 1:
        return left + choices_.one_of({" IN (", " NOT IN ("}) + row() + ", " + row() + ")";
    case 2:
        return left + choices_.one_of({" < ", " >= "}) + row();
    default:
        return left + choices_.one_of({" IN (", " NOT IN ("}) +
               select({first, second}, &scope, 0, true).sql + ")";
    }
}

// With an array: a parameter, a column, or what a subquery makes.
std::string Generator::array_comparison(const Scope &scope, const std::string &left, Type type)
{
    if (type == Type::Int && choices_.chance(40)) {
        return left + choices_.one_of({" = ANY (", " <> ALL (", " >= ANY ("}) +
               expression(scope, Type::Ints, 1) + ")";
    }
    bool is_plain = type == Type::Int || type == Type::Big || type == Type::Date ||
                    type == Type::Uuid || type == Type::Mood;
    if (!uses_parameters_ || !is_plain) {
        return left + choices_.one_of({" = ANY (ARRAY[", " <> ALL (ARRAY["}) + literal(type) +
               ", " + literal(type) + "])";
    }
    Values values;
    for (int i = 0; i < 3; i++) {
        std::string list;
        for (int j = choices_.between(0, 3); j > 0; j--) {
            std::string value = make_literal(choices_, type);
            value = value[0] == '\'' ? value.substr(1, value.size() - 2) : value;
            list += (list.empty() ? "" : ",") + value;
        }
        values.push_back("{" + list + (choices_.chance(10) && !list.empty() ? ",NULL}" : "}"));
    }
    if (choices_.chance(15)) {
        values.back() = std::nullopt;
    }
    return left + choices_.one_of({" = ANY (", " <> ALL ("}) + parameter(values) +
           "::" + type_name(type) + "[])";
}

std::string Generator::comparison(const Scope &scope, int depth)
{
    if (scope.outer != nullptr && choices_.chance(25)) {
        std::string same_key = key_condition(scope.keys, scope.outer->keys);
        if (!same_key.empty()) {
            return same_key;
        }
    }
    if (choices_.chance(5)) {
        return row_comparison(scope);
    }
    Type type = random_type();
    std::string left = column_or_literal(scope, type);
    switch (choices_.below(9)) {
    case 0:
        return left + " = " + expression(scope, type, depth);
    case 1:
        return left + choices_.one_of({" < ", " >= ", " > ", " <= "}) +
               expression(scope, type, depth);
    case 2:
        return left + " <> " + expression(scope, type, depth);
    case 3:
        return left + choices_.one_of({" IS NULL", " IS NOT NULL"});
    case 4:
        return left + choices_.one_of({" IN (", " NOT IN ("}) + literal(type) + ", " +
               literal(type) + ", " + literal(type) + ")";
    case 5:
        return left + " BETWEEN " + literal(type) + " AND " + literal(type);
    case 6:
        return left + choices_.one_of({" IS DISTINCT FROM ", " IS NOT DISTINCT FROM "}) +
               expression(scope, type, depth);
    case 7:
        if (type == Type::Ints) { // of such there are no arrays
            return column_or_literal(scope, Type::Int) + " = ANY (" + left + ")";
        }
        return array_comparison(scope, left, type);
    default:
        if (type == Type::Ints || type == Type::Json) {
            return left + choices_.one_of({" @> ", " <@ "}) + expression(scope, type, depth);
        }
        return column_or_literal(scope, Type::Text) + choices_.one_of({" LIKE ", " NOT LIKE "}) +
               choices_.one_of({"'a%'", "'%b%'", "'_'"});
    }
}

std::string Generator::subquery_condition(const Scope &scope, int depth)
{
    Type type = random_type();
    uint32_t kind = choices_.below(4);
    if (kind == 0) {
        Relation from = from_clause(&scope, depth - 1);
        Scope inner = {from.columns, &scope, from.keys};
        return choices_.one_of({"EXISTS", "NOT EXISTS"}) + " (SELECT FROM " + from.sql +
               where(inner, depth - 1) + ")";
    }
    Select inner = select({type}, &scope, depth - 1, true);
    std::string left = column_or_literal(scope, type);
    if (kind == 3) {
        return left + choices_.one_of({" >= ANY (", " < ALL (", " <> ALL ("}) + inner.sql + ")";
    }
    return left + (kind == 1 ? " IN (" : " NOT IN (") + inner.sql + ")";
}

std::string Generator::condition(const Scope &scope, int depth)
{
    if (depth <= 0) {
        return comparison(scope, 0);
    }
    switch (choices_.below(10)) {
    case 5:
    case 6:
        return condition(scope, depth - 1) + " AND " + condition(scope, depth - 1);
    case 7:
        return "(" + condition(scope, depth - 1) + " OR " + condition(scope, depth - 1) + ")";
    case 8:
        return "NOT (" + condition(scope, depth - 1) + ")";
    case 9:
        return subquery_condition(scope, depth);
    default:
        return comparison(scope, depth - 1);
    }
}

} // namespace shardwise::random_queries
