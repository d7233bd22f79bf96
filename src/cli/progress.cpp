#include "cli/progress.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace shardwise::cli
{

namespace
{

// Where each state begins and ends on the bar.
struct Stage {
    const char *state;
    double begin;
    double end;
    const char *colour;
};

constexpr std::array<Stage, 12> stages = {{
    {"planned", 0, 0, "\033[90m"},
    {"copying", 0, 0.7, "\033[34m"},
    {"catching_up", 0.7, 0.7, "\033[36m"},
    {"verifying", 0.7, 0.97, "\033[35m"},
    {"verified", 0.97, 0.97, "\033[35m"},
    {"swapping", 0.98, 0.98, "\033[33m"},
    {"swapped", 1, 1, "\033[32m"},
    {"cleaning", 1, 1, "\033[32m"},
    {"done", 1, 1, "\033[32m"},
    {"failed", 0, 0, "\033[31m"},
    {"cancelled", 0, 0, "\033[90m"},
    {"rolled_back", 0, 0, "\033[90m"},
}};

const Stage &stage_of(const std::string &state)
{
    for (const Stage &stage : stages)
        if (state == stage.state)
            return stage;
    return stages[0];
}

double number(const Rows &rows, size_t row, const char *column)
{
    std::optional<std::string> value = rows.value(row, column);
    return value ? std::strtod(value->c_str(), nullptr) : -1;
}

// What there is to say about a state, in a few words.
std::string figures(const MoveProgress &move)
{
    std::string text;
    auto add = [&](const std::string &words) { text += (text.empty() ? "" : "  ") + words; };
    if (move.state == "copying" && move.rows_done >= 0) {
        add(short_count(move.rows_done) + "/" + short_count(move.rows_total) + " rows");
        if (move.rate > 0)
            add(short_bytes(move.rate) + "/s");
        if (move.eta_seconds >= 0)
            add("ETA " + short_duration(move.eta_seconds));
    } else if (move.state == "verifying" && move.verified_rows >= 0) {
        add(short_count(move.verified_rows) + " rows compared");
    } else if (move.state == "planned" && move.rows_total >= 0) {
        add("about " + short_count(move.rows_total) + " rows");
    } else if (move.verified_rows > 0 && stage_of(move.state).begin == 1) {
        add(short_count(move.verified_rows) + " rows verified");
    }
    if (move.lag_bytes > 0 && !has_settled(move))
        add("lag " + short_bytes(move.lag_bytes));
    if (move.write_block_ms >= 0 && stage_of(move.state).begin == 1) {
        std::array<char, 48> buffer;
        std::snprintf(buffer.data(), buffer.size(), "writes held %.1f ms", move.write_block_ms);
        add(buffer.data());
    }
    if (!move.throttled_by.empty())
        add("held back by " + move.throttled_by);
    if (move.retries > 0)
        add(short_count(move.retries) + (move.retries == 1 ? " retry" : " retries"));
    if (!move.error.empty() && (move.state == "failed" || move.retries > 0))
        add(move.error);
    return text;
}

std::string bar(double part, int cells, bool utf8)
{
    static constexpr std::array<const char *, 8> eighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    std::string text;
    int filled = static_cast<int>(part * cells * 8);
    int cell = 0;
    for (; cell < filled / 8; cell++)
        text += utf8 ? "█" : "#";
    if (utf8 && filled % 8 > 0 && cell < cells) {
        text += eighths[filled % 8];
        cell++;
    }
    for (; cell < cells; cell++)
        text += utf8 ? "░" : ".";
    return text;
}

std::string cut(const std::string &text, size_t width)
{
    std::string line = text.substr(0, text.find('\n'));
    size_t characters = 0;
    for (size_t i = 0; i < line.size(); i++) {
        bool starts = (static_cast<unsigned char>(line[i]) & 0xc0) != 0x80;
        if (starts && characters++ == width)
            return line.substr(0, i);
    }
    return line;
}

std::string percent(double part)
{
    std::array<char, 16> buffer;
    std::snprintf(buffer.data(), buffer.size(), "%3.0f %%", std::floor(part * 100));
    return buffer.data();
}

} // namespace

MoveProgress read_progress(const Rows &moves, size_t row)
{
    MoveProgress move;
    move.move_id = static_cast<int>(number(moves, row, "move_id"));
    move.state = moves.value(row, "state").value_or("");
    move.source = moves.value(row, "source").value_or("?");
    move.target = moves.value(row, "target").value_or("?");
    move.rows_total = number(moves, row, "rows_total");
    move.rows_done = number(moves, row, "rows_done");
    move.rate = number(moves, row, "rate");
    move.eta_seconds = number(moves, row, "eta_seconds");
    move.verified_rows = number(moves, row, "verified_rows");
    move.lag_bytes = number(moves, row, "lag_bytes");
    move.retries = number(moves, row, "retries");
    move.write_block_ms = number(moves, row, "write_block_ms");
    move.throttled_by = moves.value(row, "throttled_by").value_or("");
    move.error = moves.value(row, "error").value_or("");
    return move;
}

double done_part(const MoveProgress &move)
{
    const Stage &stage = stage_of(move.state);
    double total = std::fmax(move.rows_total, 1);
    double inside = move.state == "copying"     ? move.rows_done / total
                    : move.state == "verifying" ? move.verified_rows / total
                                                : 0;
    return stage.begin + (stage.end - stage.begin) * std::clamp(inside, 0.0, 1.0);
}

bool has_settled(const MoveProgress &move)
{
    return stage_of(move.state).begin == 1 || move.state == "failed" || move.state == "cancelled" ||
           move.state == "rolled_back";
}

std::string progress_line(const MoveProgress &move, const Terminal &terminal)
{
    const Stage &stage = stage_of(move.state);
    std::string way = move.source + (terminal.utf8 ? " → " : " -> ") + move.target;
    std::array<char, 32> head;
    std::snprintf(head.data(), head.size(), "%4d  ", move.move_id);
    std::array<char, 32> state;
    std::snprintf(state.data(), state.size(), "  %-11s  ", move.state.c_str());
    constexpr size_t name_width = 26;
    std::string start = cut(head.data() + way, name_width);
    start.append(name_width - std::min(name_width, width_of(start)), ' ');
    start += state.data();
    int cells = std::clamp(terminal.width - 84, 10, 30);
    double part = done_part(move);
    std::string coloured = bar(part, cells, terminal.utf8);
    if (terminal.colours)
        coloured = stage.colour + coloured + "\033[0m";
    int used = static_cast<int>(name_width) + 15 + cells + 9;
    std::string tail = cut(figures(move), static_cast<size_t>(std::max(terminal.width - used, 0)));
    return start + coloured + " " + percent(part) + (tail.empty() ? "" : "  " + tail);
}

std::string progress_text(const MoveProgress &move)
{
    std::string words = figures(move);
    return "move " + std::to_string(move.move_id) + " " + move.source + " -> " + move.target +
           ": " + move.state + " " + std::to_string(static_cast<int>(done_part(move) * 100)) +
           " %" + (words.empty() ? "" : ", " + words);
}

} // namespace shardwise::cli
