// shardwise_random: random SELECTs over random schemas, answered by a router and by one plain
// PostgreSQL server that holds the same rows. Every query follows from the seed and its number.
#include "comparison.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>

namespace shardwise::random_queries
{

namespace
{

struct Options {
    std::string router, plain;
    uint64_t seed = 20250101;
    int queries = 2000, only = -1;
    bool keep = false;
};

struct Counts {
    int same = 0, both_fail = 0, too_slow = 0, different = 0;
};

constexpr int queries_per_schema = 250;
constexpr int most_reports = 20;
constexpr int most_attempts = 300;

uint64_t mix(uint64_t seed, uint64_t number)
{
    uint64_t z = seed + (number + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

RandomQuery replay(const std::vector<uint32_t> &decisions, const Schema &schema)
{
    Choices choices(decisions);
    return make_query(choices, schema);
}

// Leaves out and simplifies decisions for as long as the answers still differ.
class Shrinker
{
public:
    Shrinker(Pair &pair, const Schema &schema, bool is_binary)
        : pair_(pair), schema_(schema), is_binary_(is_binary)
    {
    }

    std::vector<uint32_t> shrink(std::vector<uint32_t> best)
    {
        size_t length_before;
        do {
            length_before = best.size();
            for (size_t size = best.size() / 2; size > 0; size /= 2) {
                for (size_t at = 0; at + size <= best.size(); at += size) {
                    std::vector<uint32_t> shorter = best;
                    shorter.erase(shorter.begin() + at, shorter.begin() + at + size);
                    while (at + size <= best.size() && still_differs(shorter)) {
                        best = shorter;
                        shorter.erase(shorter.begin() + at,
                                      shorter.begin() + std::min(at + size, shorter.size()));
                    }
                }
            }
            for (size_t at = 0; at < best.size(); at++) {
                std::vector<uint32_t> simpler = best;
                simpler[at] = 0;
                if (best[at] != 0 && still_differs(simpler)) {
                    best = simpler;
                }
            }
        } while (best.size() < length_before && attempts_ < most_attempts);
        return best;
    }

private:
    Pair &pair_;
    const Schema &schema_;
    bool is_binary_;
    int attempts_ = 0;

    bool still_differs(const std::vector<uint32_t> &decisions)
    {
        return attempts_++ < most_attempts &&
               pair_.compare(replay(decisions, schema_), is_binary_).verdict == Verdict::Different;
    }
};

void print_query(const RandomQuery &query)
{
    std::printf("%s\n", query.sql.c_str());
    for (size_t i = 0; i < query.parameters.size(); i++) {
        std::printf("  $%zu = %s\n", i + 1, query.parameters[i].c_str());
    }
}

void print_tables(const Schema &schema, const std::string &sql)
{
    for (const Table &table : schema.tables) {
        if (sql.find(" " + table.name + " ") != std::string::npos) {
            std::printf("  %s; %s\n", table.definition.c_str(), table.distribution.c_str());
        }
    }
}

void report(Pair &pair, const Schema &schema, const Options &options, int number, bool is_binary,
            const Choices &choices, const std::string &difference)
{
    std::printf("FAILED query %d (seed %llu, schema %s, %s)\n%s", number,
                static_cast<unsigned long long>(options.seed), schema.name.c_str(),
                is_binary ? "binary" : "text", difference.c_str());
    std::vector<uint32_t> smallest = Shrinker(pair, schema, is_binary).shrink(choices.recorded());
    RandomQuery query = replay(smallest, schema);
    Answer answer = pair.compare(query, is_binary);
    std::printf("made smaller:\n%s", answer.difference.c_str());
    print_query(query);
    print_tables(schema, query.sql);
    std::fflush(stdout);
}

void run_query(Pair &pair, const Schema &schema, const Options &options, int number, Counts *counts)
{
    Choices choices(mix(options.seed, number));
    RandomQuery query = make_query(choices, schema);
    bool is_binary = number % 2 == 1;
    Answer answer = pair.compare(query, is_binary);
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
            report(pair, schema, options, number, is_binary, choices, answer.difference);
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

int run(const Options &options)
{
    Pair pair(options.router, options.plain);
    Counts counts;
    int number = options.only >= 0 ? options.only : 0;
    int end = options.only >= 0 ? options.only + 1 : options.queries;
    while (number < end) {
        int round = number / queries_per_schema;
        Choices choices(mix(~options.seed, round));
        Schema schema = make_schema(choices, round);
        pair.create(schema);
        for (; number < end && number / queries_per_schema == round; number++) {
            run_query(pair, schema, options, number, &counts);
        }
        if (!options.keep) {
            pair.drop(schema);
        }
    }
    return print_summary(counts, options.only >= 0 ? 1 : options.queries) ? 0 : 1;
}

} // namespace

} // namespace shardwise::random_queries

int main(int argc, char **argv)
{
    using namespace shardwise::random_queries;
    Options options;
    CLI::App app{"Compares a router with a plain PostgreSQL server by random queries."};
    app.add_option("--router", options.router, "connection string of the router")->required();
    app.add_option("--plain", options.plain, "connection string of the plain server")->required();
    app.add_option("--seed", options.seed, "what all queries follow from");
    app.add_option("--queries", options.queries, "how many");
    app.add_option("--only", options.only, "the one query of this number");
    app.add_flag("--keep", options.keep, "leave the schemas on both servers");
    CLI11_PARSE(app, argc, argv);
    try {
        return run(options);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "shardwise_random: %s\n", error.what());
        return 2;
    }
}
