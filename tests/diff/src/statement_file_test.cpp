#include "sql_scanner.hpp"
#include "statement_file.hpp"

#include <gtest/gtest.h>

namespace shardwise::diff
{

namespace
{

std::vector<std::string> texts(std::string_view file)
{
    std::vector<std::string> result;
    for (const Statement &statement : parse_statements("file", file).statements) {
        result.push_back(statement.sql);
    }
    return result;
}

using Texts = std::vector<std::string>;

TEST(StatementFile, SplitsAtSemicolons)
{
    EXPECT_EQ(texts("SELECT 1; SELECT 2;\n\nSELECT 3"),
              (Texts{"SELECT 1", "SELECT 2", "SELECT 3"}));
}

TEST(StatementFile, SemicolonsInsideDoNotSplit)
{
    EXPECT_EQ(texts("SELECT ';''', E'\\';', \";\", $$;$$, $a$ $$;$a$ /* ; /* ; */ */;"),
              (Texts{"SELECT ';''', E'\\';', \";\", $$;$$, $a$ $$;$a$ /* ; /* ; */ */"}));
    EXPECT_EQ(texts("SELECT 1 -- ;\n+ 1; SELECT 2").size(), 2u);
    EXPECT_EQ(
        texts("CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2); SELECT 3").size(), 2u);
    EXPECT_EQ(texts("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END;"
                    " SELECT 2; END; SELECT 3")
                  .size(),
              2u);
}

TEST(StatementFile, CountsLines)
{
    auto file = parse_statements("file", "\n\nSELECT\n1;\n-- prose\nSELECT 2;");
    EXPECT_EQ(file.statements[0].line, 3);
    EXPECT_EQ(file.statements[1].line, 6);
}

TEST(StatementFile, ParametersBelongToTheNextStatement)
{
    auto file = parse_statements(
        "file",
        "-- params: 42, -7::int8, 'it''s, so'::text, NULL, '{1,2}'::int[]\nSELECT 1; SELECT 2");
    const auto &parameters = file.statements[0].parameters;
    ASSERT_EQ(parameters.size(), 5u);
    EXPECT_EQ(parameters[0].value, "42");
    EXPECT_EQ(parameters[0].type, "");
    EXPECT_EQ(parameters[1].value, "-7");
    EXPECT_EQ(parameters[1].type, "int8");
    EXPECT_EQ(parameters[1].literal, "(-7)::int8");
    EXPECT_EQ(parameters[2].value, "it's, so");
    EXPECT_FALSE(parameters[3].value.has_value());
    EXPECT_EQ(parameters[4].type, "int[]");
    EXPECT_TRUE(file.statements[1].parameters.empty());
}

TEST(StatementFile, DirectivesOfOneStatement)
{
    auto file =
        parse_statements("file", "-- modes: simple, prepared\n-- unordered\n-- once\n"
                                 "-- compare: shape\n-- expect-refused: table \"t\"\nSELECT 1;"
                                 "SELECT 2;");
    const Statement &first = file.statements[0];
    EXPECT_EQ(first.protocols, (std::set{Protocol::Simple, Protocol::Prepared}));
    EXPECT_EQ(first.ordered, false);
    EXPECT_TRUE(first.once);
    EXPECT_EQ(first.compare, Compare::Shape);
    EXPECT_EQ(first.refused, "table \"t\"");
    EXPECT_TRUE(file.statements[1].protocols.empty());
    EXPECT_FALSE(file.statements[1].refused.has_value());
}

TEST(StatementFile, SectionsAndSides)
{
    auto file = parse_statements("file", "-- setup\nSELECT 1;\n-- router: SELECT 2;\n-- test\n"
                                         "SELECT 3;\n-- teardown\n-- plain: SELECT 4\n");
    ASSERT_EQ(file.statements.size(), 4u);
    EXPECT_EQ(file.statements[0].section, Section::Setup);
    EXPECT_EQ(file.statements[1].section, Section::Setup);
    EXPECT_EQ(file.statements[1].target, Target::Router);
    EXPECT_EQ(file.statements[1].sql, "SELECT 2");
    EXPECT_EQ(file.statements[2].section, Section::Test);
    EXPECT_EQ(file.statements[3].section, Section::Teardown);
    EXPECT_EQ(file.statements[3].target, Target::Plain);
}

TEST(StatementFile, CopyDataFollowsItsStatement)
{
    auto file = parse_statements("file", "COPY t FROM STDIN;\n1\tone;\n2\ttwo\n\\.\nSELECT 1;");
    ASSERT_EQ(file.statements.size(), 2u);
    EXPECT_EQ(file.statements[0].copy_data, "1\tone;\n2\ttwo\n");
    EXPECT_EQ(file.statements[1].line, 5);
}

TEST(StatementFile, UnknownDirectivesAreErrors)
{
    EXPECT_THROW(parse_statements("file", "-- parms: 1\nSELECT $1"), ParseError);
    EXPECT_THROW(parse_statements("file", "-- modes: smple\nSELECT 1"), ParseError);
    EXPECT_THROW(parse_statements("file", "-- compare: nothing\nSELECT 1"), ParseError);
    EXPECT_THROW(parse_statements("file", "COPY t FROM STDIN;\n1\n"), ParseError);
    EXPECT_NO_THROW(parse_statements("file", "-- in prose a colon: is nothing\nSELECT 1"));
}

TEST(SqlScanner, OrderAtTheTop)
{
    EXPECT_TRUE(is_ordered_at_top("SELECT 1 ORDER  BY 1"));
    EXPECT_TRUE(is_ordered_at_top("SELECT (SELECT 1) FROM t order /* */ by a"));
    EXPECT_FALSE(is_ordered_at_top("SELECT array_agg(a ORDER BY a) FROM t"));
    EXPECT_FALSE(is_ordered_at_top("SELECT ' ORDER BY ' -- ORDER BY"));
    EXPECT_FALSE(is_ordered_at_top("SELECT 1 FROM (SELECT 1 ORDER BY 1) x"));
}

TEST(SqlScanner, Words)
{
    EXPECT_EQ(first_word("/* a */ -- b\n select 1"), "SELECT");
    EXPECT_EQ(first_word("(SELECT 1)"), "(");
    EXPECT_TRUE(contains_word("WITH x AS (delete FROM t)", "DELETE"));
    EXPECT_FALSE(contains_word("SELECT 'delete', \"delete\"", "DELETE"));
    EXPECT_EQ(one_line("SELECT\n  1 -- one\n  , 2"), "SELECT 1 , 2");
}

} // namespace

} // namespace shardwise::diff
