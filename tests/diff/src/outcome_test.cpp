#include "outcome.hpp"

#include <gtest/gtest.h>

namespace shardwise::diff
{

namespace
{

Outcome rows(std::vector<Row> rows)
{
    Outcome outcome;
    outcome.columns = {{"a", "integer", -1}};
    outcome.tag = "SELECT " + std::to_string(rows.size());
    outcome.rows = std::move(rows);
    outcome.transaction_status = "idle";
    return outcome;
}

Outcome failure(const std::string &sqlstate, const std::string &message)
{
    Outcome outcome;
    outcome.error = ServerError();
    outcome.error->sqlstate = sqlstate;
    outcome.error->message = message;
    return outcome;
}

size_t count(const Outcome &router, const Outcome &plain, Compare compare = Compare::All,
             bool ordered = true)
{
    return compare_outcomes(router, plain, compare, ordered).size();
}

TEST(Outcome, EqualAnswersAgree)
{
    EXPECT_EQ(count(rows({{"1"}, {"2"}}), rows({{"1"}, {"2"}})), 0u);
    EXPECT_EQ(count(failure("23505", "no"), failure("23505", "no")), 0u);
}

TEST(Outcome, OrderCountsWhereItIsDecided)
{
    Outcome one = rows({{"1"}, {"2"}}), other = rows({{"2"}, {"1"}});
    EXPECT_EQ(count(one, other, Compare::All, true), 1u);
    EXPECT_EQ(count(one, other, Compare::All, false), 0u);
}

TEST(Outcome, RowsAreABagAndNotASet)
{
    EXPECT_GT(count(rows({{"1"}, {"1"}, {"2"}}), rows({{"1"}, {"2"}, {"2"}}), Compare::All, false),
              0u);
}

TEST(Outcome, NullIsNotEmpty)
{
    EXPECT_GT(count(rows({{std::nullopt}}), rows({{""}})), 0u);
}

TEST(Outcome, ColumnsTypesAndModifiers)
{
    Outcome one = rows({}), other = rows({});
    other.columns[0].name = "b";
    EXPECT_EQ(count(one, other), 1u);
    other = rows({});
    other.columns[0].type = "bigint";
    EXPECT_EQ(count(one, other), 1u);
    other = rows({});
    other.columns[0].modifier = 8;
    EXPECT_EQ(count(one, other), 1u);
}

TEST(Outcome, TagsAndTransactionStatus)
{
    Outcome one = rows({}), other = rows({});
    other.tag = "UPDATE 1";
    other.transaction_status = "in transaction";
    EXPECT_EQ(count(one, other), 2u);
}

TEST(Outcome, ErrorsFieldByField)
{
    Outcome one = failure("23505", "no"), other = failure("23505", "nay");
    EXPECT_EQ(count(one, other), 1u);
    EXPECT_EQ(count(one, other, Compare::SqlState), 0u);
    EXPECT_EQ(count(one, failure("23503", "no"), Compare::SqlState), 1u);
    other = failure("23505", "no");
    other.error->constraint = "t_pkey";
    EXPECT_EQ(count(one, other), 1u);
    EXPECT_GT(count(one, rows({})), 0u);
}

TEST(Outcome, ShapeIgnoresValuesOnly)
{
    EXPECT_EQ(count(rows({{"1"}}), rows({{"2"}}), Compare::Shape), 0u);
    EXPECT_GT(count(rows({{"1"}}), rows({{"1"}, {"2"}}), Compare::Shape), 0u);
}

} // namespace

} // namespace shardwise::diff
