// Follows a plan while it runs.
#pragma once

#include "cli/commands.hpp"

namespace shardwise::cli
{

struct WatchOptions {
    double interval = 0.5; // seconds
    double timeout = 0;    // seconds; 0: none
};

// Shows the moves of a plan until it needs its operator again: a bar a move on a terminal, else a
// line whenever a state changes (and every ten seconds), with --json an object a line. Returns
// Findings for a plan that failed, Timeout where time ran out.
Exit watch_plan(Context &context, int plan, const WatchOptions &options);

} // namespace shardwise::cli
