-- Files of conversations. Erasure overwrites file_name and content (erased_at set) and keeps size and time as proof.
CREATE TABLE attachments (
    site text COLLATE "C" NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    file_name text NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes BETWEEN 1 AND 2097152),
    sha256 text NOT NULL,
    content bytea NOT NULL,
    created_at timestamptz NOT NULL,
    erased_at timestamptz,
    PRIMARY KEY (site, conversation, id)
);
-- images and PDF are compressed already
ALTER TABLE attachments ALTER COLUMN content SET STORAGE EXTERNAL;
SELECT kefu_protect('attachments');
