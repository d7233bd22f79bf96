#include "report.hpp"

#include "sql_scanner.hpp"

#include <cstdio>

namespace shardwise::diff
{

std::vector<std::string> unexpected(std::vector<std::string> differences,
                                    const std::optional<std::string> &expected)
{
    if (!expected) {
        return differences;
    }
    for (const std::string &difference : differences) {
        if (difference.find(*expected) != std::string::npos) {
            return {};
        }
    }
    differences.push_back("expected to find the difference: " + *expected);
    return differences;
}

void Report::add(const std::string &subject, const std::string &sql,
                 const std::vector<std::string> &differences)
{
    if (differences.empty()) {
        passed_++;
        if (verbose_) {
            std::printf("ok %s: %s\n", subject.c_str(), one_line(sql).c_str());
        }
        return;
    }
    failed_++;
    std::printf("FAILED %s\n    %s\n", subject.c_str(), one_line(sql).c_str());
    for (const std::string &difference : differences) {
        std::printf("      %s\n", difference.c_str());
    }
}

void Report::add_refused(const std::string &subject, const std::string &sql)
{
    refused_++;
    add(subject + " (refused)", sql, {});
}

void Report::print_file(const std::string &path, int failed_before) const
{
    std::printf("%-6s %s\n", failed_ == failed_before ? "ok" : "FAILED", path.c_str());
    std::fflush(stdout);
}

void Report::print_summary() const
{
    std::printf("%d comparisons passed (%d of them refusals that the files name), %d failed\n",
                passed_, refused_, failed_);
}

} // namespace shardwise::diff
