// Running plans: start, wait, watch, pause, resume, cancel, rollback, finish, moves, events,
// verify.
#include "cli/watch.hpp"

#include <iostream>

namespace shardwise::cli
{

namespace
{

struct RunOptions {
    int plan = 0;
    int move = 0;
    std::string table;
    std::string verification = "full";
    std::string on_mismatch;
    bool watch = false;
    WatchOptions watching;
};

Exit show_plan_state(Context &context, int plan)
{
    context.show("SELECT plan_id, description, state, moves, moves_swapped, error "
                 "FROM shardwise.plans WHERE plan_id = $1::int",
                 {std::to_string(plan)});
    return Exit::Success;
}

CLI::App *plan_command(Registry &registry, const std::shared_ptr<RunOptions> &options,
                       const char *name, const char *description)
{
    CLI::App *command = registry.add(name, description);
    command->add_option("plan", options->plan, "Number of the plan")->required();
    return command;
}

void add_watch_options(CLI::App *command, const std::shared_ptr<RunOptions> &options)
{
    command->add_option("--interval", options->watching.interval, "Seconds between two looks")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_option("--timeout", options->watching.timeout, "Seconds after which to give up");
}

// A command that tells a plan to do something, and may stay to watch.
void add_order(Registry &registry, const char *name, const char *description, const char *sql,
               const char *question)
{
    auto options = std::make_shared<RunOptions>();
    CLI::App *command = plan_command(registry, options, name, description);
    command->add_flag("-w,--watch", options->watch, "Stay and watch");
    add_watch_options(command, options);
    registry.run(command, [&context = registry.context, options, sql, question] {
        if (question)
            context.confirm(question);
        context.session().query(sql, {std::to_string(options->plan)});
        return options->watch ? watch_plan(context, options->plan, options->watching)
                              : show_plan_state(context, options->plan);
    });
}

void add_start_and_resume(Registry &registry)
{
    Context &context = registry.context;
    auto options = std::make_shared<RunOptions>();
    CLI::App *start = plan_command(registry, options, "start", "Start a plan");
    start->add_option("--verification", options->verification, "full, sampled or none")
        ->capture_default_str();
    start->add_flag("-w,--watch", options->watch, "Stay and watch");
    add_watch_options(start, options);
    registry.run(start, [&context, options] {
        if (options->verification == "none")
            context.confirm("Start without any verification of the moved rows?");
        context.session().query("SELECT shardwise.start_plan($1::int, $2)",
                                {std::to_string(options->plan), options->verification});
        return options->watch ? watch_plan(context, options->plan, options->watching)
                              : show_plan_state(context, options->plan);
    });

    CLI::App *resume =
        plan_command(registry, options, "resume", "Go on with a plan that was paused or failed");
    resume->add_option("--on-mismatch", options->on_mismatch,
                       "What to do about rows that differ: stop, repair or force");
    resume->add_flag("-w,--watch", options->watch, "Stay and watch");
    add_watch_options(resume, options);
    registry.run(resume, [&context, options] {
        if (options->on_mismatch == "force")
            context.confirm("Swap in spite of rows that differ?");
        context.session().query("SELECT shardwise.resume_plan($1::int, nullif($2, ''))",
                                {std::to_string(options->plan), options->on_mismatch});
        return options->watch ? watch_plan(context, options->plan, options->watching)
                              : show_plan_state(context, options->plan);
    });
}

// Shows rows of a plan; of one that does not exist there are none, which is no answer.
Exit show_of_plan(Context &context, const RunOptions &options, const std::string &sql)
{
    const std::vector<Parameter> number = {std::to_string(options.plan)};
    (void)context.session().query("SELECT shardwise.require_plan($1::int)", number);
    context.show(sql, number);
    return Exit::Success;
}

// Verifications return counts of rows that are not what they should be.
Exit verify(Context &context, const RunOptions &options)
{
    Rows found =
        options.move > 0
            ? context.show("SELECT * FROM shardwise.verify_move($1::int)",
                           {std::to_string(options.move)})
            : context.show("SELECT * FROM shardwise.verify_table($1::regclass)", {options.table});
    for (size_t i = 0; i < found.rows.size(); i++)
        for (const char *column : {"mismatched", "missing", "extra", "misplaced"})
            if (found.value(i, column).value_or("0") != "0")
                return Exit::Findings;
    return Exit::Success;
}

void add_looks(Registry &registry)
{
    Context &context = registry.context;
    auto options = std::make_shared<RunOptions>();
    CLI::App *watch = plan_command(registry, options, "watch", "Watch a plan while it runs");
    add_watch_options(watch, options);
    registry.run(watch, [&context, options] {
        return watch_plan(context, options->plan, options->watching);
    });

    CLI::App *moves = plan_command(registry, options, "moves", "List a plan's moves in full");
    registry.run(moves, [&context, options] {
        return show_of_plan(
            context, *options,
            "SELECT * FROM shardwise.moves WHERE plan_id = $1::int ORDER BY position");
    });

    CLI::App *events = plan_command(registry, options, "events", "List what happened to a plan");
    registry.run(events, [&context, options] {
        return show_of_plan(
            context, *options,
            "SELECT * FROM shardwise.move_events WHERE plan_id = $1::int ORDER BY event_id");
    });

    CLI::App *verification =
        registry.add("verify", "Compare what shards hold with what they should hold");
    auto *table = verification->add_option("table", options->table, "Distributed table");
    verification->add_option("--move", options->move, "A move, by its number")->excludes(table);
    registry.run(verification, [&context, options] {
        if (options->table.empty() && options->move == 0)
            throw Stop(Exit::Usage, "Name a table, or a move with --move.");
        return verify(context, *options);
    });
}

} // namespace

void add_run_commands(Registry &registry)
{
    add_start_and_resume(registry);
    add_order(registry, "pause", "Stop a plan after the step that is under way",
              "SELECT shardwise.pause_plan($1::int)", nullptr);
    add_order(registry, "cancel", "Undo the moves of a plan that have not swapped",
              "SELECT shardwise.cancel_plan($1::int)",
              "Cancel the plan? What it has copied is deleted on the targets.");
    add_order(registry, "rollback", "Undo a plan, with all writes since it swapped",
              "SELECT shardwise.rollback_plan($1::int)",
              "Roll the plan back? Its ranges go back to their sources.");
    add_order(registry, "finish", "Give up the way back: delete the sources' rows",
              "SELECT shardwise.finish_plan($1::int)",
              "Finish the plan? It cannot be rolled back after that.");
    add_looks(registry);
}

} // namespace shardwise::cli
