// Plans: plan, plans, show, validate, balance.
#include "cli/commands.hpp"

#include <iostream>

namespace shardwise::cli
{

namespace
{

struct PlanOptions {
    int plan = 0;
    std::string shard;
    std::string table;
    std::string target;
    std::string lower;
    std::string upper;
    std::vector<std::string> key;
    std::string strategy = "minimize_movement";
    std::string by = "bytes";
    double threshold = 0.3;
};

constexpr const char *show_plan_sql =
    "SELECT move_id, position, array_to_string(tables, ', ') AS tables, ranges, source, target, "
    "rows, bytes, duration FROM shardwise.show_plan($1::int)";

// Makes a plan and shows it.
Exit make_plan(Context &context, const std::string &sql, const std::vector<Parameter> &parameters)
{
    Rows made = context.session().query(sql, parameters);
    std::string plan = made.rows[0][0].value_or("0");
    if (context.json) {
        Json moves = context.session().query_json(show_plan_sql, {plan});
        print_json(std::cout, Json{{"plan_id", std::stoi(plan)}, {"moves", moves}});
        return Exit::Success;
    }
    std::cout << "plan " << plan << '\n';
    Rows moves = context.session().query(show_plan_sql, {plan});
    print_table(std::cout, moves, standard_output());
    if (!moves.rows.empty())
        std::cout << "\nNothing moves yet. Next: shardctl validate " << plan << "; shardctl start "
                  << plan << " --watch\n";
    return Exit::Success;
}

void add_make_commands(Registry &registry)
{
    Context &context = registry.context;
    CLI::App *plan = registry.add("plan", "Make a plan: what would move (nothing does yet)");
    plan->require_subcommand(1);

    auto options = std::make_shared<PlanOptions>();
    CLI::App *add = registry.add("add-shard", "Give a new shard its share", plan);
    add->add_option("name", options->shard, "Shard that owns nothing")->required();
    registry.run(add, [&context, options] {
        return make_plan(context, "SELECT shardwise.plan_add_shard($1)", {options->shard});
    });

    CLI::App *remove = registry.add("remove-shard", "Take everything off a shard", plan);
    remove->add_option("name", options->shard, "Shard to drain")->required();
    registry.run(remove, [&context, options] {
        return make_plan(context, "SELECT shardwise.plan_remove_shard($1)", {options->shard});
    });

    CLI::App *rebalance = registry.add("rebalance", "Even the shards out", plan);
    rebalance->add_option("table", options->table, "Only the keyspace of this table");
    rebalance->add_option("--strategy", options->strategy, "minimize_movement or uniform")
        ->capture_default_str();
    rebalance->add_option("--by", options->by, "bytes or rows")->capture_default_str();
    rebalance
        ->add_option("--threshold", options->threshold,
                     "Part of its share by which a shard may be off")
        ->capture_default_str();
    registry.run(rebalance, [&context, options] {
        return make_plan(
            context,
            "SELECT shardwise.plan_rebalance(nullif($1, '')::regclass, $2, $3, $4::float8)",
            {options->table, options->strategy, options->by, std::to_string(options->threshold)});
    });

    CLI::App *range = registry.add("move-range", "Move a range to a shard", plan);
    range->add_option("table", options->table, "Distributed table")->required();
    range->add_option("lower", options->lower, "Inclusive: a hash or key, or MINVALUE")->required();
    range->add_option("upper", options->upper, "Exclusive: a hash or key, or MAXVALUE")->required();
    range->add_option("target", options->target, "Shard")->required();
    registry.run(range, [&context, options] {
        return make_plan(context, "SELECT shardwise.plan_move_range($1::regclass, $2, $3, $4)",
                         {options->table, options->lower, options->upper, options->target});
    });

    CLI::App *key = registry.add("move-key", "Move one key to a shard and pin it there", plan);
    key->add_option("table", options->table, "Distributed table")->required();
    key->add_option("target", options->target, "Shard")->required();
    key->add_option("key", options->key, "Values of the key columns, in order")->required();
    registry.run(key, [&context, options] {
        return make_plan(context,
                         "SELECT shardwise.plan_move_key($1::regclass, $2, VARIADIC $3::text[])",
                         {options->table, options->target, array_literal(options->key)});
    });
}

} // namespace

void add_plan_commands(Registry &registry)
{
    Context &context = registry.context;
    add_make_commands(registry);

    CLI::App *plans = registry.add("plans", "List the plans");
    registry.run(plans, [&context] {
        context.show(context.json
                         ? "SELECT * FROM shardwise.plans ORDER BY plan_id"
                         : "SELECT plan_id, description, state, moves, moves_swapped AS swapped, "
                           "estimated_rows AS rows, estimated_bytes AS bytes, "
                           "estimated_duration AS duration, error FROM shardwise.plans "
                           "ORDER BY plan_id");
        return Exit::Success;
    });

    auto options = std::make_shared<PlanOptions>();
    CLI::App *show = registry.add("show", "Show what a plan does: the dry run");
    show->add_option("plan", options->plan, "Number of the plan")->required();
    registry.run(show, [&context, options] {
        context.show(show_plan_sql, {std::to_string(options->plan)});
        return Exit::Success;
    });

    CLI::App *validate = registry.add("validate", "Find what would keep a plan from running");
    validate->add_option("plan", options->plan, "Number of the plan")->required();
    registry.run(validate, [&context, options] {
        Rows found = context.show("SELECT * FROM shardwise.validate_plan($1::int)",
                                  {std::to_string(options->plan)});
        for (size_t i = 0; i < found.rows.size(); i++)
            if (found.value(i, "severity") == "error")
                return Exit::Findings;
        return Exit::Success;
    });

    CLI::App *balance = registry.add("balance", "Show what each shard has of each keyspace");
    registry.run(balance, [&context] {
        context.show("SELECT keyspace_id, array_to_string(tables, ', ') AS tables, shard, rows, "
                     "bytes, share, fair_share, hint FROM shardwise.balance "
                     "ORDER BY keyspace_id, shard");
        return Exit::Success;
    });
}

} // namespace shardwise::cli
