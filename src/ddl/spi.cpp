#include "pg/pg.hpp"

#include "ddl/spi.hpp"
#include "pg/server_query.hpp"

extern "C" {
#include "executor/spi.h"
}

namespace shardwise
{

int use_canonical_settings()
{
    static const struct {
        const char *name, *value;
    } settings[] = {
        {"search_path", "pg_catalog"},
        {"TimeZone", "UTC"},
        {"DateStyle", "ISO, YMD"},
        {"IntervalStyle", "postgres"},
        {"extra_float_digits", "3"},
        {"bytea_output", "hex"},
        {"lc_monetary", "C"},
        {"row_security", "off"}, // an error where a policy would hide rows from a copy
        {"client_min_messages", "warning"},
        {"quote_all_identifiers", "off"},
        {"standard_conforming_strings", "on"},
    };
    int nest_level = NewGUCNestLevel();
    for (auto &setting : settings)
        set_config_option(setting.name, setting.value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                          true, 0, false);
    return nest_level;
}

void restore_settings(int nest_level)
{
    AtEOXact_GUC(true, nest_level);
}

SqlRows query_router_with(const char *sql, int nparams, const Oid *types, const Datum *values)
{
    MemoryContext caller = CurrentMemoryContext;
    int nest_level = use_canonical_settings();
    ServerQuery query = begin_server_query();
    SPIPlanPtr plan = SPI_prepare(sql, nparams, const_cast<Oid *>(types));
    if (plan == nullptr)
        elog(ERROR, "could not prepare a catalog query: %s", SPI_result_code_string(SPI_result));
    // Catalogs as they are, whatever the transaction's snapshot: as PostgreSQL's own caches see
    // them.
    int code = SPI_execute_snapshot(plan, const_cast<Datum *>(values), nullptr, GetLatestSnapshot(),
                                    InvalidSnapshot, false, true, 0);
    if (code != SPI_OK_SELECT)
        elog(ERROR, "unexpected result %d of a catalog query", code);

    MemoryContext spi = MemoryContextSwitchTo(caller);
    TupleDesc desc = SPI_tuptable->tupdesc;
    SqlRows rows = {static_cast<int>(SPI_processed), desc->natts, nullptr};
    rows.values = static_cast<char ***>(palloc0((rows.count + 1) * sizeof(char **)));
    for (int i = 0; i < rows.count; i++) {
        rows.values[i] = static_cast<char **>(palloc0(desc->natts * sizeof(char *)));
        for (int j = 0; j < desc->natts; j++)
            rows.values[i][j] = SPI_getvalue(SPI_tuptable->vals[i], desc, j + 1);
    }
    MemoryContextSwitchTo(spi);
    end_server_query(&query);
    MemoryContextSwitchTo(caller);
    restore_settings(nest_level);
    return rows;
}

SqlRows query_router(const char *sql, int narguments, const Oid *arguments)
{
    Oid types[4];
    Datum values[4];
    Assert(narguments <= 4);
    for (int i = 0; i < narguments; i++) {
        types[i] = OIDOID;
        values[i] = ObjectIdGetDatum(arguments[i]);
    }
    return query_router_with(sql, narguments, types, values);
}

} // namespace shardwise
