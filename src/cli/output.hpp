// What shardctl prints: tables for people, JSON for programs.
#pragma once

#include "cli/rows.hpp"

#include <iosfwd>
#include <string>

namespace shardwise::cli
{

// What a terminal can show. Colours follow NO_COLOR and TERM=dumb.
struct Terminal {
    bool is_terminal;
    bool colours;
    bool utf8;
    int width;
    int height;
};
Terminal standard_output();

// Counts characters, not bytes, of UTF-8 text.
size_t width_of(const std::string &text);

// 1234567 -> "1.2M"; bytes: 1536 -> "1.5 kB".
std::string short_count(double count);
std::string short_bytes(double bytes);

// 3725 -> "1h02m", 65 -> "1m05s", 4 -> "4s".
std::string short_duration(double seconds);

// Prints an aligned table, numbers to the right; columns whose name ends in "bytes" as sizes. An
// empty one says so.
void print_table(std::ostream &out, const Rows &rows, const Terminal &terminal);

void print_json(std::ostream &out, const Json &json);

} // namespace shardwise::cli
