-- Requests of data subjects. `words` (how identity was checked, why it was refused) go when the customer is forgotten.
CREATE TABLE data_requests (
    site text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('EXPORT', 'CORRECTION', 'ERASURE')),
    state text NOT NULL CHECK (state IN ('OPEN', 'VERIFIED', 'FULFILLING', 'FULFILLED', 'REFUSED')),
    verifier text NOT NULL DEFAULT '',
    decider text NOT NULL DEFAULT '',
    words text NOT NULL DEFAULT '',
    opened_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (site, request_id)
);
SELECT kefu_protect('data_requests');

CREATE TABLE erasure_proofs (
    site text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    service text NOT NULL,
    erased jsonb NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (site, request_id, service)
);
SELECT kefu_protect('erasure_proofs');
