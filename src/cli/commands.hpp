// The commands of shardctl: each registers itself with its options.
#pragma once

#include "cli/output.hpp"
#include "cli/session.hpp"

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace shardwise::cli
{

// What all commands share.
class Context
{
public:
    std::string dsn;
    bool json = false;
    bool yes = false;

    // Connects on first use.
    Session &session();

    // Prints what a query returns, as a table or JSON. Returns the rows.
    Rows show(const std::string &sql, const std::vector<Parameter> &parameters = {});

    // Asks before something is taken away; --yes answers. Throws Stop(Usage) without an answer.
    void confirm(const std::string &question);

private:
    std::unique_ptr<Session> connected;
};

// A command under way: its function, which the option parser calls.
using Action = std::function<Exit()>;

// Adds commands; `chosen` is set to the action of the one that is given.
struct Registry {
    CLI::App &app;
    Context &context;
    Action &chosen;

    // Adds a command, below another one if `parent` is given.
    CLI::App *add(const std::string &name, const std::string &description,
                  CLI::App *parent = nullptr);

    // Lets a command run `action`.
    void run(CLI::App *command, Action action);

    // Adds a command that shows what a query returns. `sql` outlives the registry.
    void add_show(const char *name, const char *description, const char *sql);
};

void add_shard_commands(Registry &registry);
void add_table_commands(Registry &registry);
void add_plan_commands(Registry &registry);
void add_run_commands(Registry &registry);
void add_status_commands(Registry &registry);

} // namespace shardwise::cli
