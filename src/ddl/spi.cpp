#include "pg/pg.hpp"

#include "ddl/spi.hpp"
#include "pg/server_query.hpp"

extern "C" {
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/fmgroids.h"
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

char *text_array_literal(const List *texts)
{
    int count = list_length(texts);
    if (count == 0)
        return pstrdup("'{}'");
    Datum *values = static_cast<Datum *>(palloc0(count * sizeof(Datum)));
    bool *nulls = static_cast<bool *>(palloc(count * sizeof(bool)));
    ListCell *cell;
    foreach (cell, texts) {
        const char *text = static_cast<char *>(lfirst(cell));
        int i = foreach_current_index(cell);
        nulls[i] = text == nullptr;
        if (text != nullptr)
            values[i] = CStringGetTextDatum(text);
    }
    int lower_bound = 1;
    ArrayType *array = construct_md_array(values, nulls, 1, &count, &lower_bound, TEXTOID, -1,
                                          false, TYPALIGN_INT);
    return quote_literal_cstr(OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(array)));
}

void restore_settings(int nest_level)
{
    AtEOXact_GUC(true, nest_level);
}

// What is asked for one table is asked for each of its thousand partitions: planning takes longer
// than the answer, so plans are kept.
struct KeptPlan {
    char *sql;
    SPIPlanPtr plan;
    int nparams;
    uint32 hash;
    int running; // not to be freed; stays above 0 where an error has ended it
};

static KeptPlan kept_plans[64];

static bool is_plan_of(const KeptPlan *kept, uint32 hash, const char *sql, int nparams,
                       const Oid *types)
{
    if (kept->plan == nullptr || kept->hash != hash || kept->nparams != nparams ||
        strcmp(kept->sql, sql) != 0)
        return false;
    for (int i = 0; i < nparams; i++)
        if (SPI_getargtypeid(kept->plan, i) != types[i])
            return false;
    return true;
}

static SPIPlanPtr prepare(const char *sql, int nparams, const Oid *types)
{
    SPIPlanPtr plan =
        SPI_prepare_cursor(sql, nparams, const_cast<Oid *>(types), CURSOR_OPT_GENERIC_PLAN);
    if (plan == nullptr)
        elog(ERROR, "could not prepare a catalog query: %s", SPI_result_code_string(SPI_result));
    return plan;
}

// Finds the plan, or makes it in place of the next that may go. With all of them running, it is
// made for this time only.
static KeptPlan *find_plan(const char *sql, int nparams, const Oid *types, KeptPlan *this_time)
{
    static int next = 0;
    uint32 hash = hash_bytes(reinterpret_cast<const unsigned char *>(sql), (int)strlen(sql));
    for (KeptPlan &kept : kept_plans)
        if (is_plan_of(&kept, hash, sql, nparams, types))
            return &kept;
    *this_time = {nullptr, prepare(sql, nparams, types), nparams, hash, 0};
    for (size_t i = 0; i < lengthof(kept_plans); i++) {
        KeptPlan *kept = &kept_plans[next++ % lengthof(kept_plans)];
        if (kept->running > 0)
            continue;
        if (kept->plan != nullptr) {
            SPI_freeplan(kept->plan);
            pfree(kept->sql);
            kept->plan = nullptr;
        }
        kept->sql = MemoryContextStrdup(TopMemoryContext, sql);
        SPI_keepplan(this_time->plan);
        this_time->sql = kept->sql;
        *kept = *this_time;
        return kept;
    }
    return this_time;
}

SqlRows query_router_with(const char *sql, int nparams, const Oid *types, const Datum *values)
{
    MemoryContext caller = CurrentMemoryContext;
    int nest_level = use_canonical_settings();
    ServerQuery query = begin_server_query();
    KeptPlan this_time;
    KeptPlan *kept = find_plan(sql, nparams, types, &this_time);
    kept->running++;
    // Catalogs as they are, whatever the transaction's snapshot: as PostgreSQL's own caches see
    // them.
    int code = SPI_execute_snapshot(kept->plan, const_cast<Datum *>(values), nullptr,
                                    GetLatestSnapshot(), InvalidSnapshot, false, true, 0);
    kept->running--;
    if (code != SPI_OK_SELECT)
        elog(ERROR, "unexpected result %d of a catalog query", code);

    SqlRows rows = {static_cast<int>(SPI_processed), SPI_tuptable->tupdesc->natts,
                    copy_spi_values(caller)};
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
