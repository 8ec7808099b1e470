-- Points: lots that came together, and every transfer between the accounts of a lot. A lot's accounts always add up.
CREATE TABLE point_accounts (
    site text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    owed bigint NOT NULL DEFAULT 0 CHECK (owed >= 0),
    PRIMARY KEY (site, customer_id)
);
SELECT kefu_protect('point_accounts');

CREATE TABLE point_lots (
    site text COLLATE "C" NOT NULL,
    lot_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    cause text NOT NULL,
    reference text NOT NULL,
    issued bigint NOT NULL CHECK (issued > 0),
    pending bigint NOT NULL CHECK (pending >= 0),
    active bigint NOT NULL CHECK (active >= 0),
    spent bigint NOT NULL CHECK (spent >= 0),
    expired bigint NOT NULL CHECK (expired >= 0),
    reversed bigint NOT NULL CHECK (reversed >= 0),
    active_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (site, lot_id),
    CHECK (issued = pending + active + spent + expired + reversed)
) WITH (fillfactor = 80);
CREATE INDEX point_lots_open ON point_lots (site, customer_id, expires_at) WHERE pending + active > 0;
CREATE INDEX point_lots_purchase ON point_lots (site, customer_id, reference) WHERE cause = 'PURCHASE';
CREATE INDEX point_lots_expiry ON point_lots (expires_at) WHERE pending + active > 0;
-- purchases come in parts; anything else is granted once
CREATE UNIQUE INDEX point_lots_once ON point_lots (site, customer_id, cause, reference) WHERE cause <> 'PURCHASE';
SELECT kefu_protect('point_lots');

CREATE TABLE point_entries (
    site text COLLATE "C" NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    customer_id text COLLATE "C" NOT NULL,
    lot_id text COLLATE "C" NOT NULL,
    from_account text NOT NULL CHECK (from_account IN ('ISSUED', 'PENDING', 'ACTIVE')),
    to_account text NOT NULL CHECK (to_account IN ('PENDING', 'ACTIVE', 'SPENT', 'EXPIRED', 'REVERSED')),
    points bigint NOT NULL CHECK (points > 0),
    cause text NOT NULL,
    reference text NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (site, customer_id, number),
    CHECK (from_account <> to_account)
);
SELECT kefu_protect('point_entries');
CREATE TRIGGER point_entries_append_only BEFORE UPDATE OR DELETE ON point_entries
    FOR EACH STATEMENT EXECUTE FUNCTION kefu_refuse();

CREATE TABLE coupons (
    site text COLLATE "C" NOT NULL,
    coupon_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (state IN ('ISSUED', 'USED', 'EXPIRED', 'VOIDED')),
    value_fen bigint NOT NULL CHECK (value_fen > 0),
    cause text NOT NULL,
    reference text NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_for text NOT NULL DEFAULT '',
    ended_at timestamptz,
    PRIMARY KEY (site, coupon_id)
);
CREATE UNIQUE INDEX coupons_once ON coupons (site, customer_id, cause, reference);
CREATE INDEX coupons_expiry ON coupons (expires_at) WHERE state = 'ISSUED';
SELECT kefu_protect('coupons');

CREATE TABLE memberships (
    site text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    level text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (site, customer_id)
);
SELECT kefu_protect('memberships');
