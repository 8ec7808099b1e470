-- Promises to come back to a customer. `note` and `outcome` hold words; erasure overwrites them.
CREATE TABLE follow_ups (
    site text COLLATE "C" NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (state IN ('SCHEDULED', 'DUE', 'DONE', 'MISSED', 'CANCELLED')),
    version bigint NOT NULL,
    due_at timestamptz NOT NULL,
    miss_at timestamptz NOT NULL CHECK (miss_at > due_at),
    person text COLLATE "C" NOT NULL,
    note text NOT NULL,
    outcome text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (site, conversation, id)
);
CREATE UNIQUE INDEX follow_ups_id ON follow_ups (id);
CREATE INDEX follow_ups_due ON follow_ups (site, due_at, id);
SELECT kefu_protect('follow_ups');
