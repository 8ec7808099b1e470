-- Requests of data subjects that two people granted (services/kit/subjects.py): ids only, never what is known.
CREATE TABLE kefu_subject_exports (
    site text COLLATE "C" NOT NULL,
    request text COLLATE "C" NOT NULL,
    customers text[] NOT NULL,
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (site, request)
);
SELECT kefu_protect('kefu_subject_exports');
