-- What people said and wrote in care of a customer, sealed, in one place that erasure overwrites. `object` is the name
-- of what it is about, `kind` which of its texts.
CREATE TABLE care_words (
    site text COLLATE "C" NOT NULL,
    object text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    sealed bytea NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (site, object, kind)
);
CREATE INDEX care_words_customer ON care_words (site, customer);
SELECT kefu_protect('care_words');

CREATE TABLE commitments (
    site text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    owner text NOT NULL,
    conversation text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN ('OPEN', 'KEPT', 'BROKEN')),
    made_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (site, id)
);
CREATE INDEX commitments_state ON commitments (site, state, due_at, id);
CREATE INDEX commitments_customer ON commitments (site, customer);
SELECT kefu_protect('commitments');

-- From new to lost, as of the last nightly judgement: by the customer's own rhythm where that says something.
CREATE TABLE lifecycles (
    site text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    lifecycle text NOT NULL CHECK (lifecycle IN ('NEW', 'REPEAT', 'OLD', 'DORMANT', 'LOST')),
    by_rule text NOT NULL CHECK (by_rule IN ('NEW', 'REPEAT', 'OLD', 'DORMANT', 'LOST')),
    judge text NOT NULL CHECK (judge IN ('RHYTHM', 'RULE')),
    silent_d integer NOT NULL,
    p_alive double precision,
    since timestamptz NOT NULL,
    PRIMARY KEY (site, customer)
) WITH (fillfactor = 85);
SELECT kefu_protect('lifecycles');

CREATE TABLE contact_tasks (
    site text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    cause text NOT NULL CHECK (cause IN ('ROUTINE', 'RETURNS', 'LOW_RATING', 'INACTIVITY')),
    state text NOT NULL CHECK (state IN ('DUE', 'DONE', 'SKIPPED')),
    made_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text NOT NULL DEFAULT '',
    PRIMARY KEY (site, id)
);
CREATE UNIQUE INDEX contact_tasks_open ON contact_tasks (site, customer) WHERE state = 'DUE';
CREATE INDEX contact_tasks_state ON contact_tasks (site, state, id);
CREATE INDEX contact_tasks_customer ON contact_tasks (site, customer, ended_at);
SELECT kefu_protect('contact_tasks');

-- Winning lost customers back; those held back by lot are left in peace and show what would have come anyway.
CREATE TABLE win_backs (
    site text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    arm text NOT NULL CHECK (arm IN ('TREATED', 'HELD_BACK')),
    state text NOT NULL CHECK (state IN ('DETECTED', 'PLANNED', 'CONTACTED', 'RESPONDED', 'WON_BACK', 'LOST')),
    cause text NOT NULL DEFAULT '',
    reward_points bigint NOT NULL DEFAULT 0 CHECK (reward_points >= 0),
    coupon_fen bigint NOT NULL DEFAULT 0 CHECK (coupon_fen >= 0),
    coupon_days integer NOT NULL DEFAULT 0,
    contacts integer NOT NULL DEFAULT 0,
    owner text NOT NULL DEFAULT '',
    detected_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (site, id)
);
CREATE UNIQUE INDEX win_backs_open ON win_backs (site, customer) WHERE state NOT IN ('WON_BACK', 'LOST');
CREATE INDEX win_backs_state ON win_backs (site, state, id);
SELECT kefu_protect('win_backs');

-- Whose conversation was rated: events name the conversation alone.
CREATE INDEX timeline_conversation ON timeline (site, object) WHERE kind = 'CONVERSATION';
