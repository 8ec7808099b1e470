-- What intake tells of a conversation, until it ends and its recording is registered.
CREATE TABLE conversations (
    site text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL DEFAULT '',
    channel text NOT NULL DEFAULT '',
    queue text NOT NULL DEFAULT '',
    customer text COLLATE "C" NOT NULL DEFAULT '',
    started_at timestamptz NOT NULL,
    -- what makes it worth a closer look
    rating smallint NOT NULL DEFAULT 0,
    breached boolean NOT NULL DEFAULT false,
    transferred boolean NOT NULL DEFAULT false,
    harassed boolean NOT NULL DEFAULT false,
    PRIMARY KEY (site, subject)
) WITH (fillfactor = 80);
SELECT kefu_protect('conversations');

-- Recordings: ids, times and states; the content of sound and picture is in the object store, sealed.
CREATE TABLE recordings (
    site text COLLATE "C" NOT NULL,
    recording_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('TRANSCRIPT', 'AUDIO', 'VIDEO')),
    state text NOT NULL CHECK (state IN ('REGISTERED', 'AVAILABLE', 'SAMPLED', 'REVIEWED', 'EXPIRED')),
    subject text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    channel text NOT NULL,
    queue text NOT NULL,
    customer text COLLATE "C" NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    registered_at timestamptz NOT NULL,
    expires_at timestamptz,
    media_type text NOT NULL DEFAULT '',
    size_bytes bigint NOT NULL DEFAULT 0,
    sha256 text NOT NULL DEFAULT '',
    held boolean NOT NULL DEFAULT false,
    missing boolean NOT NULL DEFAULT false,
    PRIMARY KEY (site, recording_id),
    UNIQUE (site, subject, kind),
    CHECK (started_at <= ended_at)
) WITH (fillfactor = 85);
CREATE INDEX recordings_ended ON recordings (site, ended_at, recording_id);
CREATE INDEX recordings_person ON recordings (site, person, ended_at, recording_id);
CREATE INDEX recordings_customer ON recordings (site, customer) WHERE customer <> '';
CREATE INDEX recordings_expires ON recordings (expires_at) WHERE state <> 'EXPIRED' AND NOT held;
CREATE INDEX recordings_missing ON recordings (site, kind) WHERE missing;
SELECT kefu_protect('recordings');

-- Who works here, as staffing tells; whoever left stays, marked so.
CREATE TABLE people (
    site text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    active boolean NOT NULL DEFAULT true,
    -- of staffing's latest event; 0 before any
    version bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (site, person)
);
SELECT kefu_protect('people');
