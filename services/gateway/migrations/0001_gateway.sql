-- Accounts of people. `id` is also the person's id in staffing and the subject of their tokens.
CREATE TABLE accounts (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    user_name text NOT NULL UNIQUE CHECK (user_name = lower(user_name)),
    display_name text NOT NULL,
    locale text NOT NULL DEFAULT '',
    password_hash text,
    oidc_issuer text,
    oidc_subject text,
    active boolean NOT NULL DEFAULT true,
    failures integer NOT NULL DEFAULT 0,
    locked_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    signed_in_at timestamptz,
    UNIQUE (oidc_issuer, oidc_subject)
);

-- Roles by site; site "*" is every site.
CREATE TABLE account_roles (
    account text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    site text NOT NULL,
    role text NOT NULL,
    PRIMARY KEY (account, site, role)
);
CREATE INDEX account_roles_site ON account_roles (site, account);

-- Sessions: only a hash of the id is kept, so that a copy of this table opens nothing.
CREATE TABLE sessions (
    id_hash bytea PRIMARY KEY,
    account text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Links that set a password: each works once.
CREATE TABLE one_time_links (
    token_hash bytea PRIMARY KEY,
    account text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('INVITE', 'RESET')),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX one_time_links_account ON one_time_links (account);

-- Other frontends and systems. Secrets are 256 random bits, so that a plain hash protects them.
CREATE TABLE service_accounts (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    display_name text NOT NULL,
    secret_hash bytea NOT NULL,
    old_secret_hash bytea,
    old_secret_until timestamptz,
    origins text[] NOT NULL DEFAULT '{}',
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE service_account_roles (
    service_account text NOT NULL REFERENCES service_accounts (id) ON DELETE CASCADE,
    site text NOT NULL,
    role text NOT NULL,
    PRIMARY KEY (service_account, site, role)
);

-- Switches of a site that people turn in the console, for example simulated traffic.
CREATE TABLE switches (
    site text NOT NULL,
    name text NOT NULL,
    turned_on boolean NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, name)
);

-- Outgoing webhooks. The secret is sealed (services/kit/crypto.py).
CREATE TABLE webhooks (
    id text PRIMARY KEY,
    site text NOT NULL,
    url text NOT NULL,
    kinds text[] NOT NULL,
    secret_sealed bytea NOT NULL,
    old_secret_sealed bytea,
    old_secret_until timestamptz,
    active boolean NOT NULL DEFAULT true,
    version bigint NOT NULL DEFAULT 1,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhooks_site ON webhooks (site) WHERE active;

-- One delivery per subscription and event: however often the event comes, it is sent once to an answer.
CREATE TABLE webhook_deliveries (
    id text PRIMARY KEY,
    webhook text NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    site text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL,
    body bytea NOT NULL,
    state text NOT NULL DEFAULT 'PENDING' CHECK (state IN ('PENDING', 'DELIVERED', 'PARKED')),
    tries integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    last_status integer,
    last_error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    UNIQUE (webhook, event_id)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_try_at) WHERE state = 'PENDING';
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (webhook, id DESC);
