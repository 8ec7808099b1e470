-- Orders line by line, their heads, and what tiers are judged by: one row per customer and day, kept by increments.
CREATE TABLE order_lines (
    site text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    line_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C",
    kind text NOT NULL CHECK (kind IN ('SALE', 'RETURN')),
    at timestamptz NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL,
    fen bigint NOT NULL CHECK (fen >= 0),
    product text NOT NULL,
    -- the order whose head this line counts for: its own, or that which a return belongs to
    settles text COLLATE "C" NOT NULL,
    PRIMARY KEY (site, source, order_id, line_id)
);
SELECT kefu_protect('order_lines');

-- first_at is absent while only a return is known: one that names its purchase waits for it, the rest (unnamed_fen)
-- takes points back at once. points_due is what was posted to the ledger for this order so far.
CREATE TABLE orders (
    site text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C",
    first_at timestamptz,
    returned_at timestamptz,
    at timestamptz GENERATED ALWAYS AS (coalesce(first_at, returned_at)) STORED,
    sales_fen bigint NOT NULL DEFAULT 0,
    returned_fen bigint NOT NULL DEFAULT 0,
    unnamed_fen bigint NOT NULL DEFAULT 0,
    points_due bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (site, source, order_id)
) WITH (fillfactor = 80);
CREATE INDEX orders_customer ON orders (site, customer_id, at DESC) WHERE customer_id IS NOT NULL;
SELECT kefu_protect('orders');

CREATE TABLE customer_days (
    site text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    day date NOT NULL,
    spend_fen bigint NOT NULL DEFAULT 0,
    orders integer NOT NULL DEFAULT 0,
    visits integer NOT NULL DEFAULT 0,
    PRIMARY KEY (site, customer_id, day)
) WITH (fillfactor = 90);
SELECT kefu_protect('customer_days');

-- Tier of those who were ever judged away from the default; version orders the events of tiers.
CREATE TABLE standings (
    site text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    tier text NOT NULL,
    since timestamptz NOT NULL,
    grace_until timestamptz,
    version bigint NOT NULL,
    PRIMARY KEY (site, customer_id)
);
CREATE INDEX standings_tier ON standings (site, tier, customer_id);
CREATE INDEX standings_grace ON standings (grace_until) WHERE grace_until IS NOT NULL;
SELECT kefu_protect('standings');

CREATE TABLE tier_moves (
    site text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    from_tier text NOT NULL,
    to_tier text NOT NULL,
    cause text NOT NULL CHECK (cause IN ('RAISED', 'LOWERED', 'WARNED', 'RECOVERED')),
    spend_fen bigint NOT NULL,
    orders integer NOT NULL,
    active_days integer NOT NULL,
    recency_days integer NOT NULL,
    profile_version text NOT NULL,
    PRIMARY KEY (site, customer_id, number)
);
CREATE INDEX tier_moves_time ON tier_moves (site, at);
SELECT kefu_protect('tier_moves');

-- Least spending of the top share of buyers, by tier, as of the last full recomputation.
CREATE TABLE tier_cutoffs (
    site text COLLATE "C" NOT NULL,
    tier text NOT NULL,
    spend_fen bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (site, tier)
);
SELECT kefu_protect('tier_cutoffs');

CREATE TABLE imports (
    site text COLLATE "C" NOT NULL,
    import_id text COLLATE "C" NOT NULL,
    file text NOT NULL,
    rows_done bigint NOT NULL,
    stored bigint NOT NULL,
    repeated bigint NOT NULL,
    refused bigint NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (site, import_id)
);
SELECT kefu_protect('imports');
CREATE TABLE import_refusals (
    site text COLLATE "C" NOT NULL,
    import_id text COLLATE "C" NOT NULL,
    line bigint NOT NULL,
    rule text NOT NULL,
    PRIMARY KEY (site, import_id, line)
);
SELECT kefu_protect('import_refusals');
