// Included last by every source file of core: no PostgreSQL header may reach this room, neither
// directly nor through another header. (core's own headers are included by backend files, so the
// check stands in the sources.)
#pragma once

#if defined(POSTGRES_H) || defined(C_H) || defined(PG_CONFIG_H) || defined(PG_VERSION_NUM) ||      \
    defined(LIBPQ_FE_H)
#error "src/core is plain C++: it must not include a PostgreSQL header"
#endif
