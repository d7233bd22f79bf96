#include "core/pace.hpp"

#include <algorithm>

#include "core/no_postgres.hpp"

namespace shardwise
{

void adjust_pace(Pace *pace, double done, Others others)
{
    constexpr double decrease = 0.6;
    constexpr double steps = 16; // from nothing to the ceiling
    if (others == Others::Suffering) {
        double present =
            pace->limit > 0 ? std::min(pace->limit, std::max(done, lowest_pace)) : done;
        pace->ceiling = std::max(present, lowest_pace);
        pace->limit = std::max(present * decrease, lowest_pace);
        return;
    }
    if (pace->limit <= 0)
        return;
    if (others == Others::Absent)
        pace->limit *= 4;
    else if (pace->ceiling <= 0)
        pace->limit *= 1.5;
    else
        pace->limit += std::max(pace->ceiling / steps, lowest_pace / 4);
    // A limit that is far above what is done limits nothing.
    if (pace->limit > 2 * std::max(done, pace->ceiling))
        *pace = {};
}

} // namespace shardwise
