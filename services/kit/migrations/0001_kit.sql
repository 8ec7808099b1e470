-- What every service's schema has: time, idempotency, outbox, inbox, timers, schedules, audit, site scope.

-- Time. In a virtual stack `kefu_clock_virtual()` redefines kefu_now() to read the row; a real stack keeps the inlined
-- now(), which costs nothing and stays an index condition. Never clock_timestamp(): volatile, so no index condition.
CREATE TABLE kefu_virtual_clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    at timestamptz NOT NULL
);

CREATE FUNCTION kefu_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT now()';

CREATE FUNCTION kefu_clock_virtual(start timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kefu_virtual_clock (at) VALUES (start) ON CONFLICT (only_row) DO NOTHING;
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION %I.kefu_now() RETURNS timestamptz LANGUAGE sql STABLE AS '
        '''SELECT at FROM %I.kefu_virtual_clock''', current_schema(), current_schema());
END $$;

-- Site scope: row-level security as the second wall behind the WHERE site = … of every query.
CREATE FUNCTION kefu_sites() RETURNS text[] LANGUAGE sql STABLE AS
$$ SELECT string_to_array(current_setting('kefu.sites', true), ',') $$;

CREATE FUNCTION kefu_protect(protected regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', protected);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', protected);
    -- the sub-selects make both answers once per statement, not once per row
    EXECUTE format(
        'CREATE POLICY kefu_site ON %s USING ((SELECT current_setting(''kefu.sites'', true) = ''*'')'
        ' OR site = ANY ((SELECT kefu_sites())::text[]))', protected);
END $$;

-- Idempotency: the reply of every write, under its caller.
CREATE TABLE kefu_requests (
    subject text NOT NULL,
    request_id text NOT NULL,
    method text NOT NULL,
    fingerprint bytea NOT NULL,
    reply bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, request_id)
) WITH (fillfactor = 80);
CREATE INDEX kefu_requests_age ON kefu_requests (created_at);

-- Outbox: rows are claimed, never read by "id > last"; published_seq is the stream's sequence once JetStream has it.
CREATE TABLE kefu_outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL,
    subject text NOT NULL,
    aggregate text NOT NULL,
    version bigint NOT NULL,
    payload bytea NOT NULL,
    traceparent text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    published_seq bigint,
    republished integer NOT NULL DEFAULT 0,
    -- another id each time, because the stream remembers the ids of messages that it has lost
    message_id text GENERATED ALWAYS AS (id || CASE WHEN republished > 0 THEN ':' || republished ELSE '' END) VIRTUAL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
CREATE INDEX kefu_outbox_open ON kefu_outbox (position) WHERE published_seq IS NULL;
CREATE INDEX kefu_outbox_published ON kefu_outbox (published_seq) WHERE published_seq IS NOT NULL;

-- The stream that published_seq speaks of; another creation time means another stream, whose sequences begin anew.
CREATE TABLE kefu_stream (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    created_at timestamptz NOT NULL
);

-- Inbox: what each consumer has had; one row in the transaction of its effect.
CREATE TABLE kefu_inbox (
    consumer text NOT NULL,
    event_id text NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX kefu_inbox_age ON kefu_inbox (handled_at);

-- Work that failed: counted from the first failure, parked (parked_at set) after the fifth.
CREATE TABLE kefu_parked (
    consumer text NOT NULL,
    item_id text NOT NULL,
    subject text NOT NULL,
    payload bytea NOT NULL,
    traceparent text NOT NULL DEFAULT '',
    tries integer NOT NULL,
    retries integer NOT NULL DEFAULT 0,
    error text NOT NULL,
    first_failed_at timestamptz NOT NULL DEFAULT now(),
    parked_at timestamptz,
    PRIMARY KEY (consumer, item_id)
);

-- Timers: one per (owner, kind); arming again replaces it and raises its generation. `due_at` is the promise,
-- `fire_at` when to try: later than due_at only after a failure.
CREATE TABLE kefu_timers (
    owner_kind text NOT NULL,
    owner_id text NOT NULL,
    kind text NOT NULL,
    site text NOT NULL,
    generation bigint NOT NULL,
    due_at timestamptz NOT NULL,
    fire_at timestamptz NOT NULL,
    tries smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (owner_kind, owner_id, kind)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX kefu_timers_due ON kefu_timers (fire_at);

-- Arm many: a row with a lower generation than the stored one is stale and changes nothing. Returns how many it armed.
CREATE FUNCTION kefu_arm(
    owner_kinds text[], owner_ids text[], kinds text[], sites text[], generations bigint[], dues timestamptz[]
) RETURNS bigint LANGUAGE sql AS $$
    WITH armed AS (
        INSERT INTO kefu_timers AS t (owner_kind, owner_id, kind, site, generation, due_at, fire_at)
        SELECT owner_kind, owner_id, kind, site, generation, due_at, due_at
        FROM unnest(owner_kinds, owner_ids, kinds, sites, generations, dues)
            AS a (owner_kind, owner_id, kind, site, generation, due_at)
        ORDER BY owner_kind, owner_id, kind
        ON CONFLICT (owner_kind, owner_id, kind) DO UPDATE
        SET site = excluded.site, generation = excluded.generation, due_at = excluded.due_at,
            fire_at = excluded.fire_at, tries = 0
        WHERE t.generation <= excluded.generation
        RETURNING 1)
    SELECT count(*) FROM armed
$$;

-- Cancel many. Returns how many were armed.
CREATE FUNCTION kefu_cancel(owner_kinds text[], owner_ids text[], kinds text[])
RETURNS bigint LANGUAGE sql AS $$
    WITH gone AS (
        DELETE FROM kefu_timers t
        USING unnest(owner_kinds, owner_ids, kinds) AS c (owner_kind, owner_id, kind)
        WHERE t.owner_kind = c.owner_kind AND t.owner_id = c.owner_id AND t.kind = c.kind
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

-- Recurring jobs: the unique key makes each period happen once, however many dispatchers there are.
CREATE TABLE kefu_job_runs (
    job text NOT NULL,
    period timestamptz NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('DONE', 'SKIPPED')),
    ran_at timestamptz NOT NULL,
    PRIMARY KEY (job, period)
);

-- For tables of history: BEFORE UPDATE OR DELETE … EXECUTE FUNCTION kefu_refuse().
CREATE FUNCTION kefu_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

-- Audit log: append only. The hash chain is put over the rows right afterwards (`audit.seal`), so that commands do not
-- queue for its end; a sealed row can never change again.
CREATE TABLE kefu_audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    site text NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    detail text NOT NULL,
    link bigint UNIQUE,
    hash bytea
) WITH (fillfactor = 70);
CREATE INDEX kefu_audit_object ON kefu_audit (object, number);
CREATE INDEX kefu_audit_open ON kefu_audit (number) WHERE link IS NULL;

CREATE FUNCTION kefu_audit_sealing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.link IS NULL AND NEW.link IS NOT NULL AND (OLD.number, OLD.at, OLD.site, OLD.actor, OLD.action,
        OLD.object, OLD.detail) = (NEW.number, NEW.at, NEW.site, NEW.actor, NEW.action, NEW.object, NEW.detail) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER kefu_audit_sealing BEFORE UPDATE ON kefu_audit FOR EACH ROW EXECUTE FUNCTION kefu_audit_sealing();
CREATE TRIGGER kefu_audit_append_only BEFORE DELETE OR TRUNCATE ON kefu_audit
    FOR EACH STATEMENT EXECUTE FUNCTION kefu_refuse();
