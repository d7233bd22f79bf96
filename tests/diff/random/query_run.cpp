#include "runs.hpp"
#include "shrinker.hpp"

#include <cstdio>

namespace shardwise::random_queries
{

namespace
{

struct Counts {
    int same = 0, both_fail = 0, too_slow = 0, different = 0;
};

constexpr int queries_per_schema = 250;

RandomQuery replay(const std::vector<uint32_t> &decisions, const Schema &schema)
{
    Choices choices(decisions);
    return make_query(choices, schema);
}

void report(Pair &pair, const Schema &schema, const Options &options, int number, Protocol protocol,
            const Choices &choices, const std::string &difference)
{
    std::printf("FAILED query %d (seed %llu, schema %s, %s)\n%s", number,
                static_cast<unsigned long long>(options.seed), schema.name.c_str(),
                protocol == Protocol::Prepared ? "prepared"
                : protocol == Protocol::Binary ? "binary"
                                               : "text",
                difference.c_str());
    Shrinker shrinker([&](const std::vector<uint32_t> &decisions) {
        return pair.compare(replay(decisions, schema), protocol).verdict == Verdict::Different;
    });
    RandomQuery query = replay(shrinker.shrink(choices.recorded()), schema);
    Answer answer = pair.compare(query, protocol);
    std::printf("made smaller:\n%s", answer.difference.c_str());
    print_query(query);
    print_tables(schema, query.sql);
    std::fflush(stdout);
}

void run_query(Pair &pair, const Schema &schema, const Options &options, int number, Counts *counts)
{
    Choices choices(mix(options.seed, number));
    RandomQuery query = make_query(choices, schema);
    bool is_prepared = number % 3 == 0 && !query.parameters.empty();
    Protocol protocol = is_prepared       ? Protocol::Prepared
                        : number % 2 == 1 ? Protocol::Binary
                                          : Protocol::Text;
    Answer answer = pair.compare(query, protocol);
    switch (answer.verdict) {
    case Verdict::Same:
        counts->same++;
        break;
    case Verdict::BothFail:
        counts->both_fail++;
        break;
    case Verdict::TooSlow:
        counts->too_slow++;
        break;
    case Verdict::Different:
        if (++counts->different <= most_reports) {
            report(pair, schema, options, number, protocol, choices, answer.difference);
        }
        break;
    }
}

// Queries that fail on both servers, or take plain PostgreSQL too long, show little: they are no
// passes, and too many of them mean that the generator is broken.
bool print_summary(const Counts &counts, int queries)
{
    bool is_worth = counts.same + counts.different >= queries * 9 / 10;
    std::printf("%d queries agree, %d differ (%d fail alike, %d take too long)\n", counts.same,
                counts.different, counts.both_fail, counts.too_slow);
    if (!is_worth) {
        std::printf("too few queries say anything\n");
    }
    return is_worth && counts.different == 0;
}

} // namespace

bool run_queries(Pair &pair, const Options &options)
{
    Counts counts;
    int number = options.only >= 0 ? options.only : 0;
    int end = options.only >= 0 ? options.only + 1 : options.queries;
    while (number < end) {
        int round = number / queries_per_schema;
        Choices choices(mix(~options.seed, round));
        Schema schema = make_schema(choices, round, Purpose::Reads);
        pair.create(schema);
        for (; number < end && number / queries_per_schema == round; number++) {
            run_query(pair, schema, options, number, &counts);
        }
        if (!options.keep) {
            pair.drop(schema);
        }
    }
    return print_summary(counts, options.only >= 0 ? 1 : options.queries);
}

} // namespace shardwise::random_queries
