-- Messages to people on their way out (services/kit/outbound/letters.py). Address and words are sealed, and gone as
-- soon as the message is sent or given up; what stays is that there was one, for whom by reference, and how it went.
CREATE TABLE kefu_letters (
    id text PRIMARY KEY,
    site text NOT NULL,
    channel text NOT NULL,
    reference text NOT NULL,
    sealed bytea,
    state text NOT NULL DEFAULT 'PENDING' CHECK (state IN ('PENDING', 'SENT', 'BOUNCED', 'PARKED', 'REFUSED')),
    tries integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL,
    last_status integer,
    last_error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CHECK (state IN ('PENDING', 'PARKED') OR sealed IS NULL)
);
CREATE INDEX kefu_letters_due ON kefu_letters (next_try_at) WHERE state = 'PENDING';
CREATE INDEX kefu_letters_reference ON kefu_letters (reference);
