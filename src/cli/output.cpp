#include "cli/output.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ostream>
#include <sys/ioctl.h>
#include <unistd.h>

namespace shardwise::cli
{

namespace
{

bool ends_with(const std::string &text, const std::string &end)
{
    return text.size() >= end.size() &&
           text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// A wide cell would push the others off the screen; the last one may be as long as it is.
constexpr size_t widest_cell = 56;

std::string shortened(const std::string &text)
{
    if (width_of(text) <= widest_cell)
        return text;
    size_t characters = 0, end = 0;
    while (end < text.size() && characters < widest_cell - 3) {
        end++;
        while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
            end++;
        characters++;
    }
    return text.substr(0, end) + "...";
}

std::string shown(const Rows::Column &column, const std::optional<std::string> &value)
{
    if (!value)
        return "";
    if (column.is_number && ends_with(column.name, "bytes"))
        return short_bytes(std::strtod(value->c_str(), nullptr));
    return *value;
}

std::string padded(const std::string &text, size_t width, bool right)
{
    std::string padding(width - std::min(width, width_of(text)), ' ');
    return right ? padding + text : text + padding;
}

std::string formatted(const char *format, double value, const char *unit)
{
    std::array<char, 64> buffer;
    std::snprintf(buffer.data(), buffer.size(), format, value, unit);
    return buffer.data();
}

bool locale_is_utf8()
{
    for (const char *name : {"LC_ALL", "LC_CTYPE", "LANG"})
        if (const char *value = std::getenv(name); value && *value)
            return std::strstr(value, "UTF-8") || std::strstr(value, "utf8");
    return false;
}

} // namespace

size_t width_of(const std::string &text)
{
    return static_cast<size_t>(std::count_if(
        text.begin(), text.end(), [](unsigned char byte) { return (byte & 0xc0) != 0x80; }));
}

std::optional<std::string> Rows::value(size_t row, const std::string &column) const
{
    for (size_t i = 0; i < columns.size(); i++)
        if (columns[i].name == column)
            return rows.at(row).at(i);
    return std::nullopt;
}

Terminal standard_output()
{
    Terminal terminal = {isatty(STDOUT_FILENO) != 0, false, locale_is_utf8(), 80, 24};
    const char *type = std::getenv("TERM");
    bool dumb = !type || std::strcmp(type, "dumb") == 0;
    if (dumb)
        terminal.is_terminal = false;
    terminal.colours = terminal.is_terminal && !std::getenv("NO_COLOR");
    winsize size = {};
    if (terminal.is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        terminal.width = size.ws_col;
        terminal.height = size.ws_row;
    }
    return terminal;
}

std::string short_count(double count)
{
    static constexpr std::array<const char *, 5> units = {"", "k", "M", "G", "T"};
    size_t unit = 0;
    for (; count >= 999.5 && unit + 1 < units.size(); unit++)
        count /= 1000;
    return formatted(unit > 0 && count < 9.95 ? "%.1f%s" : "%.0f%s", count, units[unit]);
}

std::string short_bytes(double bytes)
{
    static constexpr std::array<const char *, 6> units = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    for (; bytes >= 999.5 && unit + 1 < units.size(); unit++)
        bytes /= 1024;
    return formatted(unit > 0 && bytes < 9.95 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

std::string short_duration(double seconds)
{
    auto whole = static_cast<long>(seconds + 0.5);
    std::array<char, 64> buffer;
    if (whole >= 3600)
        std::snprintf(buffer.data(), buffer.size(), "%ldh%02ldm", whole / 3600, whole / 60 % 60);
    else if (whole >= 60)
        std::snprintf(buffer.data(), buffer.size(), "%ldm%02lds", whole / 60, whole % 60);
    else
        std::snprintf(buffer.data(), buffer.size(), "%lds", whole);
    return buffer.data();
}

void print_table(std::ostream &out, const Rows &rows, const Terminal &terminal)
{
    if (rows.rows.empty()) {
        out << "(none)\n";
        return;
    }
    auto cell = [&](const auto &row, size_t i) {
        std::string text = shown(rows.columns[i], row[i]);
        return i + 1 < rows.columns.size() ? shortened(text) : text;
    };
    std::vector<size_t> widths;
    for (size_t i = 0; i < rows.columns.size(); i++) {
        size_t width = width_of(rows.columns[i].name);
        for (const auto &row : rows.rows)
            width = std::max(width, width_of(cell(row, i)));
        widths.push_back(width);
    }
    auto print_line = [&](auto &&text_of) {
        std::string line;
        for (size_t i = 0; i < widths.size(); i++)
            line += (i > 0 ? "  " : "") + padded(text_of(i), widths[i], rows.columns[i].is_number);
        line.erase(line.find_last_not_of(' ') + 1);
        return line;
    };
    std::string header = print_line([&](size_t i) { return rows.columns[i].name; });
    out << (terminal.colours ? "\033[1m" + header + "\033[0m" : header) << '\n';
    for (const auto &row : rows.rows)
        out << print_line([&](size_t i) { return cell(row, i); }) << '\n';
}

void print_json(std::ostream &out, const Json &json)
{
    out << json.dump(2) << '\n';
}

} // namespace shardwise::cli
