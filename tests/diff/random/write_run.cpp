#include "runs.hpp"
#include "shrinker.hpp"

#include <cstdio>

namespace shardwise::random_queries
{

namespace
{

constexpr int transactions_per_schema = 100;
// So often the tables get their first rows back: random writes wear them down.
constexpr int transactions_per_filling = 10;

// A stream of its own, beside that of the queries.
constexpr uint64_t writes_stream = 0x77726974;

RandomTransaction replay(const std::vector<uint32_t> &decisions, const Schema &schema)
{
    Choices choices(decisions);
    return make_transaction(choices, schema);
}

Protocol protocol_of(int number)
{
    return number % 3 == 0 ? Protocol::Simple : number % 3 == 1 ? Protocol::Text : Protocol::Binary;
}

void print_transaction(const RandomTransaction &transaction, const Schema &schema)
{
    std::string all;
    bool is_block = !transaction.begin.empty();
    if (is_block) {
        std::printf("%s\n", transaction.begin.c_str());
    }
    for (const Step &step : transaction.steps) {
        switch (step.kind) {
        case Step::Kind::Savepoint:
            std::printf("SAVEPOINT s\n");
            break;
        case Step::Kind::RollbackTo:
            std::printf("ROLLBACK TO s\n");
            break;
        case Step::Kind::Release:
            std::printf("RELEASE s\n");
            break;
        case Step::Kind::Statement:
            print_query(step.query);
            all += step.query.sql + " ";
        }
    }
    if (is_block) {
        std::printf("%s\n", transaction.commits ? "COMMIT" : "ROLLBACK");
    }
    print_tables(schema, all);
}

class WriteRun
{
public:
    WriteRun(Pair &pair, const Options &options) : pair_(pair), options_(options) {}

    bool run()
    {
        int end = options_.only_transaction + 1;
        int number =
            options_.only_transaction >= 0 ? end - 1 - (end - 1) % transactions_per_filling : 0;
        while (options_.only_transaction >= 0 ? number < end : statements() < options_.writes) {
            number = run_schema(number, end);
        }
        return print_summary();
    }

private:
    Pair &pair_;
    const Options &options_;
    WriteCounts counts_;
    int different_ = 0;

    int statements() const
    {
        return counts_.same + counts_.both_fail + counts_.fail_otherwise + counts_.refused +
               counts_.too_slow + different_;
    }

    // Runs the transactions of one schema from this number on; returns the next one's.
    int run_schema(int number, int end)
    {
        int round = number / transactions_per_schema;
        Choices choices(mix(~options_.seed ^ writes_stream, round));
        Schema schema = make_schema(choices, round, Purpose::Writes);
        pair_.create(schema);
        TableRows first = pair_.rows(schema);
        for (; number / transactions_per_schema == round; number++) {
            if (options_.only_transaction >= 0 ? number >= end : statements() >= options_.writes) {
                break;
            }
            if (number % transactions_per_filling == 0) {
                pair_.put_back(schema, first);
            }
            run_transaction(schema, number);
        }
        std::string misplaced = pair_.misplaced(schema);
        if (!misplaced.empty()) {
            different_++;
            std::printf("FAILED schema %s (seed %llu)\n%s", schema.name.c_str(),
                        static_cast<unsigned long long>(options_.seed), misplaced.c_str());
        }
        if (!options_.keep) {
            pair_.drop(schema);
        }
        return number;
    }

    void run_transaction(const Schema &schema, int number)
    {
        TableRows before = pair_.rows(schema);
        Choices choices(mix(options_.seed ^ writes_stream, number));
        RandomTransaction transaction = make_transaction(choices, schema);
        Answer answer = pair_.compare(transaction, schema, protocol_of(number), &counts_);
        if (answer.verdict != Verdict::Different) {
            return;
        }
        if (++different_ <= most_reports) {
            report(schema, number, before, choices, answer.difference);
        }
        pair_.put_back(schema, before);
    }

    void report(const Schema &schema, int number, const TableRows &before, const Choices &choices,
                const std::string &difference)
    {
        std::printf("FAILED transaction %d (seed %llu, schema %s)\n%s", number,
                    static_cast<unsigned long long>(options_.seed), schema.name.c_str(),
                    difference.c_str());
        WriteCounts uncounted;
        auto compare = [&](const RandomTransaction &transaction) {
            pair_.put_back(schema, before);
            return pair_.compare(transaction, schema, protocol_of(number), &uncounted);
        };
        Shrinker shrinker([&](const std::vector<uint32_t> &decisions) {
            return compare(replay(decisions, schema)).verdict == Verdict::Different;
        });
        RandomTransaction smallest = replay(shrinker.shrink(choices.recorded()), schema);
        std::printf("made smaller:\n%s", compare(smallest).difference.c_str());
        print_transaction(smallest, schema);
        std::fflush(stdout);
    }

    bool print_summary() const
    {
        std::printf("%d statements agree, %d transactions differ (%d statements fail alike, %d by "
                    "another row, %d are refused, %d take too long)\n",
                    counts_.same, different_, counts_.both_fail, counts_.fail_otherwise,
                    counts_.refused, counts_.too_slow);
        for (const auto &[reason, count] : counts_.refusals) {
            std::printf("  refused %d: %s\n", count, reason.c_str());
        }
        // Refusals and failures show little, and many of them that something is broken.
        bool is_worth = options_.only_transaction >= 0 || counts_.same >= statements() * 6 / 10;
        if (!is_worth) {
            std::printf("too few statements say anything\n");
        }
        return is_worth && different_ == 0;
    }
};

} // namespace

bool run_writes(Pair &pair, const Options &options)
{
    return WriteRun(pair, options).run();
}

} // namespace shardwise::random_queries
