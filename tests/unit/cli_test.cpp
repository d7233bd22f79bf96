#include "cli/progress.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace shardwise::cli
{
namespace
{

const Terminal plain = {false, false, false, 100, 24};
const Terminal pretty = {true, true, true, 100, 24};

MoveProgress move_in(const std::string &state)
{
    MoveProgress move;
    move.move_id = 3;
    move.state = state;
    move.source = "s1";
    move.target = "s2";
    move.rows_total = 2000;
    return move;
}

TEST(Output, ShortensFigures)
{
    EXPECT_EQ(short_count(0), "0");
    EXPECT_EQ(short_count(999), "999");
    EXPECT_EQ(short_count(1000), "1.0k");
    EXPECT_EQ(short_count(1234567), "1.2M");
    EXPECT_EQ(short_count(999999), "1.0M");
    EXPECT_EQ(short_bytes(512), "512 B");
    EXPECT_EQ(short_bytes(1536), "1.5 kB");
    EXPECT_EQ(short_bytes(64.0 * (1 << 30)), "64 GB");
    EXPECT_EQ(short_duration(4.4), "4s");
    EXPECT_EQ(short_duration(65), "1m05s");
    EXPECT_EQ(short_duration(3725), "1h02m");
}

TEST(Output, AlignsTables)
{
    Rows rows;
    rows.columns = {{"name", false}, {"total_bytes", true}, {"note", false}};
    rows.rows = {{"größe", "2048", std::nullopt}, {"x", "5", std::string(80, 'n')}};
    std::ostringstream out;
    print_table(out, rows, plain);
    EXPECT_EQ(out.str(), "name   total_bytes  note\n"
                         "größe       2.0 kB\n"
                         "x              5 B  " +
                             std::string(80, 'n') + "\n");
    rows.rows = {{std::string(80, 'n'), "5", "last"}};
    out.str("");
    print_table(out, rows, plain);
    EXPECT_NE(out.str().find(std::string(53, 'n') + "...  "), std::string::npos);
    rows.rows.clear();
    out.str("");
    print_table(out, rows, plain);
    EXPECT_EQ(out.str(), "(none)\n");
}

TEST(Progress, GrowsFromStateToState)
{
    double before = -1;
    for (const char *state : {"planned", "catching_up", "verified", "swapping", "swapped"}) {
        double part = done_part(move_in(state));
        EXPECT_GT(part, before) << state;
        before = part;
    }
    EXPECT_EQ(before, 1);
    MoveProgress move = move_in("copying");
    EXPECT_EQ(done_part(move), 0) << "not known yet";
    move.rows_done = 1000;
    EXPECT_NEAR(done_part(move), 0.35, 1e-9);
    move.rows_done = 5000; // more than was estimated
    EXPECT_NEAR(done_part(move), 0.7, 1e-9);
}

TEST(Progress, TellsWhenAMoveHasSettled)
{
    for (const char *state : {"swapped", "cleaning", "done", "failed", "cancelled", "rolled_back"})
        EXPECT_TRUE(has_settled(move_in(state))) << state;
    for (const char *state : {"planned", "copying", "verifying", "swapping"})
        EXPECT_FALSE(has_settled(move_in(state))) << state;
}

TEST(Progress, DrawsABarThatFits)
{
    MoveProgress move = move_in("copying");
    move.rows_done = 1000;
    move.rate = 2048;
    move.eta_seconds = 4;
    std::string line = progress_line(move, plain);
    EXPECT_LE(width_of(line), 100u);
    EXPECT_NE(line.find("s1 -> s2"), std::string::npos);
    EXPECT_NE(line.find("#"), std::string::npos);
    EXPECT_NE(line.find(" 35 %"), std::string::npos);
    EXPECT_NE(line.find("1.0k/2.0k rows"), std::string::npos);
    EXPECT_NE(line.find("2.0 kB/s  ETA 4s"), std::string::npos);
    EXPECT_EQ(line.find('\033'), std::string::npos);
    EXPECT_NE(progress_line(move, pretty).find("█"), std::string::npos);

    move.state = "failed";
    move.error = "first line of a very long message " + std::string(200, 'x') + "\nsecond line";
    for (int width : {40, 80, 100, 200}) {
        Terminal terminal = plain;
        terminal.width = width;
        EXPECT_LE(width_of(progress_line(move, terminal)), static_cast<size_t>(std::max(width, 70)))
            << width;
    }
    EXPECT_EQ(progress_line(move, plain).find("second"), std::string::npos);
}

TEST(Progress, ReadsWhatTheViewHas)
{
    Rows rows;
    rows.columns = {{"move_id", true}, {"state", false}, {"source", false}, {"rows_done", true}};
    rows.rows = {{"7", "copying", "a", std::nullopt}};
    MoveProgress move = read_progress(rows, 0);
    EXPECT_EQ(move.move_id, 7);
    EXPECT_EQ(move.source, "a");
    EXPECT_LT(move.rows_done, 0) << "NULL is not known";
    EXPECT_LT(move.lag_bytes, 0) << "no such column";
    EXPECT_EQ(progress_text(move), "move 7 a -> ?: copying 0 %");
}

} // namespace
} // namespace shardwise::cli
