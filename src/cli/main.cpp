// shardctl: shards, tables and moves from the shell.
#include "cli/commands.hpp"

#include <clocale>
#include <iostream>

using namespace shardwise::cli;

namespace
{

void add_shared_options(CLI::App &app, Context &context)
{
    app.add_option("-d,--dsn", context.dsn,
                   "Connection string or URI of the router; libpq's environment variables "
                   "(PGHOST, PGPORT, PGDATABASE, PGUSER, ...) say what it leaves out")
        ->type_name("CONNINFO");
    app.add_flag("-j,--json", context.json, "Print JSON");
    app.add_flag("-y,--yes", context.yes, "Do not ask before something is taken away");
    app.set_version_flag("--version", "shardctl (shardwise) 0.1");
    app.require_subcommand(0, 1);
    app.footer("Exit status: 0 success, 1 the router refused, 2 wrong usage, 3 no connection, 4 "
               "errors found or plan failed, 5 timeout. See shardctl(1).");
}

int status_of(Exit exit)
{
    return static_cast<int>(exit);
}

} // namespace

int main(int argc, char **argv)
{
    std::setlocale(LC_CTYPE, "");
    CLI::App app("Operates a shardwise router: shards, tables, and moving data between shards.",
                 "shardctl");
    Context context;
    Action chosen;
    Registry registry{app, context, chosen};
    add_shared_options(app, context);
    add_shard_commands(registry);
    add_table_commands(registry);
    add_plan_commands(registry);
    add_run_commands(registry);
    add_status_commands(registry);

    try {
        app.parse(argc, argv);
        if (chosen)
            return status_of(chosen());
        std::cerr << app.help();
        return status_of(Exit::Usage);
    } catch (const CLI::ParseError &error) {
        return app.exit(error) == 0 ? status_of(Exit::Success) : status_of(Exit::Usage);
    } catch (const Stop &stop) {
        std::cerr << "shardctl: " << stop.what() << '\n';
        return status_of(stop.status);
    } catch (const std::exception &error) {
        std::cerr << "shardctl: " << error.what() << '\n';
        return status_of(Exit::Failure);
    }
}
