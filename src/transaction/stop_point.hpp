// Named steps of the commit protocol at which tests stop a process (as PostgreSQL's injection
// points). They cost one comparison for each step of a two-phase commit.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

extern char *stop_point_setting;

// Stops if the setting names this step.
void reach_stop_point(const char *name);

// Stops here if shardwise.stop_point says "NAME:wait" (until the configuration is reloaded) or
// "NAME:kill".
inline void stop_point(const char *name)
{
    if (unlikely(stop_point_setting != nullptr && stop_point_setting[0] != '\0'))
        reach_stop_point(name);
}

// Defines shardwise.stop_point. From _PG_init.
void init_stop_points();

} // namespace shardwise
