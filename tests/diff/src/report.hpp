// Counts what was compared and prints what differs.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace shardwise::diff
{

// For the self-test: no differences if `expected` is among them, and a complaint if it is not.
std::vector<std::string> unexpected(std::vector<std::string> differences,
                                    const std::optional<std::string> &expected);

class Report
{
public:
    explicit Report(bool verbose) : verbose_(verbose) {}

    // One comparison: passed if there are no differences. `subject` says where, `sql` what.
    void add(const std::string &subject, const std::string &sql,
             const std::vector<std::string> &differences);

    // A comparison that passed because the router refused, as the file says it does.
    void add_refused(const std::string &subject, const std::string &sql);

    int failed() const { return failed_; }
    void print_file(const std::string &path, int failed_before) const;
    void print_summary() const;

private:
    bool verbose_;
    int passed_ = 0, failed_ = 0, refused_ = 0;
};

} // namespace shardwise::diff
