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
