#include "core/pace.hpp"

#include <algorithm>

#include "core/no_postgres.hpp"

namespace shardwise
{

void adjust_pace(Pace *pace, double done, bool others_suffer)
{
    constexpr double decrease = 0.6;
    constexpr double steps = 16; // from nothing to the ceiling
    if (others_suffer) {
        double present =
            pace->limit > 0 ? std::min(pace->limit, std::max(done, lowest_pace)) : done;
        pace->ceiling = std::max(present, lowest_pace);
        pace->limit = std::max(present * decrease, lowest_pace);
        return;
    }
    if (pace->limit <= 0)
        return;
    pace->limit += std::max(pace->ceiling / steps, lowest_pace / 4);
    // A limit that is far above what is done limits nothing.
    if (pace->limit > 2 * std::max(done, pace->ceiling))
        *pace = {};
}

} // namespace shardwise
