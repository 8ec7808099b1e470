-- Rubrics: every version that was ever written; reviews keep the one they used.
CREATE TABLE rubrics (
    site text COLLATE "C" NOT NULL,
    rubric_id uuid NOT NULL,
    series text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    state text NOT NULL CHECK (state IN ('DRAFT', 'PUBLISHED', 'SUPERSEDED')),
    criteria jsonb NOT NULL,
    author text NOT NULL,
    approver text NOT NULL DEFAULT '' CHECK (approver <> author),
    created_at timestamptz NOT NULL,
    published_at timestamptz,
    PRIMARY KEY (site, rubric_id),
    UNIQUE (site, series, version)
);
CREATE UNIQUE INDEX rubrics_published ON rubrics (site, series) WHERE state = 'PUBLISHED';
SELECT kefu_protect('rubrics');

-- Teams, and who reviews.
CREATE TABLE members (
    site text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    team text COLLATE "C" NOT NULL,
    reviewer boolean NOT NULL,
    PRIMARY KEY (site, person)
);
SELECT kefu_protect('members');

CREATE TABLE reviews (
    site text COLLATE "C" NOT NULL,
    review_id uuid NOT NULL,
    recording_id uuid NOT NULL,
    person text COLLATE "C" NOT NULL,
    reviewer text COLLATE "C" NOT NULL CHECK (reviewer <> person),
    rubric_id uuid NOT NULL,
    origin text NOT NULL CHECK (origin IN ('DRAWN', 'RISK', 'AD_HOC', 'DISPUTE')),
    state text NOT NULL CHECK (state IN ('ASSIGNED', 'SUBMITTED', 'ACKNOWLEDGED', 'DISPUTED', 'RESOLVED')),
    revision bigint NOT NULL,
    assigned_at timestamptz NOT NULL,
    due_at timestamptz,
    overdue boolean NOT NULL DEFAULT false,
    submitted_at timestamptz,
    score double precision,
    failed text[] NOT NULL DEFAULT '{}',
    answers jsonb NOT NULL DEFAULT '[]',
    evidence jsonb NOT NULL DEFAULT '[]',
    coaching text NOT NULL DEFAULT '',
    dispute text NOT NULL DEFAULT '',
    -- the disputed review whose place it takes
    replaces uuid,
    disputes smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (site, review_id),
    FOREIGN KEY (site, recording_id) REFERENCES recordings (site, recording_id),
    FOREIGN KEY (site, rubric_id) REFERENCES rubrics (site, rubric_id),
    CHECK ((submitted_at IS NULL) = (state = 'ASSIGNED')),
    CHECK ((score IS NULL) = (state = 'ASSIGNED')),
    CHECK ((replaces IS NULL) = (origin <> 'DISPUTE'))
) WITH (fillfactor = 85);
-- a recording is reviewed once, and once more for each dispute, each time by somebody else
CREATE UNIQUE INDEX reviews_recording ON reviews (site, recording_id) WHERE replaces IS NULL;
CREATE UNIQUE INDEX reviews_reviewer_once ON reviews (site, recording_id, reviewer);
CREATE UNIQUE INDEX reviews_replaces ON reviews (site, replaces) WHERE replaces IS NOT NULL;
CREATE INDEX reviews_open ON reviews (site, reviewer) WHERE state = 'ASSIGNED';
CREATE INDEX reviews_latest ON reviews (site, assigned_at, review_id);
CREATE INDEX reviews_person ON reviews (site, person, assigned_at, review_id);
CREATE INDEX reviews_submitted ON reviews (site, submitted_at) WHERE submitted_at IS NOT NULL;
SELECT kefu_protect('reviews');
