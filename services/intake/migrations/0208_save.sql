-- Everything that a group leaves behind in one statement: its rows, the timers they need, then the loads of people. In this
-- order, since whoever holds a timer that fires asks for people next. Stores, decides nothing.
CREATE TYPE load_row AS (site text, person text, delta integer);

CREATE FUNCTION intake_save(
    light conversation_light_2[], whole conversation_whole_2[], fresh conversation_whole_2[], messages message_row[],
    entries history_row[], outcomes outcome_row[], facts fact_row[], replies reply_row[],
    owner_kinds text[], owner_ids text[], kinds text[], sites text[], generations bigint[], dues timestamptz[],
    loads load_row[], at timestamptz
) RETURNS bigint LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    updated bigint := intake_store_2(light, whole, fresh, messages, entries, outcomes, facts, replies);
BEGIN
    IF cardinality(owner_ids) > 0 THEN
        PERFORM kefu_arm(owner_kinds, owner_ids, kinds, sites, generations, dues);
    END IF;
    IF cardinality(loads) > 0 THEN
        WITH held AS (
            SELECT a.site, a.person, d.delta FROM agents a JOIN unnest(loads) d USING (site, person)
            ORDER BY a.site, a.person FOR UPDATE OF a)
        UPDATE agents a
        SET load = a.load + held.delta,
            idle_since = CASE WHEN a.load + held.delta = 0 THEN at ELSE a.idle_since END
        FROM held WHERE a.site = held.site AND a.person = held.person;
    END IF;
    RETURN updated;
END $$;
