-- Seeds: published as hashes before their period, kept secret until their draw.
CREATE TABLE commitments (
    site text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    commitment text NOT NULL,
    secret_sealed bytea NOT NULL,
    committed_at timestamptz NOT NULL,
    -- of a week; empty for a spot check
    starts_at timestamptz,
    ends_at timestamptz,
    draw_id text COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (site, key),
    CHECK (committed_at < starts_at)
);
CREATE INDEX commitments_open ON commitments (site, ends_at) WHERE draw_id = '';
CREATE INDEX commitments_latest ON commitments (site, committed_at, key);
SELECT kefu_protect('commitments');

-- `cutoff`: what was registered later belongs to a later frame. `record` is what is published, without replacements.
CREATE TABLE draws (
    site text COLLATE "C" NOT NULL,
    draw_id text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('RANDOM', 'AD_HOC')),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    cutoff timestamptz NOT NULL,
    made_at timestamptz NOT NULL,
    frame_sha256 text NOT NULL,
    frame_count bigint NOT NULL,
    record jsonb NOT NULL,
    causes jsonb NOT NULL,
    PRIMARY KEY (site, draw_id)
);
CREATE INDEX draws_latest ON draws (site, made_at, draw_id);
CREATE INDEX draws_weeks ON draws (site, ends_at) WHERE kind = 'RANDOM';
SELECT kefu_protect('draws');

CREATE TABLE samples (
    site text COLLATE "C" NOT NULL,
    draw_id text COLLATE "C" NOT NULL,
    recording_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('RANDOM', 'RISK', 'AD_HOC')),
    unit text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    channel text NOT NULL,
    probability double precision NOT NULL CHECK (probability > 0 AND probability <= 1),
    frame_row bigint NOT NULL,
    -- set where it could not be reviewed
    replace_reason text NOT NULL DEFAULT '',
    replaced_number integer,
    replaces uuid,
    PRIMARY KEY (site, draw_id, recording_id),
    UNIQUE (site, draw_id, unit, replaced_number),
    UNIQUE (site, draw_id, replaces),
    FOREIGN KEY (site, draw_id) REFERENCES draws
);
CREATE INDEX samples_recording ON samples (site, recording_id);
SELECT kefu_protect('samples');
