-- People of a site and their presence over time. Names are personal data: sealed, with a blind index for look-up.

CREATE TABLE people (
    site text NOT NULL,
    person_id text NOT NULL,
    display_name_sealed bytea NOT NULL,
    display_name_index bytea NOT NULL,
    grade text NOT NULL CHECK (grade IN ('JUNIOR', 'INTERMEDIATE', 'SENIOR', 'SUPERVISOR', 'MANAGER')),
    skills text[] NOT NULL,
    capacity integer NOT NULL CHECK (capacity BETWEEN 1 AND 50),
    certified boolean NOT NULL,
    active boolean NOT NULL,
    presence text NOT NULL CHECK (presence IN ('OFFLINE', 'AVAILABLE', 'BUSY', 'BREAK', 'AWAY', 'OFF_POST')),
    presence_since timestamptz NOT NULL,
    version bigint NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (site, person_id)
) WITH (fillfactor = 80);
CREATE INDEX people_name ON people (site, display_name_index);

CREATE TABLE presence_spans (
    site text NOT NULL,
    person_id text NOT NULL,
    number bigint NOT NULL,
    state text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz CHECK (ended_at >= started_at),
    actor text NOT NULL,
    PRIMARY KEY (site, person_id, number),
    FOREIGN KEY (site, person_id) REFERENCES people
);
-- the wall against two writers: one open span a person
CREATE UNIQUE INDEX presence_spans_open ON presence_spans (site, person_id) WHERE ended_at IS NULL;
CREATE INDEX presence_spans_recent ON presence_spans (site, person_id, ended_at);

SELECT kefu_protect('people');
SELECT kefu_protect('presence_spans');
