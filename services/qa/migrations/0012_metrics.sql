-- What events tell of people, one row per fact: the evidence of every number. `object` names what it was about.
CREATE TABLE observations (
    site text COLLATE "C" NOT NULL,
    day date NOT NULL,
    person text COLLATE "C" NOT NULL,
    fact text COLLATE "C" NOT NULL,
    value double precision NOT NULL,
    at timestamptz NOT NULL,
    object text NOT NULL,
    event_id text NOT NULL
);
CREATE INDEX observations_day ON observations (site, day, person, fact);
CREATE INDEX observations_received ON observations (site, object, at) WHERE fact = 'received';
SELECT kefu_protect('observations');

-- Days whose facts are to be counted anew. One row per writing transaction, so that writers do not wait for each other
-- and whoever counts takes exactly the marks whose observations it sees.
CREATE TABLE stale_days (
    site text COLLATE "C" NOT NULL,
    day date NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (site, day, number)
);
SELECT kefu_protect('stale_days');

CREATE TABLE daily_facts (
    site text COLLATE "C" NOT NULL,
    day date NOT NULL,
    person text COLLATE "C" NOT NULL,
    fact text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    total double precision NOT NULL,
    PRIMARY KEY (site, day, person, fact)
);
SELECT kefu_protect('daily_facts');

-- Where somebody is since when, to count time online.
CREATE TABLE presences (
    site text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    state text NOT NULL,
    since timestamptz NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (site, person)
) WITH (fillfactor = 70);
SELECT kefu_protect('presences');

-- Values that no event gave, beside the computed ones and never in their place.
CREATE TABLE stated_values (
    site text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    metric text COLLATE "C" NOT NULL,
    source text NOT NULL CHECK (source IN ('IMPORTED', 'MANUAL')),
    value double precision NOT NULL,
    origin text NOT NULL,
    author text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (site, period, person, metric, source)
);
SELECT kefu_protect('stated_values');

CREATE TABLE scorecards (
    site text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (state IN ('COMPUTED', 'FROZEN')),
    score double precision,
    grade text NOT NULL,
    coefficient double precision,
    lines jsonb NOT NULL,
    unmeasured text[] NOT NULL,
    imported text[] NOT NULL,
    profile_version text NOT NULL,
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (site, period, person)
);
SELECT kefu_protect('scorecards');
