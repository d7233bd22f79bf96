#include "ddl/object_definitions.hpp"

namespace shardwise
{

const char *const enum_state = R"(
SELECT to_regtype(%1$s) IS NOT NULL, 'ENUM (' || coalesce((SELECT string_agg(quote_literal(enumlabel), ', '
    ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = to_regtype(%1$s)), '') || ')')";

const char *const composite_state = R"(
SELECT to_regtype(%1$s) IS NOT NULL, '(' || coalesce((SELECT string_agg(quote_ident(a.attname) || ' '
    || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attcollation <> 0
       AND a.attcollation <> ct.typcollation THEN format(' COLLATE %%I.%%I', n.nspname, c.collname)
       ELSE '' END, ', ' ORDER BY a.attnum)
    FROM pg_type t
    JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type ct ON ct.oid = a.atttypid
    LEFT JOIN pg_collation c ON c.oid = a.attcollation
    LEFT JOIN pg_namespace n ON n.oid = c.collnamespace
    WHERE t.oid = to_regtype(%1$s)), '') || ')')";

// NOT NULL is a constraint (contype 'n') since PostgreSQL 17.
const char *const domain_state = R"(
SELECT to_regtype(%1$s) IS NOT NULL, (SELECT format_type(t.typbasetype, t.typtypmod)
    || CASE WHEN t.typcollation <> 0 AND t.typcollation <> b.typcollation
       THEN format(' COLLATE %%I.%%I', n.nspname, c.collname) ELSE '' END
    || coalesce(' DEFAULT ' || pg_get_expr(t.typdefaultbin, 0), '')
    || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
    || coalesce((SELECT string_agg(format(' CONSTRAINT %%I %%s', conname,
           replace(pg_get_constraintdef(oid), ' NOT VALID', '')), '' ORDER BY conname)
       FROM pg_constraint WHERE contypid = t.oid AND contype <> 'n'), '')
    FROM pg_type t
    JOIN pg_type b ON b.oid = t.typbasetype
    LEFT JOIN pg_collation c ON c.oid = t.typcollation
    LEFT JOIN pg_namespace n ON n.oid = c.collnamespace
    WHERE t.oid = to_regtype(%1$s)))";

const char *const range_state = R"(
SELECT to_regtype(%1$s) IS NOT NULL, (SELECT format('RANGE (SUBTYPE = %%s, SUBTYPE_OPCLASS = %%I.%%I',
        format_type(r.rngsubtype, NULL), opn.nspname, o.opcname)
    || CASE WHEN r.rngcollation <> 0 THEN format(', COLLATION = %%I.%%I', cn.nspname, c.collname) ELSE '' END
    || CASE WHEN r.rngsubdiff <> 0 THEN format(', SUBTYPE_DIFF = %%I.%%I', dn.nspname, d.proname) ELSE '' END
    || format(', MULTIRANGE_TYPE_NAME = %%I.%%I)', mn.nspname, m.typname)
    FROM pg_range r
    JOIN pg_opclass o ON o.oid = r.rngsubopc JOIN pg_namespace opn ON opn.oid = o.opcnamespace
    JOIN pg_type m ON m.oid = r.rngmultitypid JOIN pg_namespace mn ON mn.oid = m.typnamespace
    LEFT JOIN pg_collation c ON c.oid = r.rngcollation LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace
    LEFT JOIN pg_proc d ON d.oid = r.rngsubdiff LEFT JOIN pg_namespace dn ON dn.oid = d.pronamespace
    WHERE r.rngtypid = to_regtype(%1$s) AND r.rngcanonical = 0))";

// By its name, as to_regtype() fails for a shell.
const char *const shell_type_state = R"(
SELECT EXISTS (SELECT FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
    WHERE format('%%I.%%I', nspname, typname) = %1$s), '')";

const char *const base_type_state = R"(
WITH type AS (
    SELECT t.* FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
    WHERE format('%%I.%%I', nspname, typname) = %1$s AND typisdefined
)
SELECT EXISTS (SELECT FROM type), (SELECT format('(INPUT = %%s, OUTPUT = %%s', typinput, typoutput)
    || CASE WHEN typreceive <> 0 THEN ', RECEIVE = ' || typreceive ELSE '' END
    || CASE WHEN typsend <> 0 THEN ', SEND = ' || typsend ELSE '' END
    || CASE WHEN typmodin <> 0 THEN ', TYPMOD_IN = ' || typmodin ELSE '' END
    || CASE WHEN typmodout <> 0 THEN ', TYPMOD_OUT = ' || typmodout ELSE '' END
    || CASE WHEN typanalyze <> 0 THEN ', ANALYZE = ' || typanalyze ELSE '' END
    || CASE WHEN typsubscript <> 0 THEN ', SUBSCRIPT = ' || typsubscript ELSE '' END
    || ', INTERNALLENGTH = ' || CASE typlen WHEN -1 THEN 'VARIABLE' ELSE typlen::text END
    || CASE WHEN typbyval THEN ', PASSEDBYVALUE' ELSE '' END
    || ', ALIGNMENT = ' || CASE typalign WHEN 'c' THEN 'char' WHEN 's' THEN 'int2' WHEN 'i' THEN 'int4'
           ELSE 'double' END
    || ', STORAGE = ' || CASE typstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'x' THEN 'extended'
           ELSE 'main' END
    || format(', CATEGORY = %%L, PREFERRED = %%s, DELIMITER = %%L', typcategory, typispreferred::text, typdelim)
    || coalesce(', DEFAULT = ' || quote_literal(typdefault), '')
    || CASE WHEN typelem <> 0 THEN ', ELEMENT = ' || format_type(typelem, NULL) ELSE '' END
    || CASE WHEN typcollation <> 0 THEN ', COLLATABLE' ELSE '' END || ')'
    FROM type WHERE typtype = 'b'))";

// A cast's name is what stands in parentheses.
const char *const cast_state = R"(
WITH found AS (
    SELECT * FROM pg_cast WHERE (pg_identify_object('pg_cast'::regclass, oid, 0)).identity = %1$s
)
SELECT EXISTS (SELECT FROM found), (SELECT concat(CASE castmethod WHEN 'i' THEN 'WITH INOUT' WHEN 'b'
        THEN 'WITHOUT FUNCTION' ELSE 'WITH FUNCTION ' || castfunc::regprocedure END,
    CASE castcontext WHEN 'i' THEN ' AS IMPLICIT' WHEN 'a' THEN ' AS ASSIGNMENT' END) FROM found))";

const char *const collation_state = R"(
SELECT to_regcollation(%1$s) IS NOT NULL, (SELECT format('(PROVIDER = %%s%%s, DETERMINISTIC = %%s)',
    CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
    CASE WHEN c.collprovider IN ('i', 'b')
        THEN format(', LOCALE = %%L', coalesce(j->>'colliculocale', j->>'colllocale'))
            || coalesce(', RULES = ' || quote_literal(j->>'collicurules'), '')
        ELSE format(', LC_COLLATE = %%L, LC_CTYPE = %%L', c.collcollate, c.collctype) END,
    c.collisdeterministic::text)
    FROM pg_collation c, to_jsonb(c) j WHERE c.oid = to_regcollation(%1$s)))";

// to_regprocedure() fails where an argument is of a shell type.
const char *const function_state = R"(
WITH routine AS (
    SELECT oid, prokind FROM pg_proc WHERE proname = (parse_ident(%1$s, false))[2]::name
    AND (pg_identify_object('pg_proc'::regclass, oid, 0)).identity = %1$s
)
SELECT EXISTS (SELECT FROM routine), (SELECT pg_get_functiondef(oid) FROM routine WHERE prokind <> 'a'))";

// Versions may differ between servers, the schema must not: names in definitions contain it.
const char *const extension_state = R"(
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = %1$s), (SELECT nspname FROM pg_extension e
    JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = %1$s))";

const char *const aggregate_state = R"(
SELECT to_regprocedure(%1$s) IS NOT NULL, (SELECT format('%%I.%%I(%%s) (SFUNC = %%s, STYPE = %%s', n.nspname,
        p.proname, coalesce(nullif(pg_get_function_arguments(p.oid), ''), '*'), aggtransfn,
        format_type(aggtranstype, NULL))
    || CASE WHEN aggtransspace <> 0 THEN ', SSPACE = ' || aggtransspace ELSE '' END
    || CASE WHEN aggfinalfn <> 0 THEN ', FINALFUNC = ' || aggfinalfn || CASE WHEN aggfinalextra
           THEN ', FINALFUNC_EXTRA' ELSE '' END || ', FINALFUNC_MODIFY = ' || CASE aggfinalmodify
           WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END ELSE '' END
    || CASE WHEN aggcombinefn <> 0 THEN ', COMBINEFUNC = ' || aggcombinefn ELSE '' END
    || CASE WHEN aggserialfn <> 0 THEN ', SERIALFUNC = ' || aggserialfn ELSE '' END
    || CASE WHEN aggdeserialfn <> 0 THEN ', DESERIALFUNC = ' || aggdeserialfn ELSE '' END
    || coalesce(', INITCOND = ' || quote_literal(agginitval), '')
    || CASE WHEN aggmtransfn <> 0 THEN format(', MSFUNC = %%s, MINVFUNC = %%s, MSTYPE = %%s', aggmtransfn,
           aggminvtransfn, format_type(aggmtranstype, NULL)) ELSE '' END
    || CASE WHEN aggmtransspace <> 0 THEN ', MSSPACE = ' || aggmtransspace ELSE '' END
    || CASE WHEN aggmfinalfn <> 0 THEN ', MFINALFUNC = ' || aggmfinalfn || CASE WHEN aggmfinalextra
           THEN ', MFINALFUNC_EXTRA' ELSE '' END || ', MFINALFUNC_MODIFY = ' || CASE aggmfinalmodify
           WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END ELSE '' END
    || coalesce(', MINITCOND = ' || quote_literal(aggminitval), '')
    || coalesce((SELECT format(', SORTOP = OPERATOR(%%I.%%s)', onn.nspname, o.oprname) FROM pg_operator o
           JOIN pg_namespace onn ON onn.oid = o.oprnamespace WHERE o.oid = aggsortop), '')
    || CASE aggkind WHEN 'h' THEN ', HYPOTHETICAL' ELSE '' END
    || ', PARALLEL = ' || CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED'
           ELSE 'UNSAFE' END || ')'
    FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE a.aggfnoid = to_regprocedure(%1$s)))";

// Of an operator that is only known as another one's commutator or negator, there is no function.
const char *const operator_state = R"(
SELECT EXISTS (SELECT FROM pg_operator WHERE oid = to_regoperator(%1$s) AND oprcode <> 0), (SELECT format('%%I.%%s (FUNCTION = %%s', n.nspname, o.oprname, o.oprcode)
    || CASE WHEN oprleft <> 0 THEN ', LEFTARG = ' || format_type(oprleft, NULL) ELSE '' END
    || ', RIGHTARG = ' || format_type(oprright, NULL)
    || coalesce((SELECT format(', COMMUTATOR = OPERATOR(%%I.%%s)', cn.nspname, c.oprname) FROM pg_operator c
           JOIN pg_namespace cn ON cn.oid = c.oprnamespace WHERE c.oid = o.oprcom), '')
    || coalesce((SELECT format(', NEGATOR = OPERATOR(%%I.%%s)', cn.nspname, c.oprname) FROM pg_operator c
           JOIN pg_namespace cn ON cn.oid = c.oprnamespace WHERE c.oid = o.oprnegate), '')
    || CASE WHEN oprrest <> 0 THEN ', RESTRICT = ' || oprrest ELSE '' END
    || CASE WHEN oprjoin <> 0 THEN ', JOIN = ' || oprjoin ELSE '' END
    || CASE WHEN oprcanhash THEN ', HASHES' ELSE '' END
    || CASE WHEN oprcanmerge THEN ', MERGES' ELSE '' END || ')'
    FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
    WHERE o.oid = to_regoperator(%1$s) AND oprcode <> 0))";

const char *const text_search_parser_state = R"(
WITH parser AS (
    SELECT p.*, nspname FROM pg_ts_parser p JOIN pg_namespace n ON n.oid = prsnamespace
    WHERE format('%%I.%%I', nspname, prsname) = %1$s
)
SELECT EXISTS (SELECT FROM parser), (SELECT format('%%I.%%I (START = %%s, GETTOKEN = %%s, END = %%s, LEXTYPES = %%s',
        nspname, prsname, prsstart, prstoken, prsend, prslextype)
    || CASE WHEN prsheadline <> 0 THEN ', HEADLINE = ' || prsheadline ELSE '' END || ')' FROM parser))";

const char *const text_search_template_state = R"(
WITH template AS (
    SELECT t.*, nspname FROM pg_ts_template t JOIN pg_namespace n ON n.oid = tmplnamespace
    WHERE format('%%I.%%I', nspname, tmplname) = %1$s
)
SELECT EXISTS (SELECT FROM template), (SELECT format('%%I.%%I (LEXIZE = %%s', nspname, tmplname, tmpllexize)
    || CASE WHEN tmplinit <> 0 THEN ', INIT = ' || tmplinit ELSE '' END || ')' FROM template))";

const char *const text_search_dictionary_state = R"(
WITH dictionary AS (
    SELECT d.*, n.nspname FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = dictnamespace
    WHERE format('%%I.%%I', n.nspname, dictname) = %1$s
)
SELECT EXISTS (SELECT FROM dictionary), (SELECT format('%%I.%%I (TEMPLATE = %%I.%%I%%s)', d.nspname, dictname,
    tn.nspname, tmplname, ', ' || dictinitoption)
    FROM dictionary d JOIN pg_ts_template t ON t.oid = dicttemplate
    JOIN pg_namespace tn ON tn.oid = tmplnamespace))";

// Several statements: a configuration is made empty.
const char *const text_search_configuration_state = R"(
WITH configuration AS (
    SELECT c.*, format('%%I.%%I', n.nspname, cfgname) AS name
    FROM pg_ts_config c JOIN pg_namespace n ON n.oid = cfgnamespace
    WHERE format('%%I.%%I', n.nspname, cfgname) = %1$s
)
SELECT EXISTS (SELECT FROM configuration), (SELECT format('%%s (PARSER = %%I.%%I)', name, pn.nspname, prsname)
    || coalesce((SELECT string_agg(format('; ALTER TEXT SEARCH CONFIGURATION %%s ADD MAPPING FOR %%s WITH %%s',
           name, t.alias, m.dictionaries), '' ORDER BY t.alias)
       FROM (SELECT maptokentype, string_agg(format('%%I.%%I', dn.nspname, dictname), ', ' ORDER BY mapseqno)
                 AS dictionaries
             FROM pg_ts_config_map JOIN pg_ts_dict d ON d.oid = mapdict
             JOIN pg_namespace dn ON dn.oid = dictnamespace WHERE mapcfg = configuration.oid
             GROUP BY maptokentype) m
       JOIN ts_token_type(cfgparser) t ON t.tokid = m.maptokentype), '')
    FROM configuration JOIN pg_ts_parser p ON p.oid = cfgparser JOIN pg_namespace pn ON pn.oid = prsnamespace))";

// Behind WITH owner AS (...): the members of a class, or those of a family that are in no class.
#define OPERATOR_MEMBERS                                                                           \
    ", members AS ("                                                                               \
    "SELECT 1 AS kind, amopstrategy AS number, amoplefttype AS l, amoprighttype AS r, "            \
    "format('OPERATOR %%s %%I.%%s (%%s, %%s)', amopstrategy, nspname, oprname, "                   \
    "format_type(amoplefttype, NULL), format_type(amoprighttype, NULL)) "                          \
    "|| coalesce((SELECT format(' FOR ORDER BY %%I.%%I', nspname, opfname) FROM pg_opfamily f "    \
    "JOIN pg_namespace fn ON fn.oid = opfnamespace WHERE f.oid = amopsortfamily), '') AS member "  \
    "FROM owner JOIN pg_depend d ON d.refclassid = owner_kind AND d.refobjid = owner.oid "         \
    "JOIN pg_amop m ON d.classid = 'pg_amop'::regclass AND m.oid = d.objid "                       \
    "JOIN pg_operator o ON o.oid = amopopr JOIN pg_namespace n ON n.oid = oprnamespace "           \
    "UNION ALL SELECT 2, amprocnum, amproclefttype, amprocrighttype, "                             \
    "format('FUNCTION %%s (%%s, %%s) %%s', amprocnum, format_type(amproclefttype, NULL), "         \
    "format_type(amprocrighttype, NULL), amproc::regprocedure) "                                   \
    "FROM owner JOIN pg_depend d ON d.refclassid = owner_kind AND d.refobjid = owner.oid "         \
    "JOIN pg_amproc m ON d.classid = 'pg_amproc'::regclass AND m.oid = d.objid), "                 \
    "list AS (SELECT string_agg(member, ', ' ORDER BY kind, number, format_type(l, NULL), "        \
    "format_type(r, NULL)) AS list FROM members) "

const char *const operator_class_state = R"(
WITH owner AS (
    SELECT c.*, 'pg_opclass'::regclass AS owner_kind, nspname AS schema, amname FROM pg_opclass c
    JOIN pg_namespace n ON n.oid = opcnamespace JOIN pg_am am ON am.oid = opcmethod
    WHERE format('%%I.%%I USING %%I', nspname, opcname, amname) = %1$s
))" OPERATOR_MEMBERS R"(
SELECT EXISTS (SELECT FROM owner), (SELECT format('%%I.%%I %%s FOR TYPE %%s USING %%I FAMILY %%I.%%I AS %%s', schema,
    opcname, CASE WHEN opcdefault THEN 'DEFAULT' END, format_type(opcintype, NULL), amname, nspname, opfname,
    concat_ws(', ', list, CASE WHEN opckeytype <> 0 OR list IS NULL
        THEN 'STORAGE ' || format_type(coalesce(nullif(opckeytype, 0), opcintype), NULL) END))
    FROM owner JOIN list ON true JOIN pg_opfamily f ON f.oid = opcfamily JOIN pg_namespace n ON n.oid = opfnamespace))";

// Several statements: a family is made empty.
const char *const operator_family_state = R"(
WITH owner AS (
    SELECT f.*, 'pg_opfamily'::regclass AS owner_kind, format('%%I.%%I USING %%I', nspname, opfname, amname) AS name
    FROM pg_opfamily f JOIN pg_namespace n ON n.oid = opfnamespace JOIN pg_am am ON am.oid = opfmethod
    WHERE format('%%I.%%I USING %%I', nspname, opfname, amname) = %1$s
))" OPERATOR_MEMBERS R"(
SELECT EXISTS (SELECT FROM owner), (SELECT concat(name, '; ALTER OPERATOR FAMILY ' || name || ' ADD ' || list)
    FROM owner JOIN list ON true))";

const char *const operator_family_members = R"(
WITH owner AS (SELECT oid, 'pg_opfamily'::regclass AS owner_kind FROM pg_opfamily WHERE oid = $1))" OPERATOR_MEMBERS
                                            R"(
SELECT member, format('%%s %%s (%%s, %%s)', CASE kind WHEN 1 THEN 'OPERATOR' ELSE 'FUNCTION' END, number,
    format_type(l, NULL), format_type(r, NULL)) FROM members)";

} // namespace shardwise
