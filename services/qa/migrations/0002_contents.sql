-- Contents of sound and picture: what was announced, and which parts have come. The parts lie in the object store, each
-- sealed with the content's own key, which is sealed here; to destroy the key is to destroy the content.
CREATE TABLE contents (
    site text COLLATE "C" NOT NULL,
    recording_id uuid NOT NULL,
    upload text COLLATE "C" NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    sha256 text NOT NULL,
    key_sealed bytea,
    started_at timestamptz NOT NULL,
    completed_at timestamptz,
    PRIMARY KEY (site, recording_id)
);
SELECT kefu_protect('contents');

CREATE TABLE parts (
    site text COLLATE "C" NOT NULL,
    recording_id uuid NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    sha256 bytea NOT NULL,
    PRIMARY KEY (site, recording_id, number),
    FOREIGN KEY (site, recording_id) REFERENCES contents ON DELETE CASCADE
);
SELECT kefu_protect('parts');

-- Legal holds, and what was asked to be forgotten meanwhile.
CREATE TABLE holds (
    site text COLLATE "C" NOT NULL,
    recording_id uuid NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    since timestamptz NOT NULL,
    erase_after boolean NOT NULL DEFAULT false,
    PRIMARY KEY (site, recording_id)
);
SELECT kefu_protect('holds');

-- Proofs of deletion; `upload` and `parts` say which objects are still to be deleted while `deleted_at` is empty.
CREATE TABLE deletions (
    site text COLLATE "C" NOT NULL,
    recording_id uuid NOT NULL,
    cause text NOT NULL CHECK (cause IN ('RETENTION', 'ERASURE')),
    upload text COLLATE "C" NOT NULL,
    parts integer NOT NULL,
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL,
    destroyed_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (site, recording_id)
);
CREATE INDEX deletions_open ON deletions (destroyed_at) WHERE deleted_at IS NULL;
SELECT kefu_protect('deletions');

-- Who opened what, until when.
CREATE TABLE playbacks (
    site text COLLATE "C" NOT NULL,
    playback_id uuid NOT NULL,
    recording_id uuid NOT NULL,
    person text NOT NULL,
    unmasked boolean NOT NULL,
    opened_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (site, playback_id)
);
CREATE INDEX playbacks_expired ON playbacks (expires_at);
SELECT kefu_protect('playbacks');
