// Session settings that change what a statement returns or does: the shard's session gets the
// router session's values before a statement is sent.
//
// The common case, nothing changed, compares each variable with what was last sent, through
// pointers into PostgreSQL's own table of settings.
#include "pg/versions.hpp"
#include "remote/connection_internal.hpp"

extern "C" {
#include "utils/guc_tables.h"
#include "utils/varlena.h"
}

namespace shardwise
{

// Followed. All may be set by a plain user on the shard.
static const char *const followed_names[] = {"TimeZone",
                                             "DateStyle",
                                             "IntervalStyle",
                                             "extra_float_digits",
                                             "bytea_output",
                                             "search_path",
                                             "client_min_messages",
                                             "lock_timeout",
                                             "synchronous_commit",
                                             "row_security",
                                             "array_nulls",
                                             "xmlbinary",
                                             "xmloption",
                                             "lc_monetary",
                                             "lc_numeric",
                                             "lc_time",
                                             "default_text_search_config",
                                             "timezone_abbreviations"};
static constexpr int followed_count = lengthof(followed_names);

// Fixed. The router's own timeouts cancel what runs on a shard, and BEGIN states what differs from
// these defaults of transactions.
static const char *const fixed_settings[][2] = {{"statement_timeout", "0"},
                                                {"idle_in_transaction_session_timeout", "0"},
                                                {"idle_session_timeout", "0"},
                                                {"default_transaction_isolation", "read committed"},
                                                {"default_transaction_read_only", "off"},
                                                {"default_transaction_deferrable", "off"},
                                                {"standard_conforming_strings", "on"}};

static config_generic *followed[followed_count];
static config_string *search_path_setting = nullptr;

// Finds PostgreSQL's own records of the settings; they never move.
static void find_settings()
{
    int count;
    config_generic **all = list_settings(&count);
    for (int i = 0; i < followed_count; i++) {
        for (int j = 0; j < count && followed[i] == nullptr; j++)
            if (pg_strcasecmp(all[j]->name, followed_names[i]) == 0)
                followed[i] = all[j];
        if (followed[i] == nullptr)
            elog(ERROR, "setting \"%s\" not found", followed_names[i]);
        if (strcmp(followed_names[i], "search_path") == 0)
            search_path_setting = reinterpret_cast<config_string *>(followed[i]);
    }
}

static int current_number(const config_generic *setting)
{
    switch (setting->vartype) {
    case PGC_BOOL:
        return *reinterpret_cast<const config_bool *>(setting)->variable;
    case PGC_INT:
        return *reinterpret_cast<const config_int *>(setting)->variable;
    case PGC_ENUM:
        return *reinterpret_cast<const config_enum *>(setting)->variable;
    default:
        return 0;
    }
}

static const char *current_text(const config_generic *setting)
{
    const char *text = *reinterpret_cast<const config_string *>(setting)->variable;
    return text != nullptr ? text : "";
}

static bool is_unchanged(const Connection *c, int i)
{
    const config_generic *setting = followed[i];
    if (setting->vartype == PGC_STRING)
        return strcmp(current_text(setting), c->settings[i].text) == 0;
    return current_number(setting) == c->settings[i].number;
}

// "$user" is a schema of the router's role; the shard's session may run as another one.
static char *shard_search_path()
{
    const char *path = current_text(&search_path_setting->gen);
    if (strstr(path, "$user") == nullptr)
        return pstrdup(path);

    List *names;
    if (!SplitIdentifierString(pstrdup(path), ',', &names))
        return pstrdup(path);
    StringInfoData expanded;
    initStringInfo(&expanded);
    ListCell *cell;
    foreach (cell, names) {
        const char *name = static_cast<const char *>(lfirst(cell));
        if (strcmp(name, "$user") == 0)
            name = GetUserNameFromId(GetUserId(), true);
        if (name != nullptr)
            appendStringInfo(&expanded, "%s%s", expanded.len > 0 ? ", " : "",
                             quote_identifier(name));
    }
    return expanded.data;
}

static char *value_to_send(config_generic *setting)
{
    switch (setting->vartype) {
    case PGC_BOOL:
        return pstrdup(current_number(setting) != 0 ? "on" : "off");
    case PGC_INT: // in its base unit, as a number without unit is read
        return psprintf("%d", current_number(setting));
    case PGC_ENUM:
        return pstrdup(config_enum_lookup_by_value(reinterpret_cast<config_enum *>(setting),
                                                   current_number(setting)));
    default:
        if (setting == &search_path_setting->gen)
            return shard_search_path();
        return pstrdup(current_text(setting));
    }
}

static void remember(Connection *c, int i)
{
    SentSetting *sent = &c->settings[i];
    if (followed[i]->vartype != PGC_STRING) {
        sent->number = current_number(followed[i]);
        return;
    }
    if (sent->text != nullptr)
        pfree(sent->text);
    sent->text = MemoryContextStrdup(c->context, current_text(followed[i]));
}

static void append_setting(StringInfo sql, const char *name, const char *value, bool local)
{
    appendStringInfo(sql, "%spg_catalog.set_config(%s, %s, %s)", sql->len > 0 ? ", " : "SELECT ",
                     quote_literal_cstr(name), quote_literal_cstr(value), local ? "true" : "false");
}

// ---- settings of the user's own -----------------------------------------------------------------

// Names with a dot that no library has defined: what functions and triggers on the shards ask for
// by current_setting(). None is ever removed from a session.
static List *custom_names; // char *
static int known_options;  // how many settings there were when custom_names was made

// True if the router could load a library of the name before the dot. Its settings are then none of
// the user's own, even before it is loaded, and the shard may let nobody set them.
static bool belongs_to_library(const char *name)
{
    int prefix = strchr(name, '.') - name;
    char *library = psprintf("%s/%.*s%s", pkglib_path, prefix, name, DLSUFFIX);
    bool exists = access(library, F_OK) == 0;
    pfree(library);
    return exists;
}

static void find_custom_settings()
{
    config_generic **all = list_settings(&known_options);
    MemoryContext saved = MemoryContextSwitchTo(TopMemoryContext);
    for (int i = 0; i < known_options; i++) {
        const char *name = all[i]->name;
        bool known = (all[i]->flags & GUC_CUSTOM_PLACEHOLDER) == 0 || belongs_to_library(name);
        ListCell *cell;
        foreach (cell, custom_names)
            known |= strcmp(static_cast<char *>(lfirst(cell)), name) == 0;
        if (!known)
            custom_names = lappend(custom_names, pstrdup(name));
    }
    MemoryContextSwitchTo(saved);
}

static const char *custom_value(const ListCell *name)
{
    const char *value = GetConfigOption(static_cast<char *>(lfirst(name)), true, false);
    return value != nullptr ? value : "";
}

static bool custom_settings_are_unchanged(const Connection *c)
{
    if (count_settings() != known_options)
        find_custom_settings();
    if (list_length(custom_names) != list_length(c->custom_settings))
        return false;
    const ListCell *name, *sent;
    forboth (name, custom_names, sent, c->custom_settings)
        if (strcmp(custom_value(name), static_cast<char *>(lfirst(sent))) != 0)
            return false;
    return true;
}

static void remember_custom(Connection *c, int i, const char *value)
{
    MemoryContext saved = MemoryContextSwitchTo(c->context);
    if (i >= list_length(c->custom_settings)) {
        c->custom_settings = lappend(c->custom_settings, pstrdup(value));
    } else {
        ListCell *sent = list_nth_cell(c->custom_settings, i);
        pfree(lfirst(sent));
        lfirst(sent) = pstrdup(value);
    }
    MemoryContextSwitchTo(saved);
}

static void append_custom_settings(StringInfo sql, Connection *c, bool all)
{
    ListCell *name;
    foreach (name, custom_names) {
        int i = foreach_current_index(name);
        const char *value = custom_value(name);
        if (!all && i < list_length(c->custom_settings) &&
            strcmp(static_cast<char *>(list_nth(c->custom_settings, i)), value) == 0)
            continue;
        append_setting(sql, static_cast<char *>(lfirst(name)), value, c->pooled);
        remember_custom(c, i, value);
    }
}

// ---- settings that the caller makes -------------------------------------------------------------

static ToldSetting *find_told(const Connection *c, const char *name)
{
    ListCell *cell;
    foreach (cell, c->told_settings) {
        ToldSetting *told = static_cast<ToldSetting *>(lfirst(cell));
        if (strcmp(told->name, name) == 0)
            return told;
    }
    return nullptr;
}

bool is_told(const Connection *c, const char *name, uint64 version)
{
    const ToldSetting *told = find_told(c, name);
    return told != nullptr && told->version == version;
}

void tell_setting(Connection *c, const char *name, uint64 version, const char *value)
{
    ToldSetting *told = find_told(c, name);
    MemoryContext saved = MemoryContextSwitchTo(c->context);
    if (told == nullptr) {
        told = static_cast<ToldSetting *>(palloc0(sizeof(ToldSetting)));
        told->name = pstrdup(name);
        c->told_settings = lappend(c->told_settings, told);
    }
    if (told->version == 0 || strcmp(told->value, value) != 0) {
        if (told->value != nullptr)
            pfree(told->value);
        told->value = pstrdup(value);
        told->unsent = c->has_unsent_settings = true;
    }
    told->version = version;
    MemoryContextSwitchTo(saved);
}

static void append_told_settings(StringInfo sql, Connection *c)
{
    ListCell *cell;
    foreach (cell, c->has_unsent_settings ? c->told_settings : NIL) {
        ToldSetting *told = static_cast<ToldSetting *>(lfirst(cell));
        if (told->unsent)
            append_setting(sql, told->name, told->value, c->pooled);
        told->unsent = false;
    }
    c->has_unsent_settings = false;
}

static void forget_told_settings(Connection *c)
{
    ListCell *cell;
    foreach (cell, c->told_settings) {
        ToldSetting *told = static_cast<ToldSetting *>(lfirst(cell));
        told->version = 0;
        told->unsent = false;
    }
    c->has_unsent_settings = false;
}

// ---- parallel workers ---------------------------------------------------------------------------

bool share_parallel_workers = true;

// Between how many sessions a statement shares its parallel workers; 0: that is of no matter.
static int sessions_that_share(const Connection *c, Workers workers)
{
    if (workers == Workers::Any)
        return 0;
    bool shared = workers == Workers::Shared && share_parallel_workers;
    return shared ? std::max(c->neighbours, 1) : 1;
}

// Relates to what the shard gives its sessions, whatever that is: NULL sets the session's default.
static void append_workers(StringInfo sql, int sessions, bool local)
{
    const char *is_local = local ? "true" : "false";
    appendStringInfo(sql,
                     "%spg_catalog.set_config('max_parallel_workers_per_gather', "
                     "pg_catalog.int4div(pg_catalog.set_config('max_parallel_workers_per_gather', "
                     "NULL, %s)::pg_catalog.int4, %d)::pg_catalog.text, %s)",
                     sql->len > 0 ? ", " : "SELECT ", is_local, sessions, is_local);
}

// ---- sending ------------------------------------------------------------------------------------

static bool workers_are_unchanged(const Connection *c, int sessions)
{
    return sessions == 0 || sessions == std::max(c->workers_shared, 1);
}

static void queue_changes(Connection *c, int sessions)
{
    if (followed[followed_count - 1] == nullptr)
        find_settings();
    if (c->settings == nullptr)
        c->settings = static_cast<SentSetting *>(
            MemoryContextAllocZero(c->context, followed_count * sizeof(SentSetting)));

    StringInfoData sql;
    initStringInfo(&sql);
    bool all = !c->settings_known;
    bool other_role = c->settings_role != GetUserId();
    for (int i = 0; i < followed_count; i++) {
        bool by_role = other_role && followed[i] == &search_path_setting->gen;
        if (!all && !by_role && is_unchanged(c, i))
            continue;
        append_setting(&sql, followed_names[i], value_to_send(followed[i]), c->pooled);
        remember(c, i);
    }
    if (all)
        for (const auto &setting : fixed_settings)
            append_setting(&sql, setting[0], setting[1], c->pooled);
    append_custom_settings(&sql, c, all);
    append_told_settings(&sql, c);
    bool other_workers = !workers_are_unchanged(c, sessions);
    if (other_workers)
        c->workers_shared = sessions;
    if (other_workers || (all && c->workers_shared > 0))
        append_workers(&sql, c->workers_shared, c->pooled);

    queue_command(c, sql.data);
    pfree(sql.data);
    c->settings_known = true;
    c->settings_role = GetUserId();
    c->settings_in_exchange = true;
    if (c->scope == Scope::Transaction)
        c->settings_in_transaction = true;
}

static bool role_matters(const Connection *c)
{
    return c->settings_role != GetUserId() &&
           strstr(current_text(&search_path_setting->gen), "$user") != nullptr;
}

// A pooled session is the transaction's alone: it gets its settings with each.
void sync_settings(Connection *c, Workers workers)
{
    if (c->pooled && c->scope == Scope::Idle)
        return;
    int sessions = sessions_that_share(c, workers);
    bool same = custom_settings_are_unchanged(c) && c->settings_known && !role_matters(c) &&
                !c->has_unsent_settings && workers_are_unchanged(c, sessions);
    for (int i = 0; same && i < followed_count; i++)
        same = is_unchanged(c, i);
    if (!same)
        queue_changes(c, sessions);
}

void forget_settings(Connection *c)
{
    c->settings_known = false;
    forget_told_settings(c);
}

} // namespace shardwise
