#include "cli/commands.hpp"

#include <iostream>
#include <unistd.h>

namespace shardwise::cli
{

Session &Context::session()
{
    if (!connected)
        connected = std::make_unique<Session>(dsn);
    return *connected;
}

Rows Context::show(const std::string &sql, const std::vector<Parameter> &parameters)
{
    if (!json) {
        Rows rows = session().query(sql, parameters);
        print_table(std::cout, rows, standard_output());
        return rows;
    }
    Json result = session().query_json(sql, parameters);
    print_json(std::cout, result);
    Rows rows; // only as many as there are: callers look at values by way of JSON's text
    if (!result.empty())
        for (const auto &entry : result[0].items())
            rows.columns.push_back({entry.key(), entry.value().is_number()});
    for (const Json &object : result) {
        auto &values = rows.rows.emplace_back();
        for (const auto &entry : object.items())
            values.push_back(entry.value().is_null() ? std::nullopt
                             : entry.value().is_string()
                                 ? std::optional(entry.value().get<std::string>())
                                 : std::optional(entry.value().dump()));
    }
    return rows;
}

void Context::confirm(const std::string &question)
{
    if (yes)
        return;
    if (!isatty(STDIN_FILENO))
        throw Stop(Exit::Usage, question + " Say --yes to confirm.");
    std::cerr << question << " [y/N] " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != "y" && answer != "Y" && answer != "yes")
        throw Stop(Exit::Usage, "Nothing was done.");
}

CLI::App *Registry::add(const std::string &name, const std::string &description, CLI::App *parent)
{
    CLI::App *command = (parent ? parent : &app)->add_subcommand(name, description);
    command->fallthrough(); // --json and the like may follow the command
    return command;
}

void Registry::run(CLI::App *command, Action action)
{
    command->callback([this, action = std::move(action)] { chosen = action; });
}

void Registry::add_show(const char *name, const char *description, const char *sql)
{
    run(add(name, description), [this, sql] {
        context.show(sql);
        return Exit::Success;
    });
}

} // namespace shardwise::cli
