#include "transaction.hpp"

namespace shardwise::random_queries
{

RandomTransaction make_transaction(Choices &choices, const Schema &schema)
{
    RandomTransaction transaction;
    if (!choices.chance(60)) {
        transaction.steps.push_back({Step::Kind::Statement, make_write(choices, schema)});
        return transaction;
    }
    transaction.begin = choices.one_of({"BEGIN", "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ"});
    bool has_savepoint = false;
    for (int i = choices.between(1, 6); i > 0; i--) {
        if (choices.chance(60)) {
            // One name for all: the last one counts, which is what a failed statement goes back to.
            transaction.steps.push_back({Step::Kind::Savepoint, {}});
            has_savepoint = true;
        }
        transaction.steps.push_back({Step::Kind::Statement, make_write(choices, schema)});
        if (has_savepoint && choices.chance(25)) {
            bool releases = choices.chance(50);
            transaction.steps.push_back(
                {releases ? Step::Kind::Release : Step::Kind::RollbackTo, {}});
            has_savepoint = !releases;
        }
    }
    transaction.commits = !choices.chance(25);
    return transaction;
}

} // namespace shardwise::random_queries
