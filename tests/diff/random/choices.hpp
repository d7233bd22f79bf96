// The decisions behind a random query. They can be recorded, changed and replayed, which is how a
// failing query is made smaller: the first alternative of every decision is the simplest one.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace shardwise::random_queries
{

class Choices
{
public:
    // Draws by chance, and records what was drawn.
    explicit Choices(uint64_t seed) : generator_(seed) {}

    // Replays; past the end, everything is as simple as can be.
    explicit Choices(std::vector<uint32_t> recorded)
        : replays_(true), recorded_(std::move(recorded))
    {
    }

    // A number below `n`.
    uint32_t below(uint32_t n)
    {
        if (replays_) {
            uint32_t value = position_ < recorded_.size() ? recorded_[position_] % n : 0;
            position_++;
            return value;
        }
        recorded_.push_back(static_cast<uint32_t>(generator_() % n));
        return recorded_.back();
    }

    int between(int low, int high) { return low + static_cast<int>(below(high - low + 1)); }

    // True in so many of a hundred cases; false is the simpler outcome.
    bool chance(uint32_t percent) { return below(100) >= 100 - percent; }

    template <typename T> const T &one_of(const std::vector<T> &values)
    {
        return values[below(static_cast<uint32_t>(values.size()))];
    }

    std::string one_of(std::initializer_list<const char *> values)
    {
        return *(values.begin() + below(static_cast<uint32_t>(values.size())));
    }

    const std::vector<uint32_t> &recorded() const { return recorded_; }

private:
    bool replays_ = false;
    std::mt19937_64 generator_;
    std::vector<uint32_t> recorded_;
    size_t position_ = 0;
};

} // namespace shardwise::random_queries
