-- Words of a conversation's subject, summary and messages, as services.intake.queries.words finds them. Erasure deletes
-- the row together with the texts; customers' names are sealed and never come here.
CREATE TABLE search_entries (
    site text COLLATE "C" NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (site, conversation)
);
CREATE INDEX search_entries_words ON search_entries USING gin (words);
-- No row-level security here: `@@` is not leakproof, so that behind a policy it could never use the index. Rows leave the
-- database only joined to conversations, which is protected.

-- Conversations whose words changed since they were indexed; the worker empties it in batches.
CREATE TABLE search_pending (
    site text COLLATE "C" NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    PRIMARY KEY (site, conversation)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000);
SELECT kefu_protect('search_pending');

-- Everything that somebody had, newest first; what is open is found by conversations_open. A mere message changes neither.
CREATE INDEX conversations_assignee ON conversations (site, assignee, created_at) WHERE assignee <> '';
