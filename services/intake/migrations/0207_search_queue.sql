-- What has words that are not indexed yet, noted by the rows themselves, so that no path that writes words can forget it.
-- A queue without a unique key: a message never waits for the indexer. `message` is empty where subject or summary changed.
-- search_pending and the events that filled it serve yesterday's code only.
CREATE TABLE search_queue (
    site text COLLATE "C" NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    message text COLLATE "C" NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000);
SELECT kefu_protect('search_queue');

CREATE FUNCTION search_note_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_queue (site, conversation, message) SELECT site, conversation, id FROM added WHERE text <> '';
    RETURN NULL;
END $$;
CREATE TRIGGER messages_search AFTER INSERT ON messages REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION search_note_messages();

CREATE FUNCTION search_note_conversation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_queue (site, conversation, message) VALUES (NEW.site, NEW.id, '');
    RETURN NULL;
END $$;
CREATE TRIGGER conversations_search_new AFTER INSERT ON conversations FOR EACH ROW
    WHEN (NEW.subject <> '' OR NEW.summary <> '') EXECUTE FUNCTION search_note_conversation();
CREATE TRIGGER conversations_search_changed AFTER UPDATE OF subject, summary ON conversations FOR EACH ROW
    WHEN ((NEW.subject, NEW.summary) <> (OLD.subject, OLD.summary) AND NEW.subject || NEW.summary <> '')
    EXECUTE FUNCTION search_note_conversation();

-- What yesterday's code had noted and not indexed: all of its words, once more.
INSERT INTO search_queue (site, conversation, message) SELECT site, conversation, '' FROM search_pending;
INSERT INTO search_queue (site, conversation, message)
SELECT m.site, m.conversation, m.id FROM messages m JOIN search_pending USING (site, conversation) WHERE m.text <> '';
