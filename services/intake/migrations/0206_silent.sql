-- Whether who took a conversation has not spoken to the customer since: it is then taken back, also after a hand-over.
-- Rows of before this column count as answered: their first response has a promise of its own.
-- The target of a redirection had shared a column with the state to which a hold is released;
-- conversations redirected before keep it there.
ALTER TABLE conversations
    ADD COLUMN silent boolean NOT NULL DEFAULT false,
    ADD COLUMN redirect_target text NOT NULL DEFAULT '';

-- As in 0001 with the two columns, beside the types and the function that running code calls.
CREATE TYPE conversation_light_2 AS (
    site text, id text, version bigint, updated_at timestamptz, clocks text, customer_at timestamptz,
    first_response_at timestamptz, bot_until timestamptz, timer_at timestamptz, profile_version text, silent boolean);
CREATE TYPE conversation_whole_2 AS (
    site text, id text, channel text, external_id text, queue text, customer text, customer_name_sealed bytea,
    tier text, subject text, state text, version bigint, assignee text, accountable_owner text, clocks text, need text,
    source text, summary text, transfers integer, rating integer, call_state text, rings integer,
    answered_at timestamptz, created_at timestamptz, updated_at timestamptz, queued_at timestamptz,
    assigned_at timestamptz, customer_at timestamptz, first_response_at timestamptz, ended_at timestamptz,
    rating_until timestamptz, bot_until timestamptz, timer_at timestamptz, burst_key text, handed_to_person boolean,
    resume_state text, refused text[], rating_comment text, profile_version text, simulated boolean, silent boolean,
    redirect_target text);

-- Stores, decides nothing. The rows to update are locked by the caller; returns how many there were.
CREATE FUNCTION intake_store_2(
    light conversation_light_2[], whole conversation_whole_2[], fresh conversation_whole_2[], messages message_row[],
    entries history_row[], outcomes outcome_row[], facts fact_row[], replies reply_row[]
) RETURNS bigint LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    updated bigint := 0;
    more bigint;
BEGIN
    IF cardinality(light) > 0 THEN
        UPDATE conversations c
        SET version = n.version, updated_at = n.updated_at, clocks = n.clocks, customer_at = n.customer_at,
            first_response_at = n.first_response_at, bot_until = n.bot_until, timer_at = n.timer_at,
            profile_version = n.profile_version, silent = n.silent
        FROM unnest(light) n WHERE c.site = n.site AND c.id = n.id;
        GET DIAGNOSTICS updated = ROW_COUNT;
    END IF;
    IF cardinality(whole) > 0 THEN
        UPDATE conversations c
        SET version = n.version, updated_at = n.updated_at, clocks = n.clocks, customer_at = n.customer_at,
            first_response_at = n.first_response_at, bot_until = n.bot_until, timer_at = n.timer_at,
            profile_version = n.profile_version, silent = n.silent, queue = n.queue, state = n.state,
            assignee = n.assignee, accountable_owner = n.accountable_owner, need = n.need, source = n.source, summary = n.summary,
            transfers = n.transfers, rating = n.rating, call_state = n.call_state, rings = n.rings,
            answered_at = n.answered_at, queued_at = n.queued_at, assigned_at = n.assigned_at, ended_at = n.ended_at,
            rating_until = n.rating_until, burst_key = n.burst_key, handed_to_person = n.handed_to_person,
            resume_state = n.resume_state, refused = n.refused, rating_comment = n.rating_comment,
            redirect_target = n.redirect_target
        FROM unnest(whole) n WHERE c.site = n.site AND c.id = n.id;
        GET DIAGNOSTICS more = ROW_COUNT;
        updated := updated + more;
    END IF;
    IF cardinality(fresh) > 0 THEN
        INSERT INTO conversations (
            site, id, channel, external_id, queue, customer, customer_name_sealed, tier, subject, state, version,
            assignee, accountable_owner, clocks, need, source, summary, transfers, rating, call_state, rings,
            answered_at, created_at, updated_at, queued_at, assigned_at, customer_at, first_response_at, ended_at,
            rating_until, bot_until, timer_at, burst_key, handed_to_person, resume_state, refused, rating_comment,
            profile_version, simulated, silent, redirect_target)
        SELECT
            site, id, channel, external_id, queue, customer, customer_name_sealed, tier, subject, state, version,
            assignee, accountable_owner, clocks, need, source, summary, transfers, rating, call_state, rings,
            answered_at, created_at, updated_at, queued_at, assigned_at, customer_at, first_response_at, ended_at,
            rating_until, bot_until, timer_at, burst_key, handed_to_person, resume_state, refused, rating_comment,
            profile_version, simulated, silent, redirect_target
        FROM unnest(fresh);
    END IF;
    IF cardinality(messages) > 0 THEN
        INSERT INTO messages
            (site, conversation, id, author_kind, author, kind, text, created_at, external_id, attachment)
        SELECT site, conversation, id, author_kind, author, kind, text, created_at, external_id, attachment
        FROM unnest(messages);
    END IF;
    IF cardinality(entries) > 0 THEN
        INSERT INTO conversation_history
            (site, conversation, version, at, actor, what, state, assignee, queue, profile_version, fact, number)
        SELECT site, conversation, version, at, actor, what, state, assignee, queue, profile_version, fact, number
        FROM unnest(entries);
    END IF;
    IF cardinality(outcomes) > 0 THEN
        INSERT INTO clock_outcomes
            (site, conversation, kind, number, queue, person, outcome, started_at, due_at, settled_at, stopped_at,
             target_s, elapsed_s)
        SELECT site, conversation, kind, number, queue, person, outcome, started_at, due_at, settled_at, stopped_at,
            target_s, elapsed_s
        FROM unnest(outcomes)
        ON CONFLICT (site, conversation, kind, number) DO UPDATE
        SET stopped_at = excluded.stopped_at, elapsed_s = excluded.elapsed_s, person = excluded.person;
    END IF;
    IF cardinality(facts) > 0 THEN
        INSERT INTO kefu_outbox (id, subject, aggregate, version, payload, traceparent)
        SELECT id, subject, aggregate, version, payload, traceparent
        FROM unnest(facts) WITH ORDINALITY AS f (id, subject, aggregate, version, payload, traceparent, nth)
        ORDER BY nth;
    END IF;
    IF cardinality(replies) > 0 THEN
        INSERT INTO kefu_requests (subject, request_id, method, fingerprint, reply)
        SELECT subject, request_id, method, fingerprint, reply FROM unnest(replies) ORDER BY subject, request_id;
    END IF;
    RETURN updated;
END $$;
