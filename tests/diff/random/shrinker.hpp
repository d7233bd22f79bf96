// Makes what fails smaller: leaves out and simplifies decisions for as long as it still does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace shardwise::random_queries
{

class Shrinker
{
public:
    using Decisions = std::vector<uint32_t>;

    explicit Shrinker(std::function<bool(const Decisions &)> fails) : fails_(std::move(fails)) {}

    Decisions shrink(Decisions best)
    {
        size_t length_before;
        do {
            length_before = best.size();
            leave_out(&best);
            simplify(&best);
        } while (best.size() < length_before && attempts_ < most_attempts);
        return best;
    }

private:
    static constexpr int most_attempts = 300;

    std::function<bool(const Decisions &)> fails_;
    int attempts_ = 0;

    bool still_fails(const Decisions &decisions)
    {
        return attempts_++ < most_attempts && fails_(decisions);
    }

    void leave_out(Decisions *best)
    {
        for (size_t size = best->size() / 2; size > 0; size /= 2) {
            for (size_t at = 0; at + size <= best->size(); at += size) {
                Decisions shorter = *best;
                shorter.erase(shorter.begin() + at, shorter.begin() + at + size);
                while (at + size <= best->size() && still_fails(shorter)) {
                    *best = shorter;
                    shorter.erase(shorter.begin() + at,
                                  shorter.begin() + std::min(at + size, shorter.size()));
                }
            }
        }
    }

    void simplify(Decisions *best)
    {
        for (size_t at = 0; at < best->size(); at++) {
            Decisions simpler = *best;
            simpler[at] = 0;
            if ((*best)[at] != 0 && still_fails(simpler)) {
                *best = simpler;
            }
        }
    }
};

} // namespace shardwise::random_queries
