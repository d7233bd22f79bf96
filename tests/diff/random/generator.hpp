// The parts of a random SELECT. A scope is what an expression may refer to: the columns of its own
// FROM, and behind them those of the queries around it.
#pragma once

#include "query.hpp"

namespace shardwise::random_queries
{

using Key = std::vector<Column>;

struct Scope {
    std::vector<Column> columns;
    const Scope *outer = nullptr;
    std::vector<Key> keys = {};
    std::vector<std::string> rows = {}; // names of whole rows
};

struct Relation {
    std::string sql; // with its alias
    std::vector<Column> columns;
    std::vector<Key> keys = {}; // shard keys among the columns
    bool is_table = false;      // without joins
    std::vector<std::string> rows = {};
};

struct Select {
    std::string sql;
    std::vector<int> ordered;
    bool is_total_order = false;
};

class Generator
{
public:
    Generator(Choices &choices, const Schema &schema) : choices_(choices), schema_(schema) {}

    RandomQuery make();
    RandomQuery make_write();

private:
    struct Target {
        const Table *table;
        std::string alias;
        Scope scope;
    };
    struct Source {
        Relation rows;
        std::string match; // how a target's row finds them
        bool is_unique;
    };

    Choices &choices_;
    const Schema &schema_;
    std::vector<Relation> ctes_;     // without alias
    std::vector<Values> parameters_; // the values of each, for several executions
    bool uses_parameters_ = false;
    int aliases_ = 0;
    // Equal rows may be numbered either way; two such numbers in one row would show which.
    bool numbers_rows_ = false;
    // Numbers keep the scale that an aggregate gives them where equal ones need not be told apart.
    bool keeps_scale_ = false;

    std::string next_alias() { return "a" + std::to_string(++aliases_); }
    Type random_type();
    std::vector<Type> random_types(int most);

    // expressions.cpp
    std::string literal(Type type);
    std::string column_or_literal(const Scope &scope, Type type);
    std::string expression(const Scope &scope, Type type, int depth);
    std::string number(const Scope &scope, Type type, int depth);
    std::string size(const Scope &scope, int depth);
    std::string text(const Scope &scope, int depth);
    std::string time(const Scope &scope, int depth);
    std::string json(const Scope &scope, int depth);
    std::string array(const Scope &scope, int depth);
    std::string bytes(const Scope &scope, int depth);
    std::string case_expression(const Scope &scope, Type type, int depth);
    std::string scalar_subquery(const Scope &scope, Type type, int depth);
    std::string condition(const Scope &scope, int depth);
    std::string comparison(const Scope &scope, int depth);
    std::string key_condition(const std::vector<Key> &left, const std::vector<Key> &right);
    std::string subquery_condition(const Scope &scope, int depth);
    std::string row_comparison(const Scope &scope);
    std::string array_comparison(const Scope &scope, const std::string &left, Type type);
    std::string row_json(const Scope &scope);

    // aggregates.cpp
    std::string aggregate(const Scope &scope, Type type, bool keeps_scale = false);
    std::string aggregate_call(const Scope &scope, Type type, std::string *argument);
    std::string window(const Scope &scope, Type type);
    std::string frame(const Scope &scope, std::string *order);

    // relations.cpp
    Relation table(const std::string &alias);
    Relation subquery(const Scope *outer, int depth, bool is_lateral);
    Relation values_list();
    Relation function_call(const Scope *around);
    Relation series(const std::string &alias, const std::string &number);
    Relation keyed_subquery(const Scope *outer, int depth, bool is_lateral);
    Relation relation(const Scope *outer, int depth);
    std::string join_condition(const Relation &left, const Relation &right, const Scope &both,
                               bool equality_only);
    std::string join(Relation *left, const Scope *outer, int depth);
    Relation from_clause(const Scope *outer, int depth);
    Relation renamed(const Relation &join);
    std::string cte(int number);
    std::string recursive_cte(const std::string &name);
    std::string keyed_select(const std::vector<const Table *> &tables, Type type,
                             const Scope *outer, int depth);

    // selects.cpp
    Select select(const std::vector<Type> &types, const Scope *outer, int depth, bool may_cut);
    std::string rows_select(const std::vector<Type> &types, const Scope *outer, int depth);
    std::string grouped_select(const std::vector<Type> &types, const Scope *outer, int depth);
    std::string group_target(Type type, const std::vector<std::string> &keys);
    std::string group_clause(const std::vector<std::string> &keys);
    std::string having(const Scope &own, const Scope *outer);
    std::string distinct_on(const std::vector<Type> &types, const Scope *outer, int depth);
    std::string set_operation(const std::vector<Type> &types, const Scope *outer, int depth);
    std::string where(const Scope &scope, int depth);
    std::string parameter(const Values &values); // its number
    void number_parameters(RandomQuery *query);
    std::string each_row(const std::string &query, const std::string &change);
    void add_order(Select *select, size_t columns, bool may_cut);

    // writes.cpp; `table`: the target, or any; `types`: what RETURNING is asked for, or anything
    Target target(const Table *table);
    std::string key_literal(Type type);
    std::string assignments(const Table &table, const Scope &values, uint32_t key_percent);
    std::string returning(const Scope &scope, const std::vector<Type> *types);
    std::string returning_joined(const Target &target, const Source &source, const Scope &both,
                                 const std::vector<Type> *types);
    Source source(const Target &target);
    std::vector<Source> unique_tables(const Target &target);
    Source grouped_source(const Target &target);
    std::string update(const Table *table, const std::vector<Type> *types);
    std::string remove(const Table *table, const std::vector<Type> *types);
    std::vector<Column> inserted_columns(const Table &table);
    std::string value_rows(const Table &table, const std::vector<Column> &columns);
    std::string inserted_rows(const std::vector<Column> &columns, bool one_each);
    std::string on_conflict(const Target &target, bool *does_nothing);
    std::string insert(const Table *table, const std::vector<Type> *types);
    std::string matched_action(const Target &target, const Scope &both, bool may_free_keys);
    std::string unmatched_action(const Target &target, const Source &source);
    std::string merge();
    std::string any_write(const Table *table, const std::vector<Type> *types);
    std::string write_with();
    std::string called_write();
    std::string locking_select();
};

} // namespace shardwise::random_queries
