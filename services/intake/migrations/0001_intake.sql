-- Conversations, their messages, their history, the promises kept and broken; intake's copies of people and tiers.
-- Ids are compared bytewise (COLLATE "C"): they are never sorted for people.

CREATE TABLE conversations (
    site text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    channel text NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    queue text NOT NULL,
    customer text COLLATE "C" NOT NULL,
    customer_name_sealed bytea NOT NULL,
    tier text NOT NULL,
    subject text NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    assignee text COLLATE "C" NOT NULL,
    accountable_owner text COLLATE "C" NOT NULL,
    -- what is open and the latest of each kind, JSON as services.intake.store writes it
    clocks text NOT NULL,
    need text NOT NULL,
    source text NOT NULL,
    summary text NOT NULL,
    transfers integer NOT NULL,
    rating integer NOT NULL,
    call_state text NOT NULL,
    rings integer NOT NULL,
    answered_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    queued_at timestamptz,
    assigned_at timestamptz,
    customer_at timestamptz NOT NULL,
    first_response_at timestamptz,
    ended_at timestamptz,
    rating_until timestamptz,
    bot_until timestamptz,
    timer_at timestamptz,
    -- under which the customer's next words find it; empty when they do not
    burst_key text COLLATE "C" NOT NULL,
    handed_to_person boolean NOT NULL,
    resume_state text NOT NULL,
    refused text[] NOT NULL,
    rating_comment text NOT NULL,
    profile_version text NOT NULL,
    simulated boolean NOT NULL,
    PRIMARY KEY (site, id)
-- messages update rows in place (HOT): no index below holds a column that a mere message changes
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX conversations_external ON conversations (site, channel, external_id) WHERE external_id <> '';
CREATE UNIQUE INDEX conversations_burst ON conversations (site, burst_key) WHERE burst_key <> '';
CREATE INDEX conversations_waiting ON conversations (site, queued_at)
    WHERE state IN ('QUEUED', 'REOPENED') OR (state = 'HANDOFF_PENDING' AND assignee = '');
CREATE INDEX conversations_open ON conversations (site, assignee, id)
    WHERE state NOT IN ('CLOSED', 'ABANDONED', 'REDIRECTED', 'AWAITING_RATING');
CREATE INDEX conversations_customer ON conversations (site, customer, id) WHERE customer <> '';
CREATE INDEX conversations_created ON conversations (site, created_at);
SELECT kefu_protect('conversations');

CREATE TABLE messages (
    site text COLLATE "C" NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    author_kind text NOT NULL,
    author text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    text text NOT NULL,
    created_at timestamptz NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    attachment text NOT NULL,
    PRIMARY KEY (site, conversation, id)
);
CREATE UNIQUE INDEX messages_external ON messages (site, conversation, external_id) WHERE external_id <> '';
SELECT kefu_protect('messages');

-- Append only; never a person's words. `fact` and `number` are what a replay judges promises by.
CREATE TABLE conversation_history (
    site text COLLATE "C" NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    what text NOT NULL,
    state text NOT NULL,
    assignee text NOT NULL,
    queue text NOT NULL,
    profile_version text NOT NULL,
    fact text NOT NULL,
    number integer NOT NULL,
    PRIMARY KEY (site, conversation, version)
);
CREATE TRIGGER conversation_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON conversation_history
    FOR EACH STATEMENT EXECUTE FUNCTION kefu_refuse();
SELECT kefu_protect('conversation_history');

-- Promises that came due or were settled: one row per clock, MET, BREACHED or CANCELLED.
CREATE TABLE clock_outcomes (
    site text COLLATE "C" NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    number integer NOT NULL,
    queue text NOT NULL,
    person text COLLATE "C" NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('MET', 'BREACHED', 'CANCELLED')),
    started_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    -- when it was met, broke (the deadline) or went away
    settled_at timestamptz NOT NULL,
    -- when what was promised was done, also late; absent when it never was
    stopped_at timestamptz,
    target_s double precision NOT NULL,
    elapsed_s double precision NOT NULL,
    PRIMARY KEY (site, conversation, kind, number)
);
CREATE INDEX clock_outcomes_settled ON clock_outcomes (site, settled_at);
SELECT kefu_protect('clock_outcomes');

-- Intake's copy of who works here, fed by events of staffing; `load` and `idle_since` are intake's own.
CREATE TABLE agents (
    site text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    presence text NOT NULL DEFAULT 'OFFLINE',
    presence_version bigint NOT NULL DEFAULT 0,
    skills text[] NOT NULL DEFAULT '{}',
    capacity integer NOT NULL DEFAULT 0 CHECK (capacity >= 0),
    active boolean NOT NULL DEFAULT true,
    certified boolean NOT NULL DEFAULT false,
    display_name_sealed bytea NOT NULL DEFAULT '',
    person_version bigint NOT NULL DEFAULT 0,
    load integer NOT NULL DEFAULT 0 CHECK (load >= 0),
    idle_since timestamptz NOT NULL DEFAULT kefu_now(),
    PRIMARY KEY (site, person)
) WITH (fillfactor = 70);
SELECT kefu_protect('agents');

-- The wall in front of over-assignment, whatever code asks for it: load never rises above capacity.
CREATE FUNCTION agents_capacity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'no capacity left' USING ERRCODE = 'check_violation', CONSTRAINT = 'agents_capacity';
END $$;
CREATE TRIGGER agents_capacity BEFORE UPDATE OF load ON agents
    FOR EACH ROW WHEN (NEW.load > OLD.load AND NEW.load > NEW.capacity) EXECUTE FUNCTION agents_capacity();

-- Tiers of customers, fed by events of crm.
CREATE TABLE customer_tiers (
    site text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    tier text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (site, customer)
);
SELECT kefu_protect('customer_tiers');

-- One row per site: held while work is given out, so that one routing pass runs at a time.
CREATE TABLE site_states (
    site text COLLATE "C" PRIMARY KEY,
    surge boolean NOT NULL DEFAULT false,
    customers_online integer NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT kefu_now()
);
SELECT kefu_protect('site_states');
-- What a group of commands leaves behind, as arrays of rows: one statement, whatever the size of the group. These types and
-- this function are a contract with running code: a change comes as new ones beside them.
CREATE TYPE conversation_light AS (
    site text, id text, version bigint, updated_at timestamptz, clocks text, customer_at timestamptz,
    first_response_at timestamptz, bot_until timestamptz, timer_at timestamptz, profile_version text);
CREATE TYPE conversation_whole AS (
    site text, id text, channel text, external_id text, queue text, customer text, customer_name_sealed bytea,
    tier text, subject text, state text, version bigint, assignee text, accountable_owner text, clocks text, need text,
    source text, summary text, transfers integer, rating integer, call_state text, rings integer,
    answered_at timestamptz, created_at timestamptz, updated_at timestamptz, queued_at timestamptz,
    assigned_at timestamptz, customer_at timestamptz, first_response_at timestamptz, ended_at timestamptz,
    rating_until timestamptz, bot_until timestamptz, timer_at timestamptz, burst_key text, handed_to_person boolean,
    resume_state text, refused text[], rating_comment text, profile_version text, simulated boolean);
CREATE TYPE message_row AS (
    site text, conversation text, id text, author_kind text, author text, kind text, text text, created_at timestamptz,
    external_id text, attachment text);
CREATE TYPE history_row AS (
    site text, conversation text, version bigint, at timestamptz, actor text, what text, state text, assignee text,
    queue text, profile_version text, fact text, number integer);
CREATE TYPE outcome_row AS (
    site text, conversation text, kind text, number integer, queue text, person text, outcome text,
    started_at timestamptz, due_at timestamptz, settled_at timestamptz, stopped_at timestamptz,
    target_s double precision, elapsed_s double precision);
CREATE TYPE fact_row AS (
    id text, subject text, aggregate text, version bigint, payload bytea, traceparent text);
CREATE TYPE reply_row AS (subject text, request_id text, method text, fingerprint bytea, reply bytea);

-- Stores, decides nothing. The rows to update are locked by the caller; returns how many there were.
CREATE FUNCTION intake_store(
    light conversation_light[], whole conversation_whole[], fresh conversation_whole[], messages message_row[],
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
            profile_version = n.profile_version
        FROM unnest(light) n WHERE c.site = n.site AND c.id = n.id;
        GET DIAGNOSTICS updated = ROW_COUNT;
    END IF;
    IF cardinality(whole) > 0 THEN
        UPDATE conversations c
        SET version = n.version, updated_at = n.updated_at, clocks = n.clocks, customer_at = n.customer_at,
            first_response_at = n.first_response_at, bot_until = n.bot_until, timer_at = n.timer_at,
            profile_version = n.profile_version, queue = n.queue, state = n.state, assignee = n.assignee,
            accountable_owner = n.accountable_owner, need = n.need, source = n.source, summary = n.summary,
            transfers = n.transfers, rating = n.rating, call_state = n.call_state, rings = n.rings,
            answered_at = n.answered_at, queued_at = n.queued_at, assigned_at = n.assigned_at, ended_at = n.ended_at,
            rating_until = n.rating_until, burst_key = n.burst_key, handed_to_person = n.handed_to_person,
            resume_state = n.resume_state, refused = n.refused, rating_comment = n.rating_comment
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
            profile_version, simulated)
        SELECT
            site, id, channel, external_id, queue, customer, customer_name_sealed, tier, subject, state, version,
            assignee, accountable_owner, clocks, need, source, summary, transfers, rating, call_state, rings,
            answered_at, created_at, updated_at, queued_at, assigned_at, customer_at, first_response_at, ended_at,
            rating_until, bot_until, timer_at, burst_key, handed_to_person, resume_state, refused, rating_comment,
            profile_version, simulated
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

-- Versions of site profiles by which something was judged. Rows are never changed: `hash` is the SHA-256 of `body`, so
-- that a decision's version can be read again years later and proved unchanged.
CREATE TABLE IF NOT EXISTS profile_versions (
    hash           text        PRIMARY KEY CHECK (hash ~ '^[0-9a-f]{64}$'),
    site           text        NOT NULL,
    effective_from timestamptz NOT NULL,
    body           text        NOT NULL,
    first_used_at  timestamptz NOT NULL,
    CHECK (hash = encode(sha256(convert_to(body, 'UTF8')), 'hex'))
);
CREATE INDEX IF NOT EXISTS profile_versions_site ON profile_versions (site, effective_from);
