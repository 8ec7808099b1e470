-- Campaigns and their messages. Texts of a campaign are the company's own; whom it reached is known by id.
CREATE TABLE campaigns (
    site text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('OFFER', 'NEW_PRODUCT', 'GIVEBACK', 'HOLIDAY', 'BIRTHDAY', 'EVENT',
                                       'COMMUNITY', 'SURVEY')),
    purpose text NOT NULL CHECK (purpose IN ('MARKETING', 'CARE', 'SURVEY')),
    title text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    channels text[] NOT NULL CHECK (cardinality(channels) > 0),
    segment jsonb NOT NULL,
    holdout_share double precision NOT NULL CHECK (holdout_share >= 0 AND holdout_share < 1),
    recurring boolean NOT NULL,
    coupon_fen bigint NOT NULL CHECK (coupon_fen >= 0),
    coupon_days integer NOT NULL CHECK ((coupon_days > 0) = (coupon_fen > 0)),
    -- drawn at creation; its hash is shown at once, itself when the campaign is over
    seed bytea NOT NULL,
    -- days after a customer was drawn in which a purchase counts for the campaign
    window_days integer NOT NULL CHECK (window_days BETWEEN 1 AND 365),
    state text NOT NULL,
    version bigint NOT NULL,
    author text NOT NULL,
    approver text NOT NULL DEFAULT '' CHECK (approver <> author),
    reason text NOT NULL DEFAULT '',
    start_at timestamptz,
    began_at timestamptz,
    ended_at timestamptz,
    -- the customer up to whom this round's audience is drawn; absent between rounds
    drawn_to text COLLATE "C",
    occasion text NOT NULL DEFAULT '',
    day date,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (site, id)
);
CREATE INDEX campaigns_list ON campaigns (site, id DESC);
SELECT kefu_protect('campaigns');

CREATE TABLE care_messages (
    site text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    campaign text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    arm text NOT NULL CHECK (arm IN ('TREATED', 'HELD_BACK')),
    -- '' or what happens once only, such as a birthday of a year
    occasion text NOT NULL DEFAULT '',
    -- the message that this one reminds of; '' for a first one
    follows text COLLATE "C" NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN ('HELD_BACK', 'PLANNED', 'LEAVING', 'SENT', 'SUPPRESSED', 'FAILED')),
    channel text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    planned_at timestamptz NOT NULL,
    -- when it was let go: what the frequency cap counts
    left_at timestamptz,
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, campaign) REFERENCES campaigns
);
CREATE UNIQUE INDEX care_messages_once ON care_messages (site, campaign, customer, occasion);
CREATE UNIQUE INDEX care_messages_occasion ON care_messages (site, customer, occasion) WHERE occasion <> '';
CREATE INDEX care_messages_customer ON care_messages (site, customer, left_at);
CREATE INDEX care_messages_follows ON care_messages (site, follows) WHERE follows <> '';
SELECT kefu_protect('care_messages');
