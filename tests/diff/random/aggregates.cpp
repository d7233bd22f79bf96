#include "generator.hpp"

namespace shardwise::random_queries
{

// An aggregate of exactly this type; `argument` is what it may be ordered by, if it has any.
std::string Generator::aggregate_call(const Scope &scope, Type type, std::string *argument)
{
    auto of = [&](const std::string &name, Type of_type) {
        *argument = expression(scope, of_type, 1);
        return name + "(" + (choices_.chance(15) ? "DISTINCT " : "") + *argument + ")";
    };
    if (choices_.chance(6)) {
        *argument = expression(scope, type, 1);
        if (type == Type::Ints && choices_.chance(50)) {
            *argument = expression(scope, Type::Int, 1);
            return "percentile_disc(ARRAY[0.2, NULL, 0.7]) WITHIN GROUP (ORDER BY " + *argument +
                   ")";
        }
        return "percentile_disc(" + choices_.one_of({"0", "0.5", "1"}) +
               ") WITHIN GROUP (ORDER BY " + *argument + choices_.one_of({"", " DESC"}) + ")";
    }
    switch (type) {
    case Type::Int:
        return of(choices_.one_of({"max", "min", "bit_or", "bit_and", "total"}), type);
    case Type::Big:
        switch (choices_.below(7)) {
        case 5:
            *argument = column_or_literal(scope, random_type());
            return "count(DISTINCT (" + *argument + ", " + expression(scope, Type::Int, 1) + "))";
        case 6:
            *argument = expression(scope, Type::Int, 1);
            return "regr_count(" + *argument + ", " + expression(scope, Type::Int, 1) + ")";
        case 0:
            return "count(*)";
        case 4:
            *argument = expression(scope, Type::Int, 1);
            return choices_.one_of({"rank(", "dense_rank("}) + literal(Type::Int) +
                   ") WITHIN GROUP (ORDER BY " + *argument + ")";
        case 1:
            return of("count", random_type());
        case 2:
            return of("sum", Type::Int);
        default:
            return of(choices_.one_of({"max", "min", "bit_xor"}), type);
        }
    case Type::Num:
        if (choices_.chance(50)) {
            return of(choices_.one_of({"sum", "avg", "max", "min", "variance", "stddev"}), type);
        }
        return of(choices_.one_of({"avg", "var_pop"}), choices_.chance(50) ? Type::Int : Type::Big);
    case Type::Text:
        if (choices_.chance(25)) {
            *argument = expression(scope, type, 1);
            return "string_agg(" + *argument + ", ',' ORDER BY " + *argument + ")";
        }
        if (choices_.chance(20)) {
            Type of_type = random_type();
            *argument = expression(scope, of_type, 1) + (of_type == Type::Ints ? "::text" : "");
            if (choices_.chance(25)) {
                return "array_agg(" + *argument + " ORDER BY " + expression(scope, Type::Int, 1) +
                       " DESC NULLS LAST, " + *argument + ")::text";
            }
            return "array_agg(" + std::string(choices_.chance(30) ? "DISTINCT " : "") + *argument +
                   " ORDER BY " + *argument + ")::text";
        }
        return of(choices_.one_of({"max", "min"}), type);
    case Type::Date:
    case Type::Time:
    case Type::Mood:
        return of(choices_.one_of({"max", "min"}), type);
    case Type::Ints:
        if (choices_.chance(40)) {
            *argument = expression(scope, Type::Int, 1);
            return "array_agg(" + *argument + " ORDER BY " + *argument + ")";
        }
        return of(choices_.one_of({"max", "min"}), type);
    case Type::Json:
        *argument = expression(scope, choices_.chance(50) ? Type::Json : Type::Text, 1);
        if (choices_.chance(25)) {
            std::string key = "coalesce(" + column_or_literal(scope, Type::Text) + ", 'none')";
            return "jsonb_object_agg(" + key + ", " + *argument + " ORDER BY " + key + ", " +
                   *argument + " DESC)";
        }
        return "jsonb_agg(" + *argument + " ORDER BY " + *argument + ")";
    case Type::Bytes:
        *argument = expression(scope, type, 1);
        return "string_agg(" + *argument + ", '' ORDER BY " + *argument + ")";
    case Type::Bool:
        return of(choices_.one_of({"bool_and", "bool_or", "every"}), type);
    case Type::Uuid:
    case Type::Pair:
        *argument = column_or_literal(scope, type);
        return "max((" + *argument + ")::text)::" + type_name(type);
    }
    return "count(*)";
}

std::string Generator::aggregate(const Scope &scope, Type type, bool keeps_scale)
{
    std::string argument;
    std::string call = aggregate_call(scope, type, &argument);
    if (choices_.chance(12) && call.ends_with(")")) {
        call += " FILTER (WHERE " + comparison(scope, 0) + ")";
    }
    return type == Type::Num && !keeps_scale ? call + "::numeric(40,2)" : call;
}

// A window's frame, which may ask for an order of its own.
std::string Generator::frame(const Scope &scope, std::string *order)
{
    std::string bounds = choices_.one_of({" BETWEEN 1 PRECEDING AND 1 FOLLOWING",
                                          " BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING",
                                          " BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"});
    std::string excluded = choices_.one_of({"", "", " EXCLUDE TIES", " EXCLUDE GROUP"});
    if (!numbers_rows_ && choices_.chance(30)) {
        numbers_rows_ = true;
        for (const Column &column : scope.columns) {
            *order += ", " + column.name;
        }
        return " ROWS" + bounds;
    }
    if (choices_.chance(50)) {
        return " GROUPS" + bounds + excluded;
    }
    if (choices_.chance(30)) {
        *order =
            "ORDER BY " + column_or_literal(scope, Type::Date) + choices_.one_of({"", " DESC"});
        return " RANGE BETWEEN " +
               choices_.one_of({"'2 days' PRECEDING AND '1 day' FOLLOWING",
                                "UNBOUNDED PRECEDING AND '3 days' PRECEDING"}) +
               excluded;
    }
    *order = "ORDER BY " + column_or_literal(scope, Type::Int) + choices_.one_of({"", " DESC"});
    return " RANGE" + bounds + excluded;
}

std::string Generator::window(const Scope &scope, Type type)
{
    std::string partition =
        choices_.chance(60) ? "PARTITION BY " + column_or_literal(scope, random_type()) + " " : "";
    std::string order = "ORDER BY " + column_or_literal(scope, random_type());
    std::string argument;
    if (type == Type::Big && choices_.chance(50)) {
        if (numbers_rows_ || choices_.chance(50)) {
            return choices_.one_of({"rank()", "dense_rank()"}) + " OVER (" + partition + order +
                   choices_.one_of({"", " DESC"}) + ")";
        }
        numbers_rows_ = true;
        for (const Column &column : scope.columns) {
            order += ", " + column.name;
        }
        return "row_number() OVER (" + partition + order + ")";
    }
    if (choices_.chance(20)) {
        std::string rows = frame(scope, &order);
        std::string name = type == Type::Big ? "sum(" : type == Type::Bool ? "bool_and(" : "max(";
        if (type != Type::Uuid && type != Type::Json && type != Type::Bytes && type != Type::Pair) {
            return name + column_or_literal(scope, type == Type::Big ? Type::Int : type) +
                   ") OVER (" + partition + order + rows + ")";
        }
    }
    if (!numbers_rows_ && choices_.chance(30)) {
        numbers_rows_ = true;
        for (const Column &column : scope.columns) {
            order += ", " + column.name;
        }
        std::string value = column_or_literal({scope.columns, nullptr}, type);
        if (choices_.chance(25)) {
            return "nth_value(" + value + ", 2) OVER (" + partition + order +
                   " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW)";
        }
        return choices_.one_of({"lag(", "lead(", "first_value("}) + value + ") OVER (" + partition +
               order + ")";
    }
    std::string call;
    switch (type) {
    case Type::Bool:
        call = "bool_or(" + column_or_literal(scope, type) + ")";
        break;
    case Type::Uuid:
    case Type::Json:
    case Type::Bytes:
    case Type::Pair:
        call = "max((" + column_or_literal(scope, type) + ")::text)";
        return "(" + call + " OVER (" + partition + "))::" + type_name(type);
    case Type::Big:
        call =
            choices_.chance(50) ? "count(*)" : "sum(" + column_or_literal(scope, Type::Int) + ")";
        break;
    default:
        call = choices_.one_of({"max(", "min("}) + column_or_literal(scope, type) + ")";
    }
    if (choices_.chance(10)) {
        call += " FILTER (WHERE " + comparison(scope, 0) + ")";
    }
    return call + " OVER (" + partition + (choices_.chance(50) ? order : "") + ")";
}

} // namespace shardwise::random_queries
