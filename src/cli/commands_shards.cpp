// Shards: shards, check-shard, add-shard, update-shard, remove-shard.
#include "cli/commands.hpp"

#include <iostream>

namespace shardwise::cli
{

namespace
{

struct ShardOptions {
    std::string name;
    std::string conninfo;
    std::optional<double> weight;
};

Parameter text_of(const std::optional<double> &number)
{
    return number ? Parameter(std::to_string(*number)) : std::nullopt;
}

Exit show_shard(Context &context, const std::string &name)
{
    context.show("SELECT * FROM shardwise.shards WHERE name = $1", {name});
    return Exit::Success;
}

void add_check_shard(Registry &registry)
{
    auto options = std::make_shared<ShardOptions>();
    CLI::App *command =
        registry.add("check-shard", "Tell whether a database can become a shard, and why not");
    command->add_option("conninfo", options->conninfo, "libpq connection string or URI, or a shard")
        ->required();
    registry.run(command, [&context = registry.context, options] {
        Rows checks = context.show("SELECT * FROM shardwise.check_shard($1)", {options->conninfo});
        for (size_t i = 0; i < checks.rows.size(); i++) {
            std::string ok = checks.value(i, "ok").value_or("f");
            if (ok != "t" && ok != "true")
                return Exit::Findings;
        }
        return Exit::Success;
    });
}

void add_add_shard(Registry &registry)
{
    auto options = std::make_shared<ShardOptions>();
    CLI::App *command = registry.add("add-shard", "Add a database as a shard");
    command->add_option("name", options->name, "Name of the shard")->required();
    command->add_option("conninfo", options->conninfo, "libpq connection string or URI")
        ->required();
    command->add_option("--weight", options->weight,
                        "Its share of the keys, against the others' 1");
    registry.run(command, [&context = registry.context, options] {
        context.session().query("SELECT shardwise.add_shard($1, $2, coalesce($3::float8, 1))",
                                {options->name, options->conninfo, text_of(options->weight)});
        return show_shard(context, options->name);
    });
}

void add_update_shard(Registry &registry)
{
    auto options = std::make_shared<ShardOptions>();
    CLI::App *command =
        registry.add("update-shard", "Change how a shard is reached, or its weight");
    command->add_option("name", options->name, "Name of the shard")->required();
    command->add_option("--conninfo", options->conninfo, "New libpq connection string or URI");
    command->add_option("--weight", options->weight, "New weight");
    registry.run(command, [&context = registry.context, options] {
        context.session().query("SELECT shardwise.update_shard($1, nullif($2, ''), $3::float8)",
                                {options->name, options->conninfo, text_of(options->weight)});
        return show_shard(context, options->name);
    });
}

void add_remove_shard(Registry &registry)
{
    auto options = std::make_shared<ShardOptions>();
    CLI::App *command =
        registry.add("remove-shard", "Remove a shard that owns no keys (see: plan remove-shard)");
    command->add_option("name", options->name, "Name of the shard")->required();
    registry.run(command, [&context = registry.context, options] {
        context.confirm("Remove shard \"" + options->name +
                        "\" with its copies of reference tables?");
        context.session().query("SELECT shardwise.remove_shard($1)", {options->name});
        if (context.json)
            print_json(std::cout, Json{{"removed", options->name}});
        else
            std::cout << "shard \"" << options->name << "\" is removed\n";
        return Exit::Success;
    });
}

} // namespace

void add_shard_commands(Registry &registry)
{
    CLI::App *list = registry.add("shards", "List the shards");
    registry.run(list, [&context = registry.context] {
        context.show("SELECT * FROM shardwise.shards ORDER BY shard_id");
        return Exit::Success;
    });
    add_check_shard(registry);
    add_add_shard(registry);
    add_update_shard(registry);
    add_remove_shard(registry);
}

} // namespace shardwise::cli
