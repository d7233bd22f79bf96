// shardwise_random: random SELECTs and writes over random schemas, answered by a router and by one
// plain PostgreSQL server that holds the same rows. All follows from the seed and numbers.
#include "runs.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>

namespace shardwise::random_queries
{

uint64_t mix(uint64_t seed, uint64_t number)
{
    uint64_t z = seed + (number + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

void print_query(const RandomQuery &query)
{
    std::printf("%s\n", query.sql.c_str());
    for (size_t i = 0; i < query.parameters.size(); i++) {
        std::printf("  $%zu = %s", i + 1, query.parameters[i].value_or("NULL").c_str());
        for (const Values &others : query.other_parameters) {
            std::printf(", %s", others[i].value_or("NULL").c_str());
        }
        std::printf("\n");
    }
}

void print_tables(const Schema &schema, const std::string &sql)
{
    std::printf("  %s\n", schema.types.c_str());
    for (const Table &table : schema.tables) {
        if (sql.find(" " + table.name + " ") != std::string::npos) {
            std::printf("  %s; %s\n", table.definition.c_str(), table.distribution.c_str());
        }
    }
}

namespace
{

int run(const Options &options)
{
    Pair pair(options.router, options.plain);
    bool agrees = true;
    if (options.only >= 0 || (options.queries > 0 && options.only_transaction < 0)) {
        agrees &= run_queries(pair, options);
    }
    if (options.only_transaction >= 0 || (options.writes > 0 && options.only < 0)) {
        agrees &= run_writes(pair, options);
    }
    return agrees ? 0 : 1;
}

} // namespace

} // namespace shardwise::random_queries

int main(int argc, char **argv)
{
    using namespace shardwise::random_queries;
    Options options;
    CLI::App app{"Compares a router with a plain PostgreSQL server by random queries and writes."};
    app.add_option("--router", options.router, "connection string of the router")->required();
    app.add_option("--plain", options.plain, "connection string of the plain server")->required();
    app.add_option("--seed", options.seed, "what everything follows from");
    app.add_option("--queries", options.queries, "how many SELECTs");
    app.add_option("--writes", options.writes, "how many statements that write");
    app.add_option("--only", options.only, "the one query of this number");
    app.add_option("--only-transaction", options.only_transaction,
                   "the one transaction of this number, and what led to it");
    app.add_flag("--keep", options.keep, "leave the schemas on both servers");
    CLI11_PARSE(app, argc, argv);
    try {
        return run(options);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "shardwise_random: %s\n", error.what());
        return 2;
    }
}
