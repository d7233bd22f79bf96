#include "cli/watch.hpp"
#include "cli/progress.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <thread>

namespace shardwise::cli
{

namespace
{

using Clock = std::chrono::steady_clock;

constexpr const char *moves_sql =
    "SELECT m.*, extract(epoch FROM m.eta)::float8 AS eta_seconds FROM shardwise.moves m "
    "WHERE m.plan_id = $1::int ORDER BY m.position";

// Seconds after which a failed plan counts as failed although something else was asked of it.
constexpr double patience = 60;

// True if the plan stays in its state, for `seconds` now, until its operator says something. What
// was asked of it last may still be under way.
bool needs_operator(const std::string &state, const std::string &wanted, double seconds)
{
    if (state == "done" || state == "cancelled" || state == "rolled_back")
        return true;
    if (state == "failed" && seconds > patience)
        return true;
    if (state == "swapped" || state == "paused" || state == "failed")
        return wanted != "rollback" && wanted != "finish" && wanted != "cancel";
    return false;
}

// A plan with an error has failed, or could not be rolled back.
Exit exit_of(const std::string &state, bool has_error)
{
    return state == "failed" || (state == "swapped" && has_error) ? Exit::Findings : Exit::Success;
}

// A live picture: each frame is drawn over the last one.
class Screen
{
public:
    explicit Screen(const Terminal &terminal) : terminal(terminal) {}

    void draw(int plan, const std::string &state, const std::vector<MoveProgress> &moves)
    {
        std::vector<std::string> lines = {title(plan, state, moves)};
        for (const MoveProgress &move : visible(moves))
            lines.push_back(progress_line(move, terminal));
        if (moves.size() + 1 > lines.size())
            lines.push_back("      and " + std::to_string(moves.size() + 1 - lines.size()) +
                            " more");
        if (drawn > 0)
            std::cout << "\033[" << drawn << "A";
        for (const std::string &line : lines)
            std::cout << "\r\033[K" << line << '\n';
        for (size_t i = lines.size(); i < drawn; i++)
            std::cout << "\r\033[K\n";
        drawn = std::max(drawn, lines.size());
        std::cout << std::flush;
    }

private:
    std::string title(int plan, const std::string &state, const std::vector<MoveProgress> &moves)
    {
        double rows = 0, done = 0, rate = 0, eta = -1;
        size_t settled = 0;
        for (const MoveProgress &move : moves) {
            double weight = std::max(move.rows_total, 1.0);
            rows += weight;
            done += weight * done_part(move);
            rate += move.state == "copying" ? std::max(move.rate, 0.0) : 0;
            eta = std::max(eta, move.eta_seconds);
            settled += has_settled(move);
        }
        std::string text =
            "plan " + std::to_string(plan) + "  " + state + "  " + std::to_string(settled) + "/" +
            std::to_string(moves.size()) + " moves  " +
            std::to_string(static_cast<int>(rows > 0 ? 100 * done / rows : 100)) + " %";
        if (rate > 0)
            text += "  " + short_bytes(rate) + "/s";
        if (eta >= 0)
            text += "  copies end in " + short_duration(eta);
        return terminal.colours ? "\033[1m" + text + "\033[0m" : text;
    }

    // What fits: moves under way first, in their order.
    std::vector<MoveProgress> visible(const std::vector<MoveProgress> &moves) const
    {
        size_t room = static_cast<size_t>(std::max(terminal.height - 4, 3));
        if (moves.size() <= room)
            return moves;
        auto rank = [](const MoveProgress &move) {
            return move.state == "planned"                       ? 1
                   : has_settled(move) && move.state != "failed" ? 2
                                                                 : 0;
        };
        std::vector<MoveProgress> chosen = moves;
        std::stable_sort(chosen.begin(), chosen.end(),
                         [&](const auto &a, const auto &b) { return rank(a) < rank(b); });
        chosen.resize(room);
        std::sort(chosen.begin(), chosen.end(),
                  [](const auto &a, const auto &b) { return a.move_id < b.move_id; });
        return chosen;
    }

    Terminal terminal;
    size_t drawn = 0;
};

// Plain lines: a change of state at once, anything else now and then.
class Log
{
public:
    void write(int plan, const std::string &state, const std::vector<MoveProgress> &moves)
    {
        bool due = Clock::now() - last > std::chrono::seconds(10);
        for (const MoveProgress &move : moves) {
            std::string &known = states[move.move_id];
            if (known != move.state || (due && !has_settled(move) && move.state != "planned"))
                std::cout << progress_text(move) << std::endl;
            known = move.state;
        }
        if (due)
            last = Clock::now();
        if (plan_state != state)
            std::cout << "plan " << plan << ": " << state << std::endl;
        plan_state = state;
    }

private:
    Clock::time_point last = Clock::now();
    std::map<int, std::string> states;
    std::string plan_state;
};

} // namespace

Exit watch_plan(Context &context, int plan, const WatchOptions &options)
{
    const std::string number = std::to_string(plan);
    Terminal terminal = standard_output();
    Screen screen(terminal);
    Log log;
    Clock::time_point start = Clock::now(), since = start;
    std::string last_state;
    while (true) {
        Rows found = context.session().query(
            "SELECT state, error, wanted FROM shardwise.plan WHERE plan_id = $1::int", {number});
        if (found.rows.empty())
            throw Stop(Exit::Failure, "plan " + number + " does not exist");
        std::string state = found.value(0, "state").value_or("");
        if (context.json) {
            Json moves = context.session().query_json(moves_sql, {number});
            std::cout << Json{{"plan_id", plan}, {"state", state}, {"moves", moves}}.dump()
                      << std::endl;
        } else {
            Rows rows = context.session().query(moves_sql, {number});
            std::vector<MoveProgress> moves;
            for (size_t i = 0; i < rows.rows.size(); i++)
                moves.push_back(read_progress(rows, i));
            if (terminal.is_terminal)
                screen.draw(plan, state, moves);
            else
                log.write(plan, state, moves);
        }
        if (state != last_state)
            since = Clock::now();
        last_state = state;
        std::chrono::duration<double> unchanged = Clock::now() - since;
        if (needs_operator(state, found.value(0, "wanted").value_or(""), unchanged.count())) {
            std::optional<std::string> error = found.value(0, "error");
            if (error && !context.json)
                std::cerr << "plan " << plan << ": " << *error << '\n';
            return exit_of(state, error.has_value());
        }
        std::chrono::duration<double> spent = Clock::now() - start;
        if (options.timeout > 0 && spent.count() >= options.timeout)
            return Exit::Timeout;
        std::this_thread::sleep_for(std::chrono::duration<double>(options.interval));
    }
}

} // namespace shardwise::cli
