-- Customers of a site. What tells who they are is sealed, with a blind index where it is looked up.
CREATE TABLE customers (
    site text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (state IN ('ACTIVE', 'STALE', 'MERGED', 'ERASED')),
    region text NOT NULL DEFAULT '',
    name_sealed bytea,
    name_index bytea,
    phone_sealed bytea,
    phone_index bytea,
    email_sealed bytea,
    email_index bytea,
    address_sealed bytea,
    birth_month smallint NOT NULL DEFAULT 0,
    birth_day smallint NOT NULL DEFAULT 0,
    preferred_channels text[] NOT NULL DEFAULT '{}',
    interests text[] NOT NULL DEFAULT '{}',
    do_not_contact boolean NOT NULL DEFAULT false,
    verified_at timestamptz,
    verify_due_at timestamptz,
    merged_into text COLLATE "C",
    -- who counts for this customer: itself, or the end of the chain of merges
    root text COLLATE "C" NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (site, customer_id),
    CHECK ((merged_into IS NULL) = (root = customer_id)),
    CHECK ((merged_into IS NULL) = (state <> 'MERGED'))
) WITH (fillfactor = 85);
CREATE INDEX customers_merged ON customers (site, root) WHERE merged_into IS NOT NULL;
CREATE INDEX customers_merged_into ON customers (site, merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX customers_due ON customers (verify_due_at) WHERE state = 'ACTIVE';
CREATE INDEX customers_phone ON customers (site, phone_index) WHERE phone_index IS NOT NULL;
SELECT kefu_protect('customers');

-- Who a customer is on each channel; a merge leaves these rows as they are, so that it can be undone.
CREATE TABLE identities (
    site text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    external_index bytea NOT NULL,
    external_sealed bytea NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (site, channel, external_index)
);
CREATE INDEX identities_customer ON identities (site, customer_id);
SELECT kefu_protect('identities');

CREATE TABLE merges (
    site text COLLATE "C" NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    customer_id text COLLATE "C" NOT NULL,
    into_id text COLLATE "C" NOT NULL,
    undone boolean NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (site, number)
);
SELECT kefu_protect('merges');

-- Consent as it stands (a sender locks this row), and everything that was ever said.
CREATE TABLE consents (
    site text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('MARKETING', 'CARE', 'SURVEY')),
    channel text NOT NULL,
    granted boolean NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (site, customer_id, purpose, channel)
);
SELECT kefu_protect('consents');
CREATE TABLE consent_history (
    site text COLLATE "C" NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    customer_id text COLLATE "C" NOT NULL,
    purpose text NOT NULL,
    channel text NOT NULL,
    granted boolean NOT NULL,
    source text NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (site, customer_id, number)
);
SELECT kefu_protect('consent_history');
CREATE TRIGGER consent_history_append_only BEFORE UPDATE OR DELETE ON consent_history
    FOR EACH STATEMENT EXECUTE FUNCTION kefu_refuse();

CREATE TABLE unmask_grants (
    site text COLLATE "C" NOT NULL,
    grant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (state IN ('PENDING', 'GRANTED', 'REFUSED')),
    requester text NOT NULL,
    decider text NOT NULL DEFAULT '' CHECK (decider <> requester),
    reason text NOT NULL,
    requested_at timestamptz NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (site, grant_id)
);
SELECT kefu_protect('unmask_grants');

-- What neighbours tell of a customer: ids and states only. Orders, tiers and consents have tables of their own.
CREATE TABLE timeline (
    site text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    object text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (site, customer_id, object, kind)
);
SELECT kefu_protect('timeline');
