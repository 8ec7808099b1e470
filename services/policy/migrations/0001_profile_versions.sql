-- Versions of site profiles by which something was judged. Rows are never changed: `hash` is the SHA-256 of `body`, so
-- that a decision's version can be read again years later and proved unchanged.
CREATE TABLE IF NOT EXISTS profile_versions (
    hash           text        PRIMARY KEY CHECK (hash ~ '^[0-9a-f]{64}$'),
    site           text        NOT NULL,
    effective_from timestamptz NOT NULL,
    body           text        NOT NULL,
    first_used_at  timestamptz NOT NULL,
    CHECK (hash = encode(sha256(convert_to(body, 'UTF8')), 'hex'))
);
CREATE INDEX IF NOT EXISTS profile_versions_site ON profile_versions (site, effective_from);
