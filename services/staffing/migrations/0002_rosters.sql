-- What rosters are made of, the searches for them, and what was published. Days are days of the site.

CREATE TABLE contracts (
    site text NOT NULL,
    person_id text NOT NULL,
    week_minutes_least integer NOT NULL CHECK (week_minutes_least BETWEEN 0 AND week_minutes_most),
    week_minutes_most integer NOT NULL CHECK (week_minutes_most <= 10080),
    mentor text NOT NULL,
    PRIMARY KEY (site, person_id),
    FOREIGN KEY (site, person_id) REFERENCES people
);

CREATE TABLE day_marks (
    site text NOT NULL,
    person_id text NOT NULL,
    day date NOT NULL,
    kind text NOT NULL CHECK (kind IN ('LEAVE', 'FIXED', 'WISH')),
    shift text NOT NULL,
    weight integer NOT NULL CHECK (weight >= 0),
    PRIMARY KEY (site, person_id, day, kind),
    FOREIGN KEY (site, person_id) REFERENCES contracts ON DELETE CASCADE
);

CREATE TABLE roster_runs (
    site text NOT NULL,
    run_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'CANCELLED', 'FAILED')),
    first_day date NOT NULL,
    days integer NOT NULL,
    seconds integer NOT NULL,
    seed integer NOT NULL,
    problem text NOT NULL,
    best text,
    objective bigint,
    bound double precision,
    elapsed double precision NOT NULL DEFAULT 0,
    verdict text,
    fault text NOT NULL DEFAULT '',
    cancel_asked boolean NOT NULL DEFAULT false,
    lease_token text,
    lease_until timestamptz,
    -- how often a worker took it and was gone before the end
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (site, run_id)
);
CREATE INDEX roster_runs_latest ON roster_runs (site, created_at DESC, run_id DESC);
-- what workers look for
CREATE INDEX roster_runs_open ON roster_runs (created_at) WHERE state IN ('QUEUED', 'RUNNING');

CREATE TABLE rosters (
    site text NOT NULL,
    number integer NOT NULL,
    first_day date NOT NULL,
    days integer NOT NULL,
    run_id text NOT NULL,
    changed integer NOT NULL,
    published_at timestamptz NOT NULL,
    published_by text NOT NULL,
    PRIMARY KEY (site, number),
    FOREIGN KEY (site, run_id) REFERENCES roster_runs
);

-- `replaced_by` is the later roster that spoke of the same day
CREATE TABLE roster_shifts (
    site text NOT NULL,
    number integer NOT NULL,
    person_id text NOT NULL,
    day date NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
    break_at timestamptz,
    break_minutes integer NOT NULL,
    activity text NOT NULL,
    replaced_by integer,
    PRIMARY KEY (site, number, person_id, day),
    FOREIGN KEY (site, number) REFERENCES rosters
);
-- the wall against two standing shifts of a person on a day
CREATE UNIQUE INDEX roster_shifts_standing ON roster_shifts (site, person_id, day) WHERE replaced_by IS NULL;

SELECT kefu_protect('contracts');
SELECT kefu_protect('day_marks');
SELECT kefu_protect('roster_runs');
SELECT kefu_protect('rosters');
SELECT kefu_protect('roster_shifts');
