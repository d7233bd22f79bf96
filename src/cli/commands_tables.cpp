// Tables: tables, keyspaces, ranges, locate, distribute, reference.
#include "cli/commands.hpp"

#include <iostream>

namespace shardwise::cli
{

namespace
{

struct TableOptions {
    std::string table;
    std::vector<std::string> key;
    std::string strategy = "hash";
    std::string colocate_with;
    std::vector<std::string> shards;
    std::vector<std::string> splits;
    std::string default_shard;
    int virtual_nodes = 150;
};

Parameter list_or_null(const std::vector<std::string> &values)
{
    return values.empty() ? std::nullopt : Parameter(array_literal(values));
}

Exit show_table(Context &context, const std::string &table)
{
    context.show("SELECT * FROM shardwise.tables WHERE relation = $1::regclass", {table});
    return Exit::Success;
}

void add_locate(Registry &registry)
{
    auto options = std::make_shared<TableOptions>();
    CLI::App *command = registry.add("locate", "Name the shard that owns a key");
    command->add_option("table", options->table, "Distributed table")->required();
    command->add_option("key", options->key, "Values of the key columns, in order")->required();
    registry.run(command, [&context = registry.context, options] {
        const std::string sql =
            "SELECT shardwise.locate($1::regclass, VARIADIC $2::text[]) AS shard";
        if (context.json) {
            context.show(sql, {options->table, array_literal(options->key)});
            return Exit::Success;
        }
        Rows rows = context.session().query(sql, {options->table, array_literal(options->key)});
        if (!rows.rows[0][0])
            throw Stop(Exit::Failure, "no shard owns the key");
        std::cout << *rows.rows[0][0] << '\n';
        return Exit::Success;
    });
}

void add_distribute(Registry &registry)
{
    auto options = std::make_shared<TableOptions>();
    CLI::App *command = registry.add("distribute", "Distribute a table over the shards by a key");
    command->add_option("table", options->table, "Table on the router")->required();
    command->add_option("key", options->key, "Key columns")->required();
    command->add_option("--strategy", options->strategy, "hash, consistent_hash, range or list")
        ->capture_default_str();
    command->add_option("--colocate-with", options->colocate_with,
                        "Share the keyspace of this table");
    command->add_option("--shards", options->shards, "Owners, in order (default: all)")
        ->delimiter(',');
    command->add_option("--splits", options->splits, "Split points (range) or keys (list)");
    command->add_option("--default-shard", options->default_shard,
                        "Owner of what no range or key names");
    command->add_option("--virtual-nodes", options->virtual_nodes, "Ring points of a shard")
        ->capture_default_str();
    registry.run(command, [&context = registry.context, options] {
        context.session().query(
            "SELECT shardwise.distribute_table($1::regclass, $2::text[], $3, "
            "nullif($4, '')::regclass, $5::text[], $6::int, $7::text[], nullif($8, ''))",
            {options->table, array_literal(options->key), options->strategy, options->colocate_with,
             list_or_null(options->shards), std::to_string(options->virtual_nodes),
             list_or_null(options->splits), options->default_shard});
        return show_table(context, options->table);
    });
}

} // namespace

void add_table_commands(Registry &registry)
{
    registry.add_show("tables", "List distributed and reference tables",
                      "SELECT * FROM shardwise.tables ORDER BY relation::text");
    registry.add_show("keyspaces", "List sets of tables that share a shard map",
                      "SELECT * FROM shardwise.keyspaces ORDER BY keyspace_id");

    auto options = std::make_shared<TableOptions>();
    CLI::App *ranges = registry.add("ranges", "List the ranges of shard maps, and pins");
    ranges->add_option("table", options->table, "Only the keyspace of this table");
    registry.run(ranges, [&context = registry.context, options] {
        context.show("SELECT r.keyspace_id, r.kind, r.position, r.lower, r.upper, r.shard "
                     "FROM shardwise.ranges r WHERE $1 = '' OR nullif($1, '')::regclass = "
                     "ANY (r.tables) ORDER BY r.keyspace_id, r.position, r.lower",
                     {options->table});
        return Exit::Success;
    });
    add_locate(registry);
    add_distribute(registry);

    CLI::App *reference = registry.add("reference", "Put a table whole on every shard");
    reference->add_option("table", options->table, "Table on the router")->required();
    registry.run(reference, [&context = registry.context, options] {
        context.session().query("SELECT shardwise.create_reference_table($1::regclass)",
                                {options->table});
        return show_table(context, options->table);
    });
}

} // namespace shardwise::cli
