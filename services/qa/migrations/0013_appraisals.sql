-- Ratings by people feed scorecards beside what was imported or counted by hand.
ALTER TABLE stated_values DROP CONSTRAINT stated_values_source_check;
ALTER TABLE stated_values ADD CONSTRAINT stated_values_source_check
    CHECK (source IN ('IMPORTED', 'MANUAL', 'RATED'));

CREATE TABLE appraisals (
    site text COLLATE "C" NOT NULL,
    appraisal_id uuid NOT NULL,
    period text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (
        state IN ('OPEN', 'COLLECTING', 'FINALISED', 'PUBLISHED', 'ACKNOWLEDGED', 'APPEALED', 'CLOSED')),
    revision bigint NOT NULL,
    supervisor text NOT NULL DEFAULT '' CHECK (supervisor <> person),
    marks jsonb NOT NULL DEFAULT '{}',
    comment text NOT NULL DEFAULT '',
    parts jsonb NOT NULL DEFAULT '{}',
    score double precision,
    grade text NOT NULL DEFAULT '',
    misses text[] NOT NULL DEFAULT '{}',
    appeal text NOT NULL DEFAULT '',
    decision text NOT NULL DEFAULT '',
    decider text NOT NULL DEFAULT '' CHECK (decider = '' OR decider <> supervisor),
    minutes text NOT NULL DEFAULT '',
    opened_at timestamptz NOT NULL,
    published_at timestamptz,
    closed_at timestamptz,
    PRIMARY KEY (site, appraisal_id),
    UNIQUE (site, period, person)
) WITH (fillfactor = 85);
CREATE INDEX appraisals_latest ON appraisals (site, opened_at, appraisal_id);
SELECT kefu_protect('appraisals');

-- Colleagues' ratings; who rated is a blind index, so that nobody is rated twice and nobody is named.
CREATE TABLE peer_ratings (
    site text COLLATE "C" NOT NULL,
    appraisal_id uuid NOT NULL,
    rater_index bytea NOT NULL,
    mark smallint NOT NULL,
    PRIMARY KEY (site, appraisal_id, rater_index),
    FOREIGN KEY (site, appraisal_id) REFERENCES appraisals (site, appraisal_id)
);
SELECT kefu_protect('peer_ratings');

-- What follows: improvement actions, proposals, violations, penalties and rewards, each by its declared life cycle.
CREATE TABLE matters (
    site text COLLATE "C" NOT NULL,
    matter_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('ACTION', 'PROPOSAL', 'VIOLATION', 'PENALTY', 'REWARD')),
    state text NOT NULL,
    revision bigint NOT NULL,
    code text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('', 'MINOR', 'SERIOUS')),
    person text COLLATE "C" NOT NULL,
    author text NOT NULL,
    approvers text[] NOT NULL DEFAULT '{}',
    amount_fen bigint NOT NULL DEFAULT 0 CHECK (amount_fen >= 0),
    evidence text[] NOT NULL,
    title text NOT NULL,
    note text NOT NULL DEFAULT '',
    due_at timestamptz,
    opened_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (site, matter_id)
) WITH (fillfactor = 85);
CREATE INDEX matters_latest ON matters (site, kind, opened_at, matter_id);
CREATE INDEX matters_person ON matters (site, person, opened_at);
SELECT kefu_protect('matters');
-- Every step of a matter, append only: the ledger that a reward or a penalty is followed by to its evidence.
CREATE TABLE matter_steps (
    site text COLLATE "C" NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    matter_id uuid NOT NULL,
    step text NOT NULL,
    state text NOT NULL,
    actor text NOT NULL,
    amount_fen bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (site, matter_id, number)
);
SELECT kefu_protect('matter_steps');
CREATE TRIGGER matter_steps_append_only BEFORE UPDATE OR DELETE ON matter_steps
    FOR EACH STATEMENT EXECUTE FUNCTION kefu_refuse();

CREATE TABLE bonus_pools (
    site text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (state IN ('COMPUTED', 'APPROVED', 'DISTRIBUTED')),
    base_fen bigint NOT NULL CHECK (base_fen >= 0),
    attainment double precision NOT NULL CHECK (attainment >= 0),
    pool_fen bigint NOT NULL,
    author text NOT NULL,
    approver text NOT NULL DEFAULT '' CHECK (approver <> author),
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (site, period)
);
SELECT kefu_protect('bonus_pools');
CREATE TABLE bonus_lines (
    site text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    appraisal_id uuid NOT NULL,
    share double precision NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen >= 0),
    PRIMARY KEY (site, period, person),
    FOREIGN KEY (site, appraisal_id) REFERENCES appraisals (site, appraisal_id)
);
SELECT kefu_protect('bonus_lines');
