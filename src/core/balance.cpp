#include "core/balance.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <tuple>

#include "core/no_postgres.hpp"

namespace shardwise
{

namespace
{

// What a shard is to give or take may be missed by this share of it rather than cut a range.
constexpr double slack_share = 0.05;
constexpr double unlimited = std::numeric_limits<double>::infinity();

// A shard that gives or takes: how much is still to go.
struct Account {
    int32_t shard;
    double left;
    double slack; // how far the end may be missed rather than cut a range
};

size_t index_of(const std::vector<BalancedShard> &shards, int32_t number)
{
    for (size_t i = 0; i < shards.size(); i++)
        if (shards[i].number == number)
            return i;
    throw std::invalid_argument("a range belongs to a shard that is not in the plan");
}

std::vector<double> loads_of(const std::vector<SizedRange> &ranges,
                             const std::vector<BalancedShard> &shards)
{
    std::map<int32_t, size_t> places;
    std::vector<double> loads;
    for (const BalancedShard &shard : shards) {
        places.emplace(shard.number, loads.size());
        loads.push_back(shard.fixed);
    }
    for (const SizedRange &range : ranges) {
        auto place = places.find(range.owner);
        if (place == places.end())
            throw std::invalid_argument("a range belongs to a shard that is not in the plan");
        loads[place->second] += range.size;
    }
    return loads;
}

// Cuts `size` off a part of a range in units; a power of two as divisor, so that every platform
// cuts at the same place.
HashLength units_of(HashLength units, double size, double whole)
{
    constexpr int bits = 30;
    double part = std::clamp(size / whole, 0.0, 1.0);
    auto numerator = static_cast<HashLength>(std::llround(part * (1 << bits)));
    return std::clamp<HashLength>((units >> bits) * numerator +
                                      (((units & ((1 << bits) - 1)) * numerator) >> bits),
                                  1, units - 1);
}

// Hands ranges of one shard to those that take.
class Handover
{
public:
    Handover(const std::vector<SizedRange> &all_ranges, std::vector<Account> takers)
        : ranges(all_ranges), takers(std::move(takers))
    {
    }

    void give(const Account &giver, std::vector<size_t> owned);
    std::vector<Piece> take_pieces();

private:
    struct Rest {
        size_t range;
        HashLength first;
        HashLength end;
        double size;
    };

    Account &neediest();
    Account *neighbour(const Rest &rest, bool *above);
    double give_rest(Rest rest, int32_t source, double limit);
    double cut_for(Rest &rest, Account &taker, int32_t source, double size, bool from_above);

    const std::vector<SizedRange> &ranges;
    std::vector<Account> takers;
    std::vector<Piece> pieces;
};

Account &Handover::neediest()
{
    return *std::max_element(takers.begin(), takers.end(),
                             [](const Account &a, const Account &b) { return a.left < b.left; });
}

// Finds a taker that owns the range beside this one: a piece at that end makes no new range.
Account *Handover::neighbour(const Rest &rest, bool *above)
{
    for (Account &taker : takers) {
        if (taker.left <= taker.slack)
            continue;
        bool owns_above =
            rest.range + 1 < ranges.size() && ranges[rest.range + 1].owner == taker.shard;
        bool owns_below = rest.range > 0 && ranges[rest.range - 1].owner == taker.shard;
        *above = owns_above;
        if (owns_above || owns_below)
            return &taker;
    }
    return nullptr;
}

// Gives a part of the rest away and returns its size; all of it where it cannot be cut.
double Handover::cut_for(Rest &rest, Account &taker, int32_t source, double size, bool from_above)
{
    HashLength units = rest.end - rest.first;
    HashLength cut = units;
    if (size < rest.size && units > 1)
        cut = units_of(units, size, rest.size);
    double given = cut == units ? rest.size
                                : rest.size * static_cast<double>(cut) / static_cast<double>(units);
    HashLength first = from_above ? rest.end - cut : rest.first;
    pieces.push_back({rest.range, first, first + cut, source, taker.shard, given});
    (from_above ? rest.end : rest.first) = from_above ? first : first + cut;
    rest.size -= given;
    taker.left -= given;
    return given;
}

// Gives up to `limit` of a range away, whole where a taker has room for it.
double Handover::give_rest(Rest rest, int32_t source, double limit)
{
    double given = 0;
    for (bool fits = false; !fits && rest.end > rest.first;) {
        double wanted = std::min(limit - given, rest.size);
        bool above = false;
        Account *beside = wanted < rest.size ? neighbour(rest, &above) : nullptr;
        Account &taker = beside ? *beside : neediest();
        fits = wanted <= taker.left + taker.slack || taker.left <= taker.slack;
        given += cut_for(rest, taker, source, fits ? wanted : taker.left, above);
        if (!fits)
            taker.left = 0; // but for rounding
    }
    return given;
}

void Handover::give(const Account &giver, std::vector<size_t> owned)
{
    std::sort(owned.begin(), owned.end(), [&](size_t a, size_t b) {
        return std::tuple(-ranges[a].size, a) < std::tuple(-ranges[b].size, b);
    });
    double left = giver.left;
    std::vector<size_t> too_large;
    for (size_t i : owned) {
        if (left <= giver.slack && ranges[i].size > left)
            break;
        if (ranges[i].size > left + giver.slack)
            too_large.push_back(i);
        else
            left -= give_rest({i, 0, ranges[i].units, ranges[i].size}, giver.shard, unlimited);
    }
    // The smallest of the larger ones is cut. One that cannot be goes if that is nearer to the aim.
    for (size_t n = too_large.size(); n-- > 0 && left > giver.slack;) {
        const SizedRange &range = ranges[too_large[n]];
        if (range.units > 1 || range.size < 2 * left)
            left -= give_rest({too_large[n], 0, range.units, range.size}, giver.shard, left);
    }
}

std::vector<Piece> Handover::take_pieces()
{
    std::sort(pieces.begin(), pieces.end(), [](const Piece &a, const Piece &b) {
        return std::tie(a.range, a.first) < std::tie(b.range, b.first);
    });
    return std::move(pieces);
}

// Lets every giver hand over what its account says.
std::vector<Piece> hand_over(const std::vector<SizedRange> &ranges,
                             const std::vector<Account> &givers, std::vector<Account> takers)
{
    if (takers.empty())
        return {};
    std::map<int32_t, std::vector<size_t>> owned;
    for (size_t i = 0; i < ranges.size(); i++)
        owned[ranges[i].owner].push_back(i);
    Handover handover(ranges, std::move(takers));
    for (const Account &giver : givers)
        if (giver.left > 0 || std::isinf(giver.left))
            handover.give(giver, std::move(owned[giver.shard]));
    return handover.take_pieces();
}

// Shares `amount` out so that the emptiest, relative to their weights, are filled up evenly:
// returns what each gets.
std::vector<double> fill_up(const std::vector<double> &loads, const std::vector<double> &weights,
                            double amount)
{
    std::vector<size_t> order(loads.size());
    for (size_t i = 0; i < order.size(); i++)
        order[i] = i;
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        return std::tuple(loads[a] / weights[a], a) < std::tuple(loads[b] / weights[b], b);
    });
    // The level that the first k reach together; the last one that raises none of the others.
    double level = 0, weight = 0, load = 0;
    for (size_t k = 0; k < order.size(); k++) {
        weight += weights[order[k]];
        load += loads[order[k]];
        level = (load + amount) / weight;
        if (k + 1 == order.size() || level <= loads[order[k + 1]] / weights[order[k + 1]])
            break;
    }
    std::vector<double> shares;
    for (size_t i = 0; i < loads.size(); i++)
        shares.push_back(std::fmax(0, level * weights[i] - loads[i]));
    return shares;
}

// The reverse: takes `amount` from the fullest.
std::vector<double> level_off(const std::vector<double> &loads, const std::vector<double> &weights,
                              double amount)
{
    std::vector<double> negative;
    for (double load : loads)
        negative.push_back(-load);
    return fill_up(negative, weights, amount);
}

std::vector<double> weights_of(const std::vector<BalancedShard> &shards)
{
    std::vector<double> weights;
    for (const BalancedShard &shard : shards) {
        if (!(shard.weight > 0))
            throw std::invalid_argument("weight of a shard must be positive");
        weights.push_back(shard.weight);
    }
    return weights;
}

std::vector<double> fair_shares_of(const std::vector<double> &loads,
                                   const std::vector<BalancedShard> &shards)
{
    double total = 0, weight = 0;
    for (double load : loads)
        total += load;
    for (double one : weights_of(shards))
        weight += one;
    std::vector<double> shares;
    for (const BalancedShard &shard : shards)
        shares.push_back(total * shard.weight / weight);
    return shares;
}

std::vector<Account> accounts_of(const std::vector<BalancedShard> &shards,
                                 const std::vector<double> &amounts)
{
    std::vector<Account> accounts;
    for (size_t i = 0; i < shards.size(); i++)
        if (amounts[i] > 0)
            accounts.push_back({shards[i].number, amounts[i], slack_share * amounts[i]});
    return accounts;
}

} // namespace

std::vector<Piece> plan_join(const std::vector<SizedRange> &ranges,
                             const std::vector<BalancedShard> &shards, int32_t newcomer)
{
    const size_t place = index_of(shards, newcomer);
    const std::vector<double> loads = loads_of(ranges, shards);
    const std::vector<double> fair = fair_shares_of(loads, shards);
    const double missing = fair[place] - loads[place];
    std::vector<BalancedShard> others = shards;
    std::vector<double> other_loads = loads;
    others.erase(others.begin() + static_cast<ptrdiff_t>(place));
    other_loads.erase(other_loads.begin() + static_cast<ptrdiff_t>(place));
    if (others.empty() || !(missing > 0))
        return {};
    std::vector<double> given = level_off(other_loads, weights_of(others), missing);
    return hand_over(ranges, accounts_of(others, given), {{newcomer, missing, unlimited}});
}

std::vector<Piece> plan_drain(const std::vector<SizedRange> &ranges,
                              const std::vector<BalancedShard> &shards, int32_t leaving)
{
    if (shards.empty())
        throw std::invalid_argument("no other shard is left to take the ranges");
    std::vector<BalancedShard> all = shards;
    all.push_back({leaving, 1, 0});
    std::vector<double> loads = loads_of(ranges, all);
    const double drained = loads.back();
    loads.pop_back();
    std::vector<double> taken = fill_up(loads, weights_of(shards), drained);
    std::vector<Account> takers;
    for (size_t i = 0; i < shards.size(); i++)
        takers.push_back({shards[i].number, taken[i], slack_share * taken[i]});
    return hand_over(ranges, {{leaving, unlimited, 0}}, takers);
}

std::vector<Piece> plan_balance(const std::vector<SizedRange> &ranges,
                                const std::vector<BalancedShard> &shards, Placement placement,
                                double threshold)
{
    const std::vector<double> loads = loads_of(ranges, shards);
    const std::vector<double> fair = fair_shares_of(loads, shards);
    const double allowed = placement == Placement::Uniform ? 0 : threshold / 2;
    double surplus = 0, deficit = 0;
    bool balanced = true;
    for (size_t i = 0; i < shards.size(); i++) {
        balanced &= std::fabs(loads[i] - fair[i]) <= threshold * fair[i];
        surplus += std::fmax(0, loads[i] - fair[i] * (1 + allowed));
        deficit += std::fmax(0, fair[i] * (1 - allowed) - loads[i]);
    }
    if (balanced)
        return {};
    const double moved = std::fmax(surplus, deficit);
    const std::vector<double> weights = weights_of(shards);
    return hand_over(ranges, accounts_of(shards, level_off(loads, weights, moved)),
                     accounts_of(shards, fill_up(loads, weights, moved)));
}

std::vector<Piece> compare_hash_maps(const std::vector<HashRange> &before,
                                     const std::vector<HashRange> &after)
{
    std::vector<Piece> pieces;
    auto upper_of = [](const std::vector<HashRange> &map, size_t i) {
        return static_cast<HashLength>(map[i].lower) + range_length(map, i);
    };
    for (size_t i = 0, j = 0; i < before.size() && j < after.size();) {
        HashLength lower = std::max<HashLength>(before[i].lower, after[j].lower);
        HashLength upper = std::min(upper_of(before, i), upper_of(after, j));
        if (before[i].owner != after[j].owner)
            pieces.push_back({i, lower - before[i].lower, upper - before[i].lower, before[i].owner,
                              after[j].owner, static_cast<double>(upper - lower)});
        bool next_before = upper == upper_of(before, i);
        bool next_after = upper == upper_of(after, j);
        i += next_before;
        j += next_after;
    }
    return pieces;
}

namespace
{

struct OrderedGroup {
    size_t round; // how many moves of the same shards come before it
    int32_t source;
    int32_t target;
    MoveGroup group;
};

std::vector<OrderedGroup> cut_groups(const std::vector<Piece> &pieces, size_t most_pieces,
                                     double most_size)
{
    std::vector<OrderedGroup> groups;
    double size = 0;
    for (size_t i = 0; i < pieces.size(); i++) {
        const Piece &piece = pieces[i];
        bool same = !groups.empty() && groups.back().source == piece.source &&
                    groups.back().target == piece.target;
        if (same && i - groups.back().group.first < most_pieces && size + piece.size <= most_size) {
            groups.back().group.end = i + 1;
            size += piece.size;
            continue;
        }
        groups.push_back(
            {same ? groups.back().round + 1 : 0, piece.source, piece.target, {i, i + 1}});
        size = piece.size;
    }
    return groups;
}

} // namespace

std::vector<MoveGroup> group_moves(std::vector<Piece> &pieces, size_t most_pieces, double most_size)
{
    std::sort(pieces.begin(), pieces.end(), [](const Piece &a, const Piece &b) {
        return std::tie(a.source, a.target, a.range, a.first) <
               std::tie(b.source, b.target, b.range, b.first);
    });
    std::vector<OrderedGroup> groups = cut_groups(pieces, most_pieces, most_size);
    std::map<int32_t, size_t> sources, targets;
    for (const Piece &piece : pieces) {
        sources.emplace(piece.source, 0);
        targets.emplace(piece.target, 0);
    }
    size_t nsources = 0, ntargets = 0;
    for (auto &source : sources)
        source.second = nsources++;
    for (auto &target : targets)
        target.second = ntargets++;
    // Pairs of the same distance have different sources and different targets.
    auto distance = [&](const OrderedGroup &group) {
        size_t places = std::max(nsources, ntargets);
        return (targets[group.target] + places - sources[group.source]) % places;
    };
    std::sort(groups.begin(), groups.end(), [&](const OrderedGroup &a, const OrderedGroup &b) {
        return std::tuple(a.round, distance(a), a.source) <
               std::tuple(b.round, distance(b), b.source);
    });
    std::vector<MoveGroup> result;
    for (const OrderedGroup &entry : groups)
        result.push_back(entry.group);
    return result;
}

double estimate_move_seconds(double rows, double bytes)
{
    constexpr double start_and_swap = 1;
    constexpr double copied_rows = 350e3, copied_bytes = 60e6; // a second, whichever is slower
    constexpr double verified_rows = 600e3;
    return start_and_swap + std::fmax(rows / copied_rows, bytes / copied_bytes) +
           rows / verified_rows;
}

} // namespace shardwise
