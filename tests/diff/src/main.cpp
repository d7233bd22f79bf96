// shardwise_diff: runs statement files on a router and on one plain PostgreSQL server that holds
// the same rows, and reports every answer that differs. See README.md.
#include "database_state.hpp"
#include "file_runner.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>

namespace shardwise::diff
{

namespace
{

struct Options {
    std::string router, plain, schema;
    std::vector<std::string> shards, modes, files;
    bool self_test = false, verbose = false;
};

bool is_chosen(const Options &options, const Mode &mode)
{
    return options.modes.empty() ||
           std::find(options.modes.begin(), options.modes.end(), mode.name) != options.modes.end();
}

void run_file(const StatementFile &file, const Mode &mode, const Options &options, Server &router,
              Server &plain, DatabaseState &state, Report &report)
{
    state.restore();
    {
        FileRunner runner(router, plain, options.self_test, mode, report);
        runner.run(file, Section::Setup);
        runner.run(file, Section::Test);
    }
    report.add(file.path + " [" + mode.name + "]", "the rows of all tables afterwards",
               options.self_test ? unexpected(state.differences(), file.rows_difference)
                                 : state.differences());
    FileRunner(router, plain, options.self_test, mode, report).run(file, Section::Teardown);
    router.forget_types();
    plain.forget_types();
}

int run(const Options &options)
{
    Report report(options.verbose);
    Server router(options.router, "router"), plain(options.plain, "plain");
    std::map<std::string, Server> shards;
    for (const std::string &shard : options.shards) {
        size_t equals = shard.find('=');
        std::string name = shard.substr(0, equals);
        shards.emplace(name, Server(shard.substr(equals + 1), "shard " + name));
    }
    if (!options.schema.empty()) {
        FileRunner runner(router, plain, options.self_test, all_modes()[0], report);
        runner.run(read_statement_file(options.schema), Section::Setup);
        if (report.failed() > 0) {
            return 1;
        }
    }
    DatabaseState state(router, plain, shards);
    state.save();
    for (const std::string &path : options.files) {
        StatementFile file = read_statement_file(path);
        int failed_before = report.failed();
        for (const Mode &mode : all_modes()) {
            if (is_chosen(options, mode)) {
                run_file(file, mode, options, router, plain, state, report);
            }
        }
        report.print_file(path, failed_before);
    }
    report.print_summary();
    return report.failed() > 0 ? 1 : 0;
}

} // namespace

} // namespace shardwise::diff

int main(int argc, char **argv)
{
    using namespace shardwise::diff;
    Options options;
    CLI::App app{"Compares a router with a plain PostgreSQL server, statement by statement."};
    app.add_option("--router", options.router, "connection string of the router")->required();
    app.add_option("--plain", options.plain, "connection string of the plain server")->required();
    app.add_option("--shard", options.shards, "NAME=CONNINFO, once for each shard")
        ->allow_extra_args(false);
    app.add_option("--schema", options.schema, "file whose setup section makes tables and rows");
    app.add_option("--mode", options.modes, "run these modes only")->allow_extra_args(false);
    app.add_flag("--self-test", options.self_test, "honour expect-difference");
    app.add_flag("--verbose", options.verbose, "list what agrees, too");
    app.add_option("files", options.files, "statement files")->required();
    CLI11_PARSE(app, argc, argv);
    try {
        return run(options);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "shardwise_diff: %s\n", error.what());
        return 2;
    }
}
